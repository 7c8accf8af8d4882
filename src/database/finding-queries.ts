import { sql } from 'kysely'
import { PermanentError } from '../errors.ts'
import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { declinedKind } from './money-rows.ts'
import type { FindingChoice } from './tables.ts'

export interface FindingFilter {
  /** `open` unless said. */
  readonly state?: FindingChoice | undefined
  readonly kind?: string | undefined
  readonly job?: string | undefined
  /** Only findings older than this one. */
  readonly before?: string | undefined
  readonly limit: number
}

export type ListedFinding = Awaited<ReturnType<typeof listFindings>>[number]

/** Findings with who has acknowledged them, newest first; at most `limit`. */
export async function listFindings(db: Db, { before, job, kind, limit, state = 'open' }: FindingFilter) {
  let query = selectFindings(db).orderBy('f.id', 'desc').limit(limit)
  if (state === 'open') query = query.where('f.state', '<>', 'resolved')
  else if (state !== 'all') query = query.where('f.state', '=', state)
  if (kind !== undefined) query = query.where('f.kind', '=', kind)
  if (job !== undefined) query = query.where('f.job', '=', job)
  if (before !== undefined) query = query.where('f.id', '<', before)
  return await query.execute()
}

export interface FindingChange {
  readonly id: string
  readonly operator: string
  readonly note: string
  readonly now: Date
}

export interface FindingClosing extends FindingChange {
  /** Says that money may go that waits because of it; needed where there is some. */
  readonly letMoneyGo?: boolean | undefined
}

/** Kinds whose resolution lets jobs pay what they did not pay because of it. */
export const freeingKinds: readonly string[] = ['payout-unexplained', declinedKind]

export interface ChangedFinding {
  /** False when it was not in a state to be changed; then nothing has changed. */
  readonly changed: boolean
  readonly finding: ListedFinding
}

/** One finding. Undefined when there is none. */
export async function findFinding(db: Db, id: string): Promise<ListedFinding | undefined> {
  return await selectFindings(db).where('f.id', '=', id).executeTakeFirst()
}

/** Open findings whose evidence names a held operation beside its own, oldest first; its few rows are their subjects. */
export async function listFindingsOfOperation(db: Db, operationId: string): Promise<ListedFinding[]> {
  return await selectFindings(db)
    .where('f.state', '<>', 'resolved')
    .where('f.kind', '<>', 'operation-held')
    .where(sql<string>`f.details ->> 'operationId'`, '=', operationId)
    .orderBy('f.id')
    .limit(20)
    .execute()
}

/** Why a kind is none, naming those that there are; undefined for one of which something was ever recorded. */
export async function findUnknownKind(db: Db, kind: string): Promise<string | undefined> {
  const { rows } = await sql<{ kind: string }>`select distinct kind from jobs.findings order by 1`.execute(db)
  const kinds = rows.map(row => row.kind)
  if (kinds.includes(kind)) return undefined
  return `no finding of the kind ${kind} has ever been recorded; kinds seen: ${kinds.join(', ') || 'none'}`
}

/** Notes that a person has seen an open finding, and audits it in one transaction. Undefined when there is no such finding. */
export async function acknowledgeFinding(db: Db, change: FindingChange): Promise<ChangedFinding | undefined> {
  return await db.transaction().execute(async trx => {
    const row = await trx
      .updateTable('jobs.findings')
      .set({ state: 'acknowledged', note: change.note })
      .where('id', '=', change.id)
      .where('state', '=', 'open')
      .returning(['kind', 'subject'])
      .executeTakeFirst()
    return await concludeChange(trx, 'finding.acknowledge', change, row)
  })
}

/**
 * Closes a finding for good, and audits it in one transaction. Undefined when there is no such finding. Throws
 * PermanentError `operation_held` where nobody would hear of a held operation any more, and `lets_money_go` where that
 * has to be said.
 */
