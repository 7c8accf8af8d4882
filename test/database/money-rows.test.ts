import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { findOperationWithItems } from '../../src/database/money-operations.ts'
import { changedRowsOf, listMoneyRows, markRowsPaid } from '../../src/database/money-rows.ts'
import { payableStatuses } from '../../src/money/row-statuses.ts'
import type { OperationKind, PaymentTransferStatus } from '../../src/database/tables.ts'
import { areAsDecided } from '../../src/money/as-decided.ts'
import { addBooking } from '../support/bookings.ts'
import { isFullRun, testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'
import { moneyWorld, netCents, payoutOrder } from '../ledger/world.ts'

t.test('a payment that is corrected between send and receipt wins, and a person hears of it', async t => {
  const world = await moneyWorld(t)
  const { db, vendor } = world
  const [corrected, other] = [
    await world.addRow('COMPLETED', vendor.book('destination')),
    await world.addRow('COMPLETED', vendor.book('destination')),
  ]
  const ledger = world.ledger({
    onStep: async step => {
      if (step !== 'answered') return
      await sql`update payment_transfers set payment_intent_id = 'pi_corrected' where id = ${corrected}`.execute(db)
    },
  })
  const order = payoutOrder(vendor.account, [corrected, other])
  const posting = await ledger.createPayout(order, await world.run('process-pending-payouts'))

  t.match(posting, { amountCents: 2 * netCents, counts: { rows: 1, rows_changed: 1 } })
  t.match(await world.operations(), [{ state: 'created', stripe_id: posting.receipt }], 'the receipt is kept')
  t.match(await world.row(corrected), { status: 'COMPLETED', payout_id: null })
  t.match(await world.row(other), { status: 'PAID_OUT' })
  const findings = await db.selectFrom('jobs.findings').selectAll().execute()
  t.match(findings, [{ kind: 'paid-row-changed', subject: `payment_transfers ${corrected}` }])
})

const statuses = ['PENDING', 'APPROVED', 'READY', 'COMPLETED', 'FAILED', 'REFUNDED', 'DISPUTED', 'PAID_OUT'] as const
const rarely = fc.integer({ min: 0, max: 6 }).map(number => number === 0)

/** What became of a row since: as a rule little, so that many rows are one difference away from what was decided. */
const since = fc.record({
  status: fc.oneof(fc.constantFrom<PaymentTransferStatus>('READY', 'COMPLETED'), fc.constantFrom(...statuses)),
  currency: fc.constantFrom('eur', 'EUR', 'Eur', 'usd'),
  isOfOtherAmount: rarely,
  isOfOtherAccount: rarely,
  hasOtherPayment: rarely,
  namesTransfer: rarely,
  namesPayout: rarely,
  isDeleted: rarely,
})
type Since = typeof since extends fc.Arbitrary<infer Value> ? Value : never

async function change(db: Db, id: number, made: Since): Promise<void> {
  const columns = {
    status: made.status,
    currency: made.currency,
    ...(made.isOfOtherAmount ? { amount: 8_499 } : {}),
    ...(made.isOfOtherAccount ? { expert_connect_account_id: 'acct_2' } : {}),
    ...(made.hasOtherPayment ? { payment_intent_id: `pi_corrected_${id}` } : {}),
    ...(made.namesTransfer ? { transfer_id: `tr_${id}` } : {}),
    ...(made.namesPayout ? { payout_id: `po_${id}` } : {}),
  }
  await db.updateTable('payment_transfers').set(columns).where('id', '=', id).execute()
  if (made.isDeleted) await db.deleteFrom('payment_transfers').where('id', '=', id).execute()
}

t.test('whether a row still is as decided, the rule says what the statements do', async t => {
  const { db } = await testDatabase(t)
  const seen = { asDecided: 0, changed: 0 }
  const agree = async (kind: OperationKind, made: Since): Promise<boolean> => {
    const id = await addBooking(db)
    const operationId = await addOperation(db, { kind, account: 'acct_1', state: 'blocked', rows: { [id]: 8_500 } })
    await change(db, id, made)
    const { items = [] } = (await findOperationWithItems(db, operationId)) ?? {}
    const decision = { kind, items, currency: 'eur', account: 'acct_1', statuses: payableStatuses[kind] }
    const asDecided = areAsDecided(await listMoneyRows(db, [id]), decision)
    seen[asDecided ? 'asDecided' : 'changed'] += 1

    const { rows } = await sql<{ changed: number[] }>`
      select ${changedRowsOf(kind)} as changed from jobs.money_operations o where o.id = ${operationId}`.execute(db)
    const paid = { ...decision, operationId, stripeId: `made_${id}`, now: new Date('2026-03-10T06:00:00Z') }
    const marked = await db.transaction().execute(async trx => await markRowsPaid(trx, paid))
    const [wanted, unchanged] = asDecided ? [[], [id]] : [[id], []]
    return (
      isDeepStrictEqual(rows[0]?.changed, wanted) &&
      isDeepStrictEqual(
        marked.map(row => row.id),
        unchanged,
      )
    )
  }
  const numRuns = isFullRun ? 2_000 : 200
  await fc.assert(fc.asyncProperty(fc.constantFrom('transfer', 'payout'), since, agree), { numRuns })
  t.ok(seen.asDecided > numRuns / 50 && seen.changed > numRuns / 50, JSON.stringify(seen))
})
