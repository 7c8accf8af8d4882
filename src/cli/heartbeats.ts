import { loadHeartbeats } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createHeartbeatSender } from '../providers/heartbeat.ts'
import { createHttp } from '../providers/http.ts'
import { checkHeartbeats, type HeartbeatCheck } from '../provision/heartbeat-checks.ts'
import { graceSeconds, periodSeconds } from '../runner/slots.ts'
import { withBetterStack } from './monitors-connect.ts'
import { printJson, printLine, printTable, toDuration } from './print.ts'

/** Lists each job's heartbeat as this environment has it, its address shortened to host and last characters. */
export async function list({ json = false }: { readonly json?: boolean }): Promise<number> {
  const addresses = loadHeartbeats()
  const http = createHttp()
  const sender = createHeartbeatSender({ fetch: http.fetch })
  await http.close()
  const heartbeats = jobs.map(job => {
    const url = addresses.get(job.heartbeat)
    return {
      job: job.name,
      class: job.class,
      variable: job.heartbeat,
      configured: url !== undefined,
      address: url === undefined ? null : sender.describe(url),
      periodSeconds: periodSeconds(job),
      graceSeconds: graceSeconds(job),
    }
  })
  if (json) printJson({ heartbeats })
  else {
    printTable(
      ['job', 'class', 'variable', 'address', 'period', 'grace'],
      heartbeats.map(one => [
        one.job,
        one.class,
        one.variable,
        one.address ?? { text: 'missing', style: 'yellow' as const },
        toDuration(one.periodSeconds * 1000),
        toDuration(one.graceSeconds * 1000),
      ]),
    )
  }
  return 0
}

/** Compares each job's heartbeat with the one at Better Stack, and changes nothing. Gives 1 when a person has to do something. */
export async function check({
  json = false,
  team,
}: {
  readonly json?: boolean
  readonly team?: string
}): Promise<number> {
  return await withBetterStack(team, async (monitoring, { heartbeats }, signal) => {
    const checks = checkHeartbeats(jobs, heartbeats, await monitoring.list('heartbeat', signal))
    const wrong = checks.filter(({ problems }) => problems.length > 0).length
    if (json) printJson({ ok: wrong === 0, heartbeats: checks })
    else print(checks, wrong)
    return wrong === 0 ? 0 : 1
  })
}

const fine = {
  ok: { text: 'ok', style: 'green' },
  warn: { text: 'warn', style: 'yellow' },
} as const

function print(checks: readonly HeartbeatCheck[], wrong: number): void {
  printTable(
    ['check', 'job', 'at Better Stack', 'what'],
    checks.flatMap(({ job, notes, problems, status }) => {
      const isFine = problems.length === 0
      const told = isFine && notes.length === 0 ? ['period and grace as they should be'] : [...problems, ...notes]
      const sign = isFine ? fine[notes.length === 0 ? 'ok' : 'warn'] : { text: 'wrong', style: 'red' as const }
      return told.map((what, index) => (index === 0 ? [sign, job, status ?? 'none', what] : ['', '', '', what]))
    }),
  )
  printLine(
    wrong === 0
      ? 'all heartbeats are as they should be'
      : `${wrong} of ${checks.length} are not as they should be: see above`,
  )
}
