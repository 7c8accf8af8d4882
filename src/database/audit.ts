import type { Db } from './connection.ts'
import { toJson } from './json.ts'

export interface AuditEntry {
  readonly at: Date
  readonly actor: string
  /** What was done, as `noun.verb`. */
  readonly action: string
  readonly subject: string
  readonly details: Readonly<Record<string, unknown>> | null
}

/** Writes down who did what. Call it in the transaction that does it, so that neither exists without the other. */
export async function recordAudit(db: Db, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('jobs.audit_entries')
    .values({ ...entry, details: toJson(entry.details) })
    .execute()
}