export async function closeFinding(db: Db, change: FindingClosing): Promise<ChangedFinding | undefined> {
  return await db.transaction().execute(async trx => {
    const row = await trx
      .updateTable('jobs.findings')
      .set({ state: 'resolved', closed_at: change.now, closed_by: change.operator, note: change.note })
      .where('id', '=', change.id)
      .where('state', '<>', 'resolved')
      .returning(['kind', 'subject', 'message', 'details'])
      .executeTakeFirst()
    if (row !== undefined && freeingKinds.includes(row.kind)) {
      if (change.letMoneyGo !== true) throw refuseUnsaid(change.id, row, await listDoubted(trx, row))
      return await concludeChange(trx, 'finding.resolve', change, row, { letMoneyGo: true })
    }
    if (row?.kind === 'operation-held' && (await isHeld(trx, row.subject))) {
      throw new PermanentError(
        `operation ${row.subject} is still held: approve it, decline it, or correct its rows and the next run gives it up; ` +
          'each closes this finding',
        { code: 'operation_held' },
      )
    }
    return await concludeChange(trx, 'finding.resolve', change, row)
  })
}

/** Says what the finding is about and what its resolution would do, to whoever has not said that it may. */
function refuseUnsaid(
  id: string,
  { details, kind, subject }: FindingOfMoney,
  doubted: readonly string[],
): PermanentError {
  const named = ['account', 'amountCents', 'currency', 'createdAt', 'heldFor', 'paymentTransferIds'] as const
  const known = named.filter(name => details?.[name] !== undefined && details[name] !== null)
  const evidence = known.map(name => `${name} ${JSON.stringify(details?.[name])}`).join(', ')
  return new PermanentError(
    `finding ${id} (${kind}, ${subject}: ${evidence}) keeps money back, and nothing was changed. Resolved, ` +
      (kind === declinedKind
        ? 'the next run plans the rows of that operation again, like any others'
        : 'it lets the account go: the next run pays what is due from it, but for bookings paid before that payout, which are held' +
          tellDoubted(doubted)) +
      '. Say letMoneyGo: true beside the note if that is meant',
    { code: 'lets_money_go' },
  )
}

interface FindingOfMoney {
  readonly kind: string
  readonly subject: string
  readonly details: Readonly<Record<string, unknown>> | null
}

function tellDoubted(operations: readonly string[]): string {
  if (operations.length === 0) return ''
  return `, also where an operation for them is there or approved already (${operations.join(', ')})`
}

/** Payouts of the account that are not made yet: what an unexplained payout may have been for. */
async function listDoubted(db: Db, { details, kind }: FindingOfMoney): Promise<string[]> {
  const account = details?.['account']
  if (kind === declinedKind || typeof account !== 'string') return []
  const rows = await db
    .selectFrom('jobs.money_operations')
    .select('id')
    .where('kind', '=', 'payout')
    .where('account', '=', account)
    .where('state', 'in', ['planned', 'held', 'sending', 'unknown', 'blocked'])
    .orderBy('id')
    .limit(20)
    .execute()
  return rows.map(({ id }) => id)
}

async function isHeld(db: Db, operationId: string): Promise<boolean> {
  const { rows } = await sql`select from jobs.money_operations
    where id::text = ${operationId} and state = 'held'`.execute(db)
  return rows.length > 0
}

async function concludeChange(
  trx: Db,
  action: string,
  { id, note, now, operator }: FindingChange,
  row: { readonly kind: string; readonly subject: string } | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ChangedFinding | undefined> {
  if (row !== undefined) {
    const details = { kind: row.kind, subject: row.subject, note, ...more }
    await recordAudit(trx, { at: now, actor: operator, action, subject: `findings ${id}`, details })
  }
  const finding = await findFinding(trx, id)
  return finding === undefined ? undefined : { changed: row !== undefined, finding }
}

function selectFindings(db: Db) {
  return db
    .selectFrom('jobs.findings as f')
    .leftJoinLateral(
      eb =>
        eb
          .selectFrom('jobs.audit_entries')
          .select(['actor', 'at'])
          .where('subject', '=', sql<string>`'findings ' || f.id`)
          .where('action', '=', 'finding.acknowledge')
          .orderBy('id', 'desc')
          .limit(1)
          .as('seen'),
      join => join.onTrue(),
    )
    .selectAll('f')
    .select(['seen.actor as acknowledged_by', 'seen.at as acknowledged_at'])
}
