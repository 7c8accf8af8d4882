import { randomBytes } from 'node:crypto'
import type { Insertable, Selectable } from 'kysely'
import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import type { RunState, Tables } from '../../src/database/tables.ts'

type New<Table extends keyof Tables> = Partial<Insertable<Tables[Table]>>

let last = 0

function next(): number {
  last += 1
  return last
}

/** A blocked date of somebody in Lisbon; returns its id. */
export async function addBlockedDate(db: Db, overrides: New<'blocked_dates'> = {}): Promise<number> {
  const row = { clerk_user_id: 'user_1', date: '2026-05-10', timezone: 'Europe/Lisbon', ...overrides }
  const { id } = await db.insertInto('blocked_dates').values(row).returning('id').executeTakeFirstOrThrow()
  return id
}

/** An expert's profile; returns the expert's Clerk id. */
export async function addProfile(db: Db, clerkUserId = `user_${next()}`): Promise<string> {
  await sql`insert into profiles ("clerkUserId", "firstName", "lastName") values (${clerkUserId}, 'Inês', 'C')`.execute(
    db,
  )
  return clerkUserId
}

/** What the latest refresh of an expert's token came to. */
export async function addTokenRefresh(db: Db, overrides: New<'jobs.token_refreshes'> = {}): Promise<void> {
  const row = { clerk_user_id: `user_${next()}`, refreshed_at: new Date(0), result: 'refreshed' as const, ...overrides }
  await db.insertInto('jobs.token_refreshes').values(row).execute()
}

const neverFinal: readonly RunState[] = ['running', 'incomplete', 'interrupted', 'abandoned']

/** A run that ended well; `final` and `finished_at` follow its state unless given. Returns its id. */
export async function addRun(db: Db, overrides: New<'jobs.runs'> = {}): Promise<string> {
  const state = overrides.state ?? 'succeeded'
  const startedAt = overrides.started_at ?? new Date('2026-03-10T12:00:00Z')
  const row = {
    id: uuidv7(),
    job: 'test-job',
    message_id: `msg_${next()}`,
    trigger: 'message' as const,
    attempt: 1,
    state,
    final: !neverFinal.includes(state),
    dry_run: false,
    owner: 'test',
    started_at: startedAt,
    deadline_at: startedAt,
    finished_at: state === 'running' ? null : startedAt,
    ...overrides,
  }
  await db
    .insertInto('jobs.runs')
    .values({ ...row, attempts: '[]' })
    .execute()
  return row.id
}

/** A signed token that was seen. */
export async function addDeliveryToken(db: Db, overrides: New<'jobs.delivery_tokens'> = {}): Promise<void> {
  const row = {
    token_hash: randomBytes(32),
    job: 'test-job',
    message_id: `msg_${next()}`,
    dry_run: false,
    seen_at: new Date(0),
  }
  await db
    .insertInto('jobs.delivery_tokens')
    .values({ ...row, ...overrides })
    .execute()
}

/** A success ping that is still owed; `finished_at` and the claim follow its state unless given. Returns its id. */
export async function addPing(db: Db, overrides: New<'jobs.heartbeat_pings'> = {}): Promise<string> {
  const happenedAt = overrides.happened_at ?? new Date('2026-03-10T12:00:00Z')
  const state = overrides.state ?? 'pending'
  const row = {
    job: `test-job-${next()}`,
    kind: 'success' as const,
    state,
    happened_at: happenedAt,
    true_until: new Date('2099-01-01T00:00:00Z'),
    next_attempt_at: happenedAt,
    finished_at: state === 'delivered' || state === 'dropped' ? happenedAt : null,
    claimed_until: state === 'sending' ? happenedAt : null,
    ...overrides,
  }
  const { id } = await db.insertInto('jobs.heartbeat_pings').values(row).returning('id').executeTakeFirstOrThrow()
  return id
}

/** An open finding; returns its id. */
export async function addFinding(db: Db, overrides: New<'jobs.findings'> = {}): Promise<string> {
  const seenAt = new Date('2026-03-10T12:00:00Z')
  const row = {
    kind: 'test',
    subject: `thing ${next()}`,
    message: 'something is odd',
    first_seen_at: seenAt,
    last_seen_at: seenAt,
    ...overrides,
  }
  const { id } = await db.insertInto('jobs.findings').values(row).returning('id').executeTakeFirstOrThrow()
  return id
}

/** A message that the scheduler gave up on. */
export async function addDeadLetter(db: Db, overrides: New<'jobs.dead_letters'> = {}): Promise<void> {
  const row = { message_id: `msg_${next()}`, healed: false, received_at: new Date(0), ...overrides }
  await db.insertInto('jobs.dead_letters').values(row).execute()
}

/** What somebody did. */
export async function addAuditEntry(db: Db, overrides: New<'jobs.audit_entries'> = {}): Promise<void> {
  const row = { at: new Date(0), actor: 'ana', action: 'job.paused', subject: 'test-job', ...overrides }
  await db.insertInto('jobs.audit_entries').values(row).execute()
}

/** Every row of a table, as it is. */
export async function readAll<Table extends keyof Tables>(db: Db, table: Table): Promise<Selectable<Tables[Table]>[]> {
  const { rows } = await sql<Selectable<Tables[Table]>>`select * from ${sql.table(table)}`.execute(db)
  return rows
}
