import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import type { OperationState } from '../../src/database/tables.ts'
import type { NoticeKind } from '../../src/notices/notice.ts'
import { recheckMoney } from '../../src/notices/recheck-money.ts'
import { addBooking, type NewBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { noPayments } from '../support/no-money.ts'
import { addOperation } from '../support/operations.ts'

const now = new Date('2026-03-13T14:30:00Z')
const context = (db: Db) => ({ db, payments: noPayments, now, signal: AbortSignal.timeout(10_000) })

interface World {
  readonly db: Db
  readonly ids: readonly number[]
  readonly operationId: string
  /** What becomes of the notice: `send`, or why not. */
  readonly verdict: (kind: NoticeKind) => Promise<string>
}

/** Two rows of 85.00 and the operation that is told of. */
async function worldOf(t: Test, kind: 'payout' | 'transfer', state: OperationState, row: NewBooking): Promise<World> {
  const { db } = await testDatabase(t)
  const ids = [await addBooking(db, { amountCents: 8500, ...row }), await addBooking(db, { amountCents: 8500, ...row })]
  const rows = Object.fromEntries(ids.map(id => [id, 8500]))
  const operationId = await addOperation(db, { kind, state, rows })
  const facts = { amountCents: 17_000, currency: 'eur', rows: ids.map(paymentTransferId => ({ paymentTransferId })) }
  const verdict = async (kind: NoticeKind): Promise<string> => {
    const notice = { id: '1', kind, subject: operationId, recipient: 'user_ana', occurrence: 'po_1', facts }
    const found = await recheckMoney({ ...notice, usefulUntil: null, createdAt: now, attempt: 1 }, context(db))
    return found.kind === 'send' ? 'send' : found.reason
  }
  return { db, ids, operationId, verdict }
}

async function set(db: Db, id: number | undefined, values: Record<string, unknown>): Promise<void> {
  await db
    .updateTable('payment_transfers')
    .set(values)
    .where('id', '=', id ?? 0)
    .execute()
}

t.test(
  'of a payout is told while it is on its way or there, and none of its rows was refunded or disputed',
  async t => {
    const paidOut = { status: 'PAID_OUT', payoutId: 'po_1' } as const
    const { db, ids, operationId, verdict } = await worldOf(t, 'payout', 'created', paidOut)
    const kind = 'expert-payout-notification'
    t.equal(await verdict(kind), 'send')
    const setState = async (state: string) =>
      await sql`update jobs.money_operations set state = ${state}, finished_at = ${now} where id = ${operationId}`.execute(
        db,
      )
    await setState('paid')
    t.equal(await verdict(kind), 'send')
    for (const [status, reason] of [
      ['REFUNDED', 'refunded'],
      ['DISPUTED', 'disputed'],
    ] as const) {
      await set(db, ids[1], { status })
      t.equal(await verdict(kind), reason)
    }
    await set(db, ids[1], { status: 'PAID_OUT' })
    await setState('failed')
    t.equal(await verdict(kind), 'operation_undone')
    await setState('paid')
    await sql`delete from payment_transfers where id = ${ids[0]}`.execute(db)
    t.equal(await verdict(kind), 'deleted')
  },
)

t.test('of a recorded transfer is told while its money is neither refunded nor on its way to the bank', async t => {
  const { db, ids, verdict } = await worldOf(t, 'transfer', 'created', { status: 'COMPLETED', transferId: null })
  const kind = 'transfer-recorded'
  t.equal(await verdict(kind), 'send')
  await set(db, ids[0], { status: 'REFUNDED' })
  t.equal(await verdict(kind), 'refunded')
  await set(db, ids[0], { status: 'DISPUTED' })
  t.equal(await verdict(kind), 'disputed')
  await set(db, ids[0], { status: 'PAID_OUT', payout_id: 'po_1' })
  t.equal(await verdict(kind), 'paid_out')
})

t.test('of a payout that came back is told while some of its money is still to be sent again', async t => {
  const { db, ids, verdict } = await worldOf(t, 'payout', 'failed', { status: 'COMPLETED' })
  const kind = 'payout-failed'
  t.equal(await verdict(kind), 'send')
  await addOperation(db, { kind: 'payout', state: 'created', rows: { [Number(ids[0])]: 8500 } })
  t.equal(await verdict(kind), 'send', 'one row waits')
  const second = await addOperation(db, { kind: 'payout', state: 'sending', rows: { [Number(ids[1])]: 8500 } })
  t.equal(await verdict(kind), 'send', 'being sent is not sent')
  await sql`update jobs.money_operations set state = 'created', stripe_id = 'po_again' where id = ${second}`.execute(db)
  t.equal(await verdict(kind), 'repaid')

  const other = await worldOf(t, 'payout', 'failed', { status: 'COMPLETED' })
  await set(other.db, other.ids[0], { status: 'REFUNDED' })
  t.equal(await other.verdict(kind), 'send', 'the other row waits')
  await set(other.db, other.ids[1], { status: 'DISPUTED' })
  t.equal(await other.verdict(kind), 'refunded')
})

t.test('of upcoming money is told while it is still to come, in that amount', async t => {
  const { db } = await testDatabase(t)
  const startsAt = '2026-02-25T09:00:00.000Z'
  const id = await addBooking(db, {
    amountCents: 8500,
    status: 'READY',
    paymentIntentId: 'pi_ana',
    expert: 'user_ana',
    startsAt,
    meetingEndsAt: '2026-02-25T10:00:00.000Z',
  })
  const verdict = async (appointmentEndsAt?: string) => {
    const rows = [{ paymentTransferId: id, startsAt }]
    const facts = { amountCents: 8500, currency: 'eur', rows, eligibleFrom: '2026-03-15T00:00:00.000Z' }
    const subject = `payment_transfers ${id}`
    const notice = {
      id: '1',
      kind: 'payout-upcoming' as const,
      subject,
      recipient: 'user_ana',
      occurrence: 'pi_ana',
      facts: { ...facts, ...(appointmentEndsAt === undefined ? {} : { appointmentEndsAt }) },
    }
    const outgoing = { ...notice, usefulUntil: null, createdAt: now, attempt: 1 }
    const found = await recheckMoney(outgoing, context(db))
    return found.kind === 'send' ? 'send' : found.reason
  }
  const as = async (values: Record<string, unknown>) => {
    await set(db, id, values)
    return await verdict()
  }
  for (const status of ['PENDING', 'READY', 'APPROVED', 'COMPLETED']) t.equal(await as({ status }), 'send', status)
  t.equal(await as({ status: 'REFUNDED' }), 'refunded')
  t.equal(await as({ status: 'DISPUTED' }), 'disputed')
  t.equal(await as({ status: 'FAILED' }), 'failed')
  t.equal(await as({ status: 'PAID_OUT', payout_id: 'po_1' }), 'paid_out')
  t.equal(await as({ status: 'COMPLETED', payout_id: null, amount: 4000 }), 'changed')
  t.equal(await as({ amount: 8500, currency: 'USD' }), 'changed')
  t.equal(await as({ currency: 'EUR', payment_intent_id: 'pi_bo' }), 'changed')
  t.equal(await as({ payment_intent_id: 'pi_ana' }), 'send')
  t.equal(await as({ requires_approval: true }), 'needs_approval')
  t.equal(await as({ admin_user_id: 'user_admin' }), 'send')
  t.equal(await as({ status: 'APPROVED', admin_user_id: null }), 'send')
  t.equal(await as({ requires_approval: false, expert_clerk_user_id: 'user_bo' }), 'recipient_changed')
  t.equal(await as({ expert_clerk_user_id: 'user_ana', session_start_time: new Date('2026-03-27T09:00:00Z') }), 'moved')
  t.equal(await as({ session_start_time: new Date(startsAt) }), 'send')
  const end = '2026-02-25T10:00:00.000Z'
  t.equal(await verdict(end), 'send')
  await sql`update meetings set "endTime" = "endTime" + interval '1 day'`.execute(db)
  t.equal(await verdict(end), 'moved', 'the appointment alone')
  await sql`delete from payment_transfers where id = ${id}`.execute(db)
  t.equal(await verdict(), 'deleted')
})
