import { type ListedPing, listPings } from '../database/ping-history.ts'
import type { PingState } from '../database/tables.ts'
import { withLedger } from './connect.ts'
import { getJob } from './jobs.ts'
import { printJson, printLine, printTable, type Style, toUtc } from './print.ts'

export interface HeartbeatLogsChoice {
  readonly job?: string
  readonly state?: PingState
  readonly before?: number
  readonly limit: number
  readonly json?: boolean
}

/** Lists pings, newest first. Throws when nothing was found under a job's name that does not exist. */
export async function show({ before, json = false, limit, ...filter }: HeartbeatLogsChoice): Promise<number> {
  return await withLedger(async db => {
    const older = before === undefined ? undefined : String(before)
    const pings = await listPings(db, { ...filter, before: older, limit: limit + 1 })
    // Jobs that were removed keep their history, so an unknown name is an error only when it names nothing.
    if (pings.length === 0 && filter.job !== undefined) getJob(filter.job)
    const page = pings.slice(0, limit)
    const next = pings.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ pings: page, next })
    else printPage(page, next)
    return 0
  })
}

const styles: Readonly<Record<PingState, Style>> = {
  pending: 'yellow',
  sending: 'yellow',
  delivered: 'green',
  dropped: 'dim',
}

function printPage(page: readonly ListedPing[], next: string | null): void {
  if (page.length === 0) {
    printLine('no pings')
    return
  }
  printTable(
    ['ping', 'since (UTC)', 'job', 'kind', 'state', 'tries', 'finished (UTC)', 'run', 'note'],
    page.map(ping => [
      ping.id,
      toUtc(ping.happened_at),
      ping.job,
      { text: ping.kind, style: ping.kind === 'fail' ? 'red' : 'green' },
      { text: ping.state, style: styles[ping.state] },
      ping.attempts,
      toUtc(ping.finished_at),
      ping.run_id,
      ping.note,
    ]),
  )
  if (next !== null) printLine(`more: --before ${next}`)
}
