import { createHash } from 'node:crypto'
import type { Db } from '../database/connection.ts'
import { insertNotice } from '../database/outbox.ts'
import type { Notice } from './notice.ts'

/**
 * Writes down what somebody is to be told. Call it in the transaction that decides it, so that neither exists without
 * the other. False when it was written before; then nothing changes.
 */
export async function recordNotice(trx: Db, notice: Notice): Promise<boolean> {
  return await insertNotice(trx, { ...notice, transactionId: transactionIdOf(notice) })
}

/** The vendor's key of a notice: always the same for one notice, and nobody is told apart in it by an address. */
export function transactionIdOf({ kind, occurrence, recipient, subject }: Notice): string {
  const key = JSON.stringify([kind, subject, recipient, occurrence])
  return `${kind}-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`
}
