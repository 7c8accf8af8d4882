import { CompiledQuery, sql } from 'kysely'
import { prepared } from './prepared-statements.ts'
import type { Db } from './connection.ts'
import { toJson } from './json.ts'
import type { RunState, Trigger } from './tables.ts'

export interface ClaimRequest {
  /** The id of the run if this message is new. */
  readonly runId: string
  readonly job: string
  readonly messageId: string
  readonly trigger: Trigger
  readonly slot: Date | null
  readonly everySlotCounts: boolean
  readonly dryRun: boolean
  readonly operator: string | null
  /** This process. */
  readonly owner: string
  readonly leaseMs: number
  readonly now: Date
  readonly deadlineAt: Date
  /** SHA-256 of the signed token; null for a delivery that was not signed. */
  readonly tokenHash: Buffer | null
}

export interface RecordedRun {
  readonly state: RunState
  readonly final: boolean
  readonly report: Record<string, unknown> | null
  readonly planHash: string | null
  readonly errorCode: string | null
}

interface ClaimFacts {
  readonly runId: string
  readonly attempt: number
  readonly slot: Date | null
  readonly message: string | null
}

/** A claim that may run. */
export type Claimed = Extract<Claim, { verdict: 'claimed' }>

/** What one delivery may do; see migrations/0006_claim_run.ts. */
export type Claim =
  | (ClaimFacts & { readonly verdict: 'claimed'; readonly term: string | null })
  | (ClaimFacts & { readonly verdict: 'recorded'; readonly recorded: RecordedRun })
  | (ClaimFacts & { readonly verdict: 'busy'; readonly busyUntil: Date | null })
  | (ClaimFacts & { readonly verdict: 'duplicate' | 'skipped' | 'paused' })
  | { readonly verdict: 'replayed' }

interface ClaimRow {
  verdict: Claim['verdict']
  run_id: string
  attempt: number
  term: string | null
  slot: Date | null
  busy_until: Date | null
  state: RunState
  final: boolean
  report: Record<string, unknown> | null
  plan_hash: string | null
  error_code: string | null
  message: string | null
}

// Written out, because these are called for every delivery: building a query costs more than running it.
const claimValues = '$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13'
const claimText = prepared(`select * from jobs.claim_run(${claimValues})`)
const claimAllText = prepared(`select * from jobs.claim_runs(${claimValues})`)
const closeValues = `${claimValues}, $14, $15, $16, $17, $18`
const closeText = prepared(`select jobs.close_run(${closeValues}) as closed`)
const closeAllText = prepared(`select * from jobs.close_runs(${closeValues})`)

/** Records a delivery and decides, in one statement, whether it may run: message, token, pause, slot and lease together. */
export async function claimRun(db: Db, request: ClaimRequest): Promise<Claim> {
  const { rows } = await db.executeQuery<ClaimRow>(CompiledQuery.raw(claimText, listClaimValues(request)))
  return toClaim(rows[0])
}

/** Does for each request what `claimRun` does, in the order given and in one transaction: all of them, or an error and none. */
export async function claimRuns(db: Db, requests: readonly ClaimRequest[]): Promise<Claim[]> {
  const columns = toColumns(requests.map(listClaimValues))
  const { rows } = await db.executeQuery<Ordinal & ClaimRow>(CompiledQuery.raw(claimAllText, columns))
  return sortByOrdinal(rows, requests.length).map(toClaim)
}

function listClaimValues(request: ClaimRequest): unknown[] {
  const { dryRun, everySlotCounts, job, leaseMs, messageId, now, operator, owner, runId, slot, trigger } = request
  const about = [runId, job, messageId, trigger, slot, everySlotCounts, dryRun, operator, owner]
  return [...about, leaseMs, now, request.deadlineAt, request.tokenHash]
}

function toClaim(row: ClaimRow | undefined): Claim {
  if (row === undefined) throw new Error('a claim got no verdict')
  const { verdict } = row
  const facts = { runId: row.run_id, attempt: row.attempt, slot: row.slot, message: row.message }
  switch (verdict) {
    case 'replayed':
      return { verdict }
    case 'claimed':
      return { ...facts, verdict, term: row.term }
    case 'busy':
      return { ...facts, verdict, busyUntil: row.busy_until }
    case 'recorded': {
      const { error_code: errorCode, final, plan_hash: planHash, report, state } = row
      return { ...facts, verdict, recorded: { state, final, report, planHash, errorCode } }
    }
    case 'duplicate':
    case 'skipped':
    case 'paused':
      return { ...facts, verdict }
  }
}

