import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { approveOperation } from '../../src/database/money-approvals.ts'
import type { LedgerStep } from '../../src/ledger/parts.ts'
import type { Charge } from '../../src/providers/payments.ts'
import { moneyWorld, netCents, payoutOrder, transferOrder } from './world.ts'

t.setTimeout(240_000)

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs
const payouts = 'process-pending-payouts'

/** A due row whose payout, or transfer, an operator holds in hand; what the site and Stripe say can be changed. */
async function openWorld(t: Test, kind: 'payout' | 'transfer' = 'payout') {
  const world = await moneyWorld(t)
  const { clock, db, vendor } = world
  const booked = vendor.book(kind === 'payout' ? 'destination' : 'direct')
  const id = await world.addRow(kind === 'payout' ? 'COMPLETED' : 'PENDING', booked)
  let charged: Partial<Charge> = {}
  const payments: typeof vendor.payments = {
    ...vendor.payments,
    readPayment: async (paymentIntentId, signal) => {
      const payment = await vendor.payments.readPayment(paymentIntentId, signal)
      const { charge } = payment
      return { ...payment, charge: charge === undefined ? undefined : { ...charge, ...charged } }
    },
  }
  const ledger = (onStep?: (step: LedgerStep) => Promise<void>) =>
    world.ledger(onStep === undefined ? { payments } : { payments, onStep })
  const create = async (hold?: 'account_shared', onStep?: (step: LedgerStep) => Promise<void>) => {
    const held = hold === undefined ? {} : { hold }
    const run = await world.run(payouts)
    if (kind === 'payout') return await ledger(onStep).createPayout(payoutOrder(vendor.account, [id], held), run)
    return await ledger(onStep).createTransfer({ ...transferOrder(vendor.account, id, booked), ...held }, run)
  }
  const operation = async (at = 0) => (await world.operations())[at]
  return {
    ...world,
    create,
    operation,
    resume: async () => await ledger().resume((await operation())?.id ?? '', await world.run(payouts)),
    approve: async () =>
      await approveOperation(db, { id: (await operation())?.id ?? '', operator: 'ana', now: clock() }),
    moveEnd: async (end: Date) => {
      await sql`update meetings set "endTime" = ${end} where "stripePaymentIntentId" = ${booked.paymentIntentId}`.execute(
        db,
      )
    },
    change: async (columns: Readonly<Record<string, unknown>>) => {
      await db.updateTable('payment_transfers').set(columns).where('id', '=', id).execute()
    },
    setCharge: (changed: Partial<Charge>) => {
      charged = changed
    },
  }
}

for (const kind of ['payout', 'transfer'] as const) {
  t.test(`a held ${kind} whose appointment was moved to next week is not paid early, whoever approved it`, async t => {
    const world = await openWorld(t, kind)
    const { clock, vendor } = world
    await world.create('account_shared')
    await world.moveEnd(new Date(clock().getTime() + 7 * dayMs))
    t.equal(await world.approve(), 'approved')
    t.match(await world.resume(), { counts: { canceled: 1 }, reason: 'complaint_window', amountCents: 0 })
    t.match(await world.operation(), { state: 'canceled', reason: 'complaint_window', sends: 0 })
    clock.advance(8 * dayMs - 1)
    t.match(await world.create(), { counts: { canceled: 1 }, reason: 'complaint_window' })
    t.equal(vendor.outflowCents(), 0)
    clock.advance(1)
    t.match(await world.create(), { amountCents: netCents }, 'its row was free, and is paid when it is due')
    t.equal(vendor.outflowCents(), netCents)
  })

  t.test(`an approved ${kind} whose appointment was moved a little waits until that very moment`, async t => {
    const world = await openWorld(t, kind)
    const { clock, vendor } = world
    await world.create('account_shared')
    await world.moveEnd(new Date(clock().getTime() + dayMs))
    await world.approve()
    const wakeAt = new Date(clock().getTime() + 2 * dayMs)
    t.match(await world.resume(), { counts: { blocked: 1 }, reason: 'complaint_window', wakeAt })
    clock.advance(2 * dayMs - 1)
    t.match(await world.resume(), { counts: { blocked: 1 }, wakeAt })
    t.equal(vendor.outflowCents(), 0)
    clock.advance(1)
    t.match(await world.resume(), { amountCents: netCents })
    t.equal(vendor.outflowCents(), netCents)
  })
}

t.test('an appointment that is moved between the intent and the send keeps the money', async t => {
  const world = await openWorld(t)
  const posting = await world.create(undefined, async step => {
    if (step === 'intent') await world.moveEnd(world.clock())
  })
  t.match(posting, { counts: { canceled: 1 }, reason: 'complaint_window' })
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('whatever else has changed since the approval counts, too', async t => {
  const { clock: start } = await openWorld(t)
  const now = start().getTime()
  const changes: [string, (world: Awaited<ReturnType<typeof openWorld>>) => unknown, object][] = [
    [
      'another country, whose payments age longer',
      async ({ db, setCharge }) => {
        setCharge({ paidAt: new Date(now - 6 * dayMs) })
        await sql`update users set country = 'ES'`.execute(db)
      },
      { counts: { blocked: 1 }, reason: 'payment_age', wakeAt: new Date(now + dayMs) },
    ],
    [
      'a withdrawn approval of the marketplace',
      async ({ change }) => await change({ requires_approval: true, admin_user_id: null }),
      { counts: { blocked: 1 }, reason: 'approval', wakeAt: new Date(now + 12 * hourMs) },
    ],
    [
      'no appointment any more',
      async ({ db }) => await sql`with gone as (delete from meetings) delete from events`.execute(db),
      { counts: { canceled: 1 }, reason: 'appointment_unknown' },
    ],
    [
      'a dispute',
      ({ setCharge }) => setCharge({ disputed: true }),
      { counts: { blocked: 1 }, reason: 'disputed', wakeAt: new Date(now + 12 * hourMs) },
    ],
    [
      'a dispute that was lost',
      ({ setCharge }) => setCharge({ disputed: true, disputeLost: true }),
      { counts: { canceled: 1 }, reason: 'dispute_lost' },
    ],
    ['a cent given back', ({ setCharge }) => setCharge({ refundedCents: 1 }), { reason: 'partly_refunded' }],
    ['another currency', ({ setCharge }) => setCharge({ currency: 'usd' }), { reason: 'currency_mismatch' }],
  ]
  await Promise.all(
    changes.map(async ([name, change, expected]) => {
      const world = await openWorld(t)
      await sql`update users set country = 'US'`.execute(world.db)
      await world.create('account_shared')
      await change(world)
      await world.approve()
      t.match(await world.resume(), { ...expected, amountCents: 0 }, name)
      t.equal(world.vendor.outflowCents(), 0, name)
    }),
  )
})

t.test('what may have been sent already is not sent again while its booking is not due', async t => {
  const world = await openWorld(t)
  const { clock, vendor } = world
  vendor.setFault('request lost')
  await t.rejects(world.create(), { code: 'outcome_unknown' })
  vendor.setFault(undefined)
  await world.moveEnd(new Date(clock().getTime() + 7 * dayMs))
  clock.advance(hourMs)
  await t.rejects(world.resume(), { code: 'outcome_unknown' })
  t.match(await world.operation(), { state: 'unknown', reason: 'complaint_window', sends: 1 })
  clock.advance(25 * hourMs)
  t.match(await world.resume(), { counts: { canceled: 1 }, reason: 'complaint_window' })
  t.equal(vendor.outflowCents(), 0)
})
