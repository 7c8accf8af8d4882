import { loadPings } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createHeartbeatSender, type SendResult } from '../providers/heartbeat.ts'
import { createHttp } from '../providers/http.ts'
import { ask, canAsk } from './ask.ts'
import { getJob } from './jobs.ts'
import { createProgress, printJson, printNote, printTable } from './print.ts'

export interface HeartbeatTestChoice {
  readonly fail?: boolean
  readonly job?: string
  /** Alert people without asking first. */
  readonly yes?: boolean
  readonly json?: boolean
}

interface Tested {
  readonly job: string
  readonly variable: string
  readonly outcome: SendResult['outcome'] | 'not configured'
  readonly reason?: string
  readonly advice?: string
}

const timeoutMs = 10_000

/**
 * Sends one ping to each heartbeat that is configured, a failure where asked and agreed. Gives 1 when one did not arrive,
 * when none is configured, and when nobody agreed. Throws when there is no such job, and in a preview, which is not watched.
 */
export async function test({ fail = false, job, json = false, yes = false }: HeartbeatTestChoice): Promise<number> {
  const { heartbeats: addresses, preview } = loadPings()
  if (preview) throw new Error('this is a preview (IS_PULL_REQUEST): it reports to no heartbeat')
  const chosen = job === undefined ? jobs : [getJob(job)]
  const count = chosen.filter(({ heartbeat }) => addresses.has(heartbeat)).length
  if (fail && count > 0 && !yes && !(await isAgreed(count))) return 1
  const http = createHttp()
  const sender = createHeartbeatSender({ fetch: http.fetch })
  const progress = createProgress()
  const tested: Tested[] = []
  try {
    for (const { heartbeat: variable, name } of chosen) {
      const url = addresses.get(variable)
      progress.show(`pinging the heartbeat of ${name}`)
      const body = fail ? `a test by a person, of the heartbeat of ${name}: nothing is wrong` : null
      const result =
        url === undefined
          ? { outcome: 'not configured' as const }
          : await sender.send({ url, kind: fail ? 'fail' : 'success', body, timeoutMs })
      tested.push({
        job: name,
        variable,
        outcome: result.outcome,
        ...('reason' in result ? { reason: result.reason, advice: adviseOn(result.outcome, variable) } : {}),
      })
    }
  } finally {
    progress.clear()
    await http.close()
  }
  return report(tested, fail, json)
}

/** A failure wakes people, by SMS and escalation too. */
async function isAgreed(count: number): Promise<boolean> {
  if (!canAsk()) {
    printNote(
      `this alerts people about ${count === 1 ? '1 job' : `${count} jobs`}: say --yes where that is meant, or --job for one alone`,
    )
    return false
  }
  if (await ask(`Report a failure of ${count === 1 ? '1 job' : `${count} jobs`}, which alerts people at once?`))
    return true
  printNote('nothing was sent')
  return false
}

function adviseOn(outcome: SendResult['outcome'], variable: string): string {
  if (outcome === 'permanent') return `no such heartbeat: compare ${variable} (\`heartbeats check\`)`
  return 'look whether Better Stack is up (status.betterstack.com) and reachable from here'
}

function describeMissing(tested: readonly Tested[]): string {
  const [only, ...more] = tested
  return only !== undefined && more.length === 0 ? `${only.variable} is not set` : 'no heartbeat is configured'
}

function report(tested: readonly Tested[], fail: boolean, json: boolean): number {
  const sent = tested.filter(({ outcome }) => outcome !== 'not configured')
  const ok = sent.length > 0 && sent.every(({ outcome }) => outcome === 'delivered')
  if (sent.length === 0) printNote(`${describeMissing(tested)}: \`heartbeats list\` names the variables`)
  if (json) printJson({ ok, kind: fail ? 'fail' : 'success', heartbeats: tested })
  else if (sent.length > 0) {
    printTable(
      ['outcome', 'job', 'variable', 'why not'],
      tested.map(({ advice, job, outcome, reason, variable }) => [
        { text: outcome, style: outcome === 'delivered' ? 'green' : outcome === 'not configured' ? 'dim' : 'red' },
        job,
        variable,
        reason === undefined ? '' : `${reason}: ${advice}`,
      ]),
    )
  }
  if (fail && ok) printNote('each is an incident now: `heartbeats test` without --fail ends it, as does the next run')
  return ok ? 0 : 1
}
