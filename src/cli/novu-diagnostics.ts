import { loadNovu } from '../config.ts'
import { KeyRefusedError } from '../errors.ts'
import { workflowOf } from '../notices/catalogue.ts'
import { checkWorkflows } from '../notices/check-workflows.ts'
import type { WorkflowCheck } from '../notices/compare-workflows.ts'
import { createHttp } from '../providers/http.ts'
import type { Workflow } from '../providers/notifications.ts'
import { createNovu } from '../providers/novu.ts'
import { printJson, printLine, printTable, type Style } from './print.ts'

const budgetMs = 60_000

/**
 * Compares the workflows that the jobs use with what Novu really has, and changes nothing. Gives 1 when something differs.
 * Throws ConfigError without a key, and an Error that says what to do when Novu refuses it or cannot be reached.
 */
export async function diagnoseNovu({ json = false }: { readonly json?: boolean }): Promise<number> {
  const checks = checkWorkflows(await listWorkflows())
  const differ = checks.filter(({ differences }) => differences.length > 0).length
  if (json) printJson({ ok: differ === 0, workflows: checks.map(check => ({ ...check, kinds: kindsOf(check.id) })) })
  else print(checks, differ)
  return differ === 0 ? 0 : 1
}

async function listWorkflows(): Promise<readonly Workflow[]> {
  const { secretKey, url } = loadNovu()
  const http = createHttp()
  try {
    return await createNovu({ url, secretKey, fetch: http.fetch }).listWorkflows(AbortSignal.timeout(budgetMs))
  } catch (thrown) {
    if (!(thrown instanceof KeyRefusedError)) throw thrown
    const advice = 'NOVU_SECRET_KEY must be that of the environment, and NOVU_BASE_URL the address of its region'
    throw new Error(`Novu refuses our key; ${advice}`, { cause: thrown })
  } finally {
    await http.close()
  }
}

function print(checks: readonly WorkflowCheck[], differ: number): void {
  printTable(
    ['status', 'workflow', 'what', 'notices'],
    checks.flatMap(({ differences, id, notes }) => {
      const found = [...differences, ...notes]
      const style: Style = differences.length > 0 ? 'red' : notes.length > 0 ? 'yellow' : 'green'
      return (found.length === 0 ? ['as it should be'] : found).map((what, index) => [
        { text: index > 0 ? '' : statuses[style], style },
        index > 0 ? '' : id,
        what,
        index > 0 ? '' : kindsOf(id).join(', '),
      ])
    }),
  )
  if (differ > 0)
    printLine(`${differ} of ${checks.length} workflows differ: mend them at Novu, or src/notices/catalogue.ts`)
}

const statuses = { red: 'differs', yellow: 'look', green: 'ok' } as const

function kindsOf(workflow: string): string[] {
  return Object.entries(workflowOf).flatMap(([kind, id]) => (id === workflow ? [kind] : []))
}