export interface RunClosing {
  readonly runId: string
  readonly job: string
  readonly attempt: number
  readonly term: string | null
  readonly owner: string
  readonly state: RunState
  /** True when no redelivery of the message may run it again. */
  readonly final: boolean
  readonly now: Date
  readonly report: Readonly<Record<string, unknown>> | null
  readonly plan: Readonly<Record<string, unknown>> | null
  readonly planHash: string | null
  readonly errorCode: string | null
  readonly message: string | null
  /** False while code of this run may still be at work: the lease then has to run out by itself. */
  readonly releaseLease: boolean
  readonly findings: readonly FindingRecord[]
  readonly ping: PingRecord | null
}

export interface FindingRecord {
  readonly kind: string
  readonly subject: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

export interface PingRecord {
  readonly kind: 'success' | 'fail'
  readonly body: string | null
  readonly trueUntil: Date
}

/**
 * Closes exactly the attempt and lease term that it names: state, report, findings, lease and heartbeat ping in one
 * statement. False when the run was taken over or already closed; then nothing has changed.
 */
export async function closeRun(db: Db, closing: RunClosing): Promise<boolean> {
  const query = CompiledQuery.raw(closeText, listClosingValues(closing))
  const { rows } = await db.executeQuery<{ closed: boolean }>(query)
  return rows[0]?.closed === true
}

/** Does for each closing what `closeRun` does, in the order given and in one transaction: all of them, or an error and none. */
export async function closeRuns(db: Db, closings: readonly RunClosing[]): Promise<boolean[]> {
  const columns = toColumns(closings.map(listClosingValues))
  const query = CompiledQuery.raw(closeAllText, columns)
  const { rows } = await db.executeQuery<Ordinal & { closed: boolean }>(query)
  return sortByOrdinal(rows, closings.length).map(row => row?.closed === true)
}

function listClosingValues(closing: RunClosing): unknown[] {
  const { attempt, errorCode, final, findings, message, now, owner, ping, plan, planHash, report } = closing
  const about = [closing.runId, closing.job, attempt, closing.term, owner, closing.state, final, now]
  const found = findings.length === 0 ? null : toJson(findings)
  const owed = [ping?.kind ?? null, ping?.body ?? null, ping?.trueUntil ?? null]
  const ended = [toJson(report), toJson(plan), planHash, errorCode, message, closing.releaseLease]
  return [...about, ...ended, found, ...owed]
}

interface Ordinal {
  /** Which of the rows sent this one answers, from 1. */
  ordinal: string
}

/** A batch goes to Postgres as one array for each parameter that a single call has. */
function toColumns(rows: readonly (readonly unknown[])[]): unknown[][] {
  return (rows[0] ?? []).map((_, column) => rows.map(row => row[column]))
}

function sortByOrdinal<Row extends Ordinal>(rows: readonly Row[], count: number): (Row | undefined)[] {
  const sorted = Array.from<Row | undefined>({ length: count })
  for (const row of rows) sorted[Number(row.ordinal) - 1] = row
  return sorted
}

export interface AbandonedRun {
  readonly id: string
  readonly job: string
}

/** Closes the runs whose process stopped renewing its lease (or, for dry runs, whose deadline is long over). */
export async function closeAbandonedRuns(db: Db, now: Date): Promise<AbandonedRun[]> {
  const { rows } = await sql<AbandonedRun>`
    update jobs.runs r
    set state = 'abandoned', effective_slot = null, finished_at = ${now}, error_code = 'lease_expired',
        message = 'its process stopped renewing the lease'
    where r.state = 'running' and case
      when r.dry_run then r.deadline_at < ${now}::timestamptz - interval '1 minute'
      else exists (
        select from jobs.leases l where l.job = r.job and l.lane = '' and l.run_id = r.id
          and l.expires_at < clock_timestamp())
    end
    returning r.id, r.job`.execute(db)
  return rows
}
