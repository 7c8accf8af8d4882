import { sql } from 'kysely'
import t from 'tap'
import { lockCurrency } from '../../src/database/money-operations.ts'
import type { Payout, PayoutRequest, WriteAnswer } from '../../src/providers/payments.ts'
import { at, duePayout, moneyWorld, netCents, untilSomebodyWaits, type World } from './world.ts'

t.setTimeout(240_000)

const hourMs = 60 * 60_000

/** Payouts that are answered as told, carried out or not, and then truly. */
function answering(
  { vendor }: World,
  answers: readonly { readonly carriedOut: boolean; readonly answer: WriteAnswer<Payout> }[],
) {
  let sends = 0
  return {
    ...vendor.writes,
    createPayout: async (request: PayoutRequest, key: string, signal: AbortSignal) => {
      const scripted = answers[sends]
      sends += 1
      if (scripted === undefined) return await vendor.writes.createPayout(request, key, signal)
      if (scripted.carriedOut) await vendor.writes.createPayout(request, key, signal)
      return scripted.answer
    },
  }
}

t.test('a key that grew too old between the intent and the socket is not sent', async t => {
  for (const [sleptMs, isSent] of [
    [23 * hourMs - 1, true],
    [23 * hourMs, false],
  ] as const) {
    const world = await moneyWorld(t)
    const { id, order } = await duePayout(world)
    const ledger = world.ledger({ onStep: at('sending', () => world.clock.advance(sleptMs)) })
    const posting = ledger.createPayout(order, await world.run())
    if (isSent) t.match(await posting, { amountCents: netCents })
    else await t.rejects(posting, { name: 'Error', code: 'key_too_old' })
    t.match(await world.operations(), [{ state: isSent ? 'created' : 'sending', sends: 1 }])
    t.equal((await world.row(id)).status, isSent ? 'PAID_OUT' : 'COMPLETED')
    t.equal(world.vendor.outflowCents(), isSent ? netCents : 0)
  }
})

t.test('a run that is told to stop right before the socket sends nothing', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const controller = new AbortController()
  const reason = new Error('told to stop')
  const ledger = world.ledger({ onStep: at('sending', () => controller.abort(reason)) })

  await t.rejects(ledger.createPayout(order, await world.run(undefined, { signal: controller.signal })), reason)

  t.match(await world.operations(), [{ state: 'sending', sends: 1 }])
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('what was refused and carried out all the same is found before its rows are given free', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  const writes = answering(world, [{ carriedOut: true, answer: { kind: 'refused', code: 'amount_too_small' } }])
  const ledger = world.ledger({ writes })
  const { operationId = '' } = await ledger.createPayout(order, await world.run())
  t.match(await world.operations(), [{ state: 'blocked', reason: 'amount_too_small' }])
  world.clock.advance(24 * hourMs)

  t.match(await ledger.resume(operationId, await world.run()), { amountCents: netCents })

  t.match(await world.operations(), [{ state: 'created', generation: 1 }])
  t.equal((await world.row(id)).status, 'PAID_OUT')
  t.equal(world.vendor.outflowCents(), netCents)
})

t.test('a stored error is looked behind at once, and what it hides is the receipt', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  const unknown = { kind: 'unknown', code: 'api_error' } as const
  const writes = answering(world, [
    { carriedOut: false, answer: { ...unknown, replayed: false } },
    { carriedOut: true, answer: { ...unknown, replayed: true } },
  ])
  const ledger = world.ledger({ writes })
  await t.rejects(ledger.createPayout(order, await world.run()), { code: 'outcome_unknown' })
  const [operation] = await world.operations()

  t.match(await ledger.resume(operation?.id ?? '', await world.run()), { amountCents: netCents })

  t.match(await world.operations(), [{ state: 'created', sends: 2 }])
  t.equal((await world.row(id)).status, 'PAID_OUT')
})

t.test('a key that stands for another request freezes nothing when the object is there', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  const ledger = world.ledger({ writes: answering(world, [{ carriedOut: true, answer: { kind: 'keyReused' } }]) })

  t.match(await ledger.createPayout(order, await world.run()), { amountCents: netCents, findings: [] })

  t.match(await world.operations(), [{ state: 'created', sends: 1 }])
  t.equal((await world.row(id)).status, 'PAID_OUT')
})

t.test('one who sends again under a new key waits for one who begins, and meets the daily limit', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const refused = { kind: 'refused', code: 'balance_insufficient' } as const
  const writes = answering(world, [{ carriedOut: false, answer: refused }])
  const limits = { maxSingleCents: netCents, maxTotalCents: 2 * netCents - 1, since: new Date(0) }
  const { operationId = '' } = await world.ledger({ writes }).createPayout(order, await world.run())
  world.clock.advance(24 * hourMs)
  const run = await world.run()
  let resumed: Promise<unknown> = Promise.resolve()
  await world
    .pool()
    .transaction()
    .execute(async trx => {
      // As commitIntent does: the currency, then what is new.
      await lockCurrency(trx, 'eur')
      resumed = world.ledger({ limits }).resume(operationId, run)
      await Promise.race([untilSomebodyWaits(world), resumed])
      const { rows } = await sql<{ id: string }>`insert into jobs.money_operations (id, kind, subject, state, origin,
        idempotency_key, amount, currency, account, request, request_hash, run_id, created_at, updated_at, first_sent_at,
        last_sent_at, sends)
        select u, 'transfer', 's', 'sending', 'sent', 'transfer:' || u || ':g1', ${netCents}, 'eur', 'a', '{}', 'h', u,
          now(), now(), ${world.clock()}, ${world.clock()}, 1
        from gen_random_uuid() u returning id`.execute(trx)
      await sql`insert into jobs.money_operation_items values (${rows[0]?.id}, 'transfer', 1000000, 'pi_other',
        ${netCents}, true)`.execute(trx)
    })
  t.match(await resumed, { counts: { held: 1 }, reason: 'above_daily_limit', amountCents: 0 })
  t.equal(world.vendor.outflowCents(), 0)
})
