import type { Db } from './connection.ts'
import type { PingKind, PingState } from './tables.ts'

export interface PingFilter {
  readonly job?: string | undefined
  readonly state?: PingState | undefined
  /** Only pings older than this one. */
  readonly before?: string | undefined
  readonly limit: number
}

/** One ping and what became of it, without its body. */
export interface ListedPing {
  readonly id: string
  readonly job: string
  readonly run_id: string | null
  readonly kind: PingKind
  readonly state: PingState
  readonly happened_at: Date
  readonly attempts: number
  readonly finished_at: Date | null
  readonly note: string | null
}

/** Pings to heartbeats, newest first; at most `limit`. */
export async function listPings(db: Db, { before, job, limit, state }: PingFilter): Promise<ListedPing[]> {
  let query = db
    .selectFrom('jobs.heartbeat_pings')
    .select(['id', 'job', 'run_id', 'kind', 'state', 'happened_at', 'attempts', 'finished_at', 'note'])
    .orderBy('id', 'desc')
    .limit(limit)
  if (job !== undefined) query = query.where('job', '=', job)
  if (state !== undefined) query = query.where('state', '=', state)
  if (before !== undefined) query = query.where('id', '<', before)
  return await query.execute()
}
