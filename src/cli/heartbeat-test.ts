import { loadHeartbeats } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createHeartbeatSender, type SendResult } from '../providers/heartbeat.ts'
import { createHttp } from '../providers/http.ts'
import { getJob } from './jobs.ts'
import { createProgress, printJson, printNote, printTable } from './print.ts'

export interface HeartbeatTestChoice {
  readonly fail?: boolean
  readonly job?: string
  readonly json?: boolean
}

interface Tested {
  readonly job: string
  readonly variable: string
  readonly outcome: SendResult['outcome'] | 'not configured'
  readonly reason?: string
}

const timeoutMs = 10_000

/**
 * Sends one ping to each heartbeat that is configured, a failure where asked. Gives 1 when one did not arrive, and when none
 * is configured. Throws when there is no such job.
 */
export async function test({ fail = false, job, json = false }: HeartbeatTestChoice): Promise<number> {
  const addresses = loadHeartbeats()
  const chosen = job === undefined ? jobs : [getJob(job)]
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
        ...('reason' in result ? { reason: result.reason } : {}),
      })
    }
  } finally {
    progress.clear()
    await http.close()
  }
  return report(tested, fail, json)
}

function report(tested: readonly Tested[], fail: boolean, json: boolean): number {
  const sent = tested.filter(({ outcome }) => outcome !== 'not configured')
  const ok = sent.length > 0 && sent.every(({ outcome }) => outcome === 'delivered')
  if (sent.length === 0) printNote('no heartbeat is configured: `heartbeats list` names the variables')
  if (json) printJson({ ok, kind: fail ? 'fail' : 'success', heartbeats: tested })
  else if (sent.length > 0) {
    printTable(
      ['outcome', 'job', 'variable', 'why not'],
      tested.map(({ job, outcome, reason = '', variable }) => [
        { text: outcome, style: outcome === 'delivered' ? 'green' : outcome === 'not configured' ? 'dim' : 'red' },
        job,
        variable,
        reason,
      ]),
    )
  }
  if (fail && ok) printNote('each is an incident now: `heartbeats test` without --fail ends it, as does the next run')
  return ok ? 0 : 1
}
