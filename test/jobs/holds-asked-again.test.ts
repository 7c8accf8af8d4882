import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { readAll } from '../support/builders.ts'
import { tell } from '../support/payout-facts.ts'
import { addRow, path, payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs
const transfersPath = '/jobs/process-expert-transfers'

const operationsOf = async ({ db }: PayoutWorld) => await readAll(db, 'jobs.money_operations')
const holdOf = async (world: PayoutWorld, id: unknown) =>
  (await world.operate('GET', `/operations/${String(id)}`)).json['hold'] as Record<string, unknown>
const effectsOf = async (world: PayoutWorld, at = path) =>
  ((await world.deliver(`${at}?dryRun=true`)).json['plan'] as { effects: object[] }).effects
const planOf = async (world: PayoutWorld, at = path) =>
  tell((await world.deliver(`${at}?dryRun=true`)).json['plan'] as Parameters<typeof tell>[0])

/** One due booking of 85.00, and as much money again on its account, so that nothing but doubt keeps it back. */
async function dueBooking(t: Test, env: Readonly<Record<string, string>> = {}) {
  const world = await payoutWorld(t, env)
  const account = await world.addExpert('ana')
  const booked = await world.addBooking(account, { expert: 'ana' })
  world.stripe.credit(account, 8_500)
  return { world, account, booked }
}

/** Somebody pays 85.00 in the dashboard; gives the payout. */
function payByHand({ stripe }: PayoutWorld, account: string): string {
  return stripe.payOutAsOldCode({ account, amountCents: 8_500 })
}

/** A request that Stripe decides about only once this has happened. */
async function meanwhile(world: PayoutWorld, at: string, send: () => Promise<unknown>, act: () => unknown) {
  const slow = { kind: 'slow', delayMs: 300, executes: 'last' } as const
  const standing = world.stripe.inject({ ...slow, method: 'POST', path: at })
  const sent = send()
  while (standing.left() > 0) await new Promise(resolve => setImmediate(resolve))
  const happened = act()
  await sent
  return happened
}

/** An operator answers for each payout that nobody explained. */
async function resolvePayouts(world: PayoutWorld) {
  for (const { id, kind, state } of await readAll(world.db, 'jobs.findings')) {
    if (kind !== 'payout-unexplained' || state === 'resolved') continue
    const body = { note: 'paid by hand in the dashboard', letMoneyGo: true }
    const { statusCode } = await world.operate('POST', `/findings/${id}/resolve`, body)
    if (statusCode !== 200) throw new Error(`the finding was not resolved: ${statusCode}`)
  }
}

t.test('what nobody knows to be sent is held, not sent again, once somebody paid it by hand', async t => {
  const { account, world } = await dueBooking(t)
  world.stripe.inject({ kind: 'drop', executed: false, method: 'POST', path: '/v1/payouts', times: 1 })
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'unknown' }])
  world.clock.advance(2 * hourMs)
  const stray = payByHand(world, account)
  world.stripe.credit(account, 8_500)
  world.clock.advance(dayMs)
  await world.pay()
  await resolvePayouts(world)
  for (let day = 0; day < 3; day += 1) {
    world.clock.advance(dayMs)
    await world.pay()
  }
  t.same(world.outflow(), { [account]: 8_500 }, 'paid once, by hand')
  const [operation] = await operationsOf(world)
  t.match(operation, {
    state: 'held',
    reason: 'may_be_paid_already',
    holds: [`may_be_paid_already ${stray}`],
    sends: 0,
  })
  t.match(await holdOf(world, operation?.id), { stands: 'yes', today: new RegExp(stray) })
  t.ok((await world.findings()).includes(`operation-held ${String(operation?.id)}`))
  const audit = (await readAll(world.db, 'jobs.audit_entries')).filter(({ action }) => action === 'operation.held')
  t.match(audit, [{ subject: operation?.id, details: { holds: [`may_be_paid_already ${stray}`] } }])

  await world.operate('POST', `/operations/${operation?.id}/approve`, { note: 'it was for a pack' })
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'created', generation: 2 }], 'a person has decided')
})

t.test(
  'what may have been sent is not sent again under its key either, before it is proven that it was not',
  async t => {
    const { account, world } = await dueBooking(t)
    world.stripe.inject({ kind: 'drop', executed: false, method: 'POST', path: '/v1/payouts', times: 1 })
    await world.pay()
    world.clock.advance(hourMs)
    payByHand(world, account)
    world.stripe.credit(account, 8_500)
    await world.pay()
    await resolvePayouts(world)
    world.clock.advance(hourMs)
    await world.pay()
    t.match(await operationsOf(world), [{ state: 'unknown', generation: 1, sends: 1, reason: 'may_be_paid_already' }])
    t.same(world.outflow(), { [account]: 8_500 })
  },
)

t.test('what Stripe refused for now is held once somebody paid it by hand, and the plan says so before', async t => {
  const { account, world } = await dueBooking(t)
  const both = () => world.stripe.payOutAsOldCode({ account, amountCents: 17_000 })
  const stray = await meanwhile(world, '/v1/payouts', async () => await world.pay(), both)
  t.match(await operationsOf(world), [{ state: 'blocked', reason: 'balance_insufficient' }])
  world.stripe.credit(account, 8_500)
  await world.pay()
  await resolvePayouts(world)
  world.clock.advance(dayMs)
  const { json } = await world.deliver(`${path}?dryRun=true`)
  t.match(json['plan'], { effects: [{ hold: 'may_be_paid_already', why: /blocked: .*, and it will be held: / }] })
  await world.pay()
  t.same(world.outflow(), { [account]: 17_000 })
  t.match(await operationsOf(world), [{ state: 'held', holds: [`may_be_paid_already ${String(stray)}`] }])
})

t.test('an approval is older than a payout by hand, and does not cover it', async t => {
  const { account, world } = await dueBooking(t, { MONEY_MAX_SINGLE: '5000' })
  await world.pay()
  const [operation] = await operationsOf(world)
  await world.operate('POST', `/operations/${operation?.id}/approve`)
  t.match(await operationsOf(world), [{ state: 'planned', approved_for: ['above_single_limit'] }])
  world.clock.advance(2 * hourMs)
  const stray = payByHand(world, account)
  world.clock.advance(16 * hourMs)
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'planned' }], 'a frozen account lets nothing go')
  await resolvePayouts(world)
  world.clock.advance(dayMs)
  await world.pay()
  t.same(world.outflow(), { [account]: 8_500 })
  const holds = [`may_be_paid_already ${stray}`, 'above_single_limit']
  t.match(await operationsOf(world), [{ state: 'held', reason: 'may_be_paid_already', holds, approved_by: null }])

  await world.operate('POST', `/operations/${operation?.id}/approve`)
  world.clock.advance(dayMs)
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'created' }])
})

t.test('whoever approves a size is shown the payout by hand that came since, and approves what was shown', async t => {
  const { account, world } = await dueBooking(t, { MONEY_MAX_SINGLE: '5000' })
  await world.pay()
  const [operation] = await operationsOf(world)
  const before = await holdOf(world, operation?.id)
  t.same(before['doubts'], [])
  world.clock.advance(2 * hourMs)
  const stray = payByHand(world, account)
  world.clock.advance(16 * hourMs)
  await world.pay()
  const unresolved = await holdOf(world, operation?.id)
  t.match(unresolved['doubts'], [new RegExp(`somebody else made payouts .*: ${stray}`)], 'before it is resolved')
  const [frozen] = (await readAll(world.db, 'jobs.findings')).filter(({ kind }) => kind === 'payout-unexplained')
  const unsaid = await world.operate('POST', `/findings/${frozen?.id}/resolve`, { note: 'paid by hand' })
  t.match(unsaid, { statusCode: 409, json: { message: new RegExp(`are held, also where .*${String(operation?.id)}`) } })
  await resolvePayouts(world)
  const after = await holdOf(world, operation?.id)
  t.match(after['doubts'], [new RegExp(stray)])
  t.same(after['shown'], ['above_single_limit', `may_be_paid_already ${stray}`])
  t.same(after['since'], [`may_be_paid_already ${stray}`])
  t.match(await world.operate('POST', `/operations/${operation?.id}/approve`, { note: 'as read yesterday' }), {
    statusCode: 409,
    json: { message: new RegExp(`since it was held .*may_be_paid_already ${stray}.*shown`) },
  })
  t.match(await operationsOf(world), [{ state: 'held', approved_at: null }], 'whoever approves has to have seen that')

  await world.operate('POST', `/operations/${operation?.id}/approve`, { shown: before['shown'] })
  world.clock.advance(dayMs)
  await world.pay()
  t.same(world.outflow(), { [account]: 8_500 })
  t.match(await operationsOf(world), [{ state: 'held', reason: 'may_be_paid_already' }], 'it was not shown that')

  await world.operate('POST', `/operations/${operation?.id}/approve`)
  world.clock.advance(dayMs)
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'created' }])
})

t.test('a frozen account lets nothing be resumed, however old the payout is that freezes it', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '8000' })
  const account = await world.addExpert('ana')
  const other = await world.addBooking(account, { expert: 'ana' })
  const at = new Date('2026-03-06T06:00:00Z')
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at })
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${stray} where id = ${other.id}`.execute(
    world.db,
  )
  await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [operation] = await operationsOf(world)
  await world.operate('POST', `/operations/${operation?.id}/approve`)
  await sql`update payment_transfers set status = 'COMPLETED', payout_id = null where id = ${other.id}`.execute(
    world.db,
  )
  world.clock.advance(2 * hourMs)
  t.notMatch(JSON.stringify(await planOf(world)), /resume-operation/)
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'planned', sends: 0 }])
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('what Stripe refused for now is held once its account is not the expert’s any more, or two have it', async t => {
  const { account, booked, world } = await dueBooking(t)
  const forbid = () => world.stripe.setAccount(account, { payoutsEnabled: false })
  await meanwhile(world, '/v1/payouts', async () => await world.pay(), forbid)
  t.match(await operationsOf(world), [{ state: 'blocked', reason: 'payouts_not_allowed' }])
  world.stripe.setAccount(account, { payoutsEnabled: true })
  await moveExpert(world)
  await world.addExpert('mallory', account)
  await world.addExpert('mallet', account)
  world.clock.advance(dayMs)
  const holds = ['account_shared 2 users', `account_changed ${booked.id}`]
  const why = /will be held: two experts share this account.*; it is not the expert's current account/
  t.match(await effectsOf(world), [{ kind: 'resume-operation', hold: 'account_shared', holds, why }])
  await world.pay()
  t.same(world.outflow(), {})
  t.match(await operationsOf(world), [{ state: 'held', reason: 'account_shared', holds }])
})

/** The expert has another account from now on. */
async function moveExpert(world: PayoutWorld): Promise<void> {
  const account = world.stripe.addAccount()
  await sql`update users set stripe_connect_account_id = ${account} where "clerkUserId" = 'ana'`.execute(world.db)
}

t.test('a transfer that was refused for now is held for the same', async t => {
  const world = await payoutWorld(t, {}, { jobs: [processExpertTransfers, processPendingPayouts] })
  const account = await world.addExpert('ana')
  const at = new Date('2026-03-01T10:00:00Z')
  const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at })
  const id = await addRow(world.db, account, ids, { createdAt: at, expert: 'ana', status: 'READY' })
  const forbid = () => world.stripe.setAccount(account, { transfers: 'inactive' })
  await meanwhile(world, '/v1/transfers', async () => await world.deliver(transfersPath), forbid)
  world.stripe.setAccount(account, { transfers: 'active' })
  t.match(await operationsOf(world), [{ kind: 'transfer', state: 'blocked' }])
  await moveExpert(world)
  world.clock.advance(dayMs)
  const holds = [`account_changed ${id}`]
  const why = /it was begun and is blocked.*, and it will be held: .*current account/
  const rows = [{ paymentTransferId: id, amountCents: 8_500 }]
  const held = { kind: 'resume-transfer', hold: 'account_changed', holds, experts: ['ana'], rows, why }
  t.match(await effectsOf(world, transfersPath), [held])
  await world.deliver(transfersPath)
  t.match(await operationsOf(world), [{ state: 'held', holds }])
  t.same(world.stripe.outflow().transfers, {})
})

t.test('a limit that stands behind another reason is shown and approved with it, or holds anew', async t => {
  const { booked, world } = await dueBooking(t, { MONEY_MAX_SINGLE: '5000', MONEY_MAX_TOTAL: '6000' })
  await moveExpert(world)
  await world.pay()
  const [operation] = await operationsOf(world)
  const holds = [`account_changed ${booked.id}`, 'above_single_limit', 'above_daily_limit']
  t.match(operation, { state: 'held', reason: 'account_changed', holds })
  t.match((await holdOf(world, operation?.id))['doubts'], [/MONEY_MAX_SINGLE/, /MONEY_MAX_TOTAL/])
  const [finding] = (await readAll(world.db, 'jobs.findings')).filter(({ kind }) => kind === 'operation-held')
  t.match(finding?.message, /held \(account_changed, above_single_limit, above_daily_limit\)/)

  const shown = [`account_changed ${booked.id}`, 'above_single_limit']
  await world.operate('POST', `/operations/${operation?.id}/approve`, { shown })
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'held', reason: 'above_daily_limit', sends: 0 }])
  await world.operate('POST', `/operations/${operation?.id}/approve`)
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'created' }])
})

t.test('a dry run judges what is to be resumed as the run itself does', async t => {
  const { account, booked, world } = await dueBooking(t, { MONEY_MAX_SINGLE: '5000' })
  await world.pay()
  const [operation] = await operationsOf(world)
  await world.operate('POST', `/operations/${operation?.id}/approve`, { note: 'looked at it' })
  t.match(await effectsOf(world), [{ kind: 'resume-operation', hold: undefined, why: 'approved, and not sent yet' }])

  world.stripe.setAccount(account, { payoutsEnabled: false })
  t.match(await effectsOf(world), [{ why: /, and it is not sent now \(payouts_disabled\)/ }])
  world.stripe.setAccount(account, { payoutsEnabled: true })

  world.stripe.inject({ kind: 'drop', executed: true, method: 'POST', path: '/v1/payouts', times: 1 })
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'unknown' }])
  t.match(await effectsOf(world), [{ hold: undefined, why: /^unknown.*, and Stripe has it already \(po_/ }])
  t.match(await operationsOf(world), [{ state: 'unknown' }], 'and it wrote nothing down')
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'created' }])
  t.match(await world.rows(), [{ id: booked.id, status: 'PAID_OUT' }])
})

t.test('a dry run says what will be held once it is proven that nothing was sent', async t => {
  const { world } = await dueBooking(t)
  world.stripe.inject({ kind: 'drop', executed: false, method: 'POST', path: '/v1/payouts', times: 1 })
  await world.pay()
  await moveExpert(world)
  const early = /, and it may have been sent already: it is not sent again before that is proven, because it is not the/
  t.match(await effectsOf(world), [{ hold: undefined, why: early }])
  world.clock.advance(26 * hourMs)
  await world.pay()
  world.clock.advance(hourMs)
  t.match(await effectsOf(world), [{ hold: 'account_changed', why: /^unknown.*, and it will be held: / }])
  await world.pay()
  t.match(await operationsOf(world), [{ state: 'held', reason: 'account_changed' }])
})

t.test('a dry run of transfers counts what is sent before, as the circuit breaker does', async t => {
  const env = { MONEY_MAX_TOTAL: '17000' }
  const world = await payoutWorld(t, env, { jobs: [processExpertTransfers] })
  const at = new Date('2026-03-01T10:00:00Z')
  for (const expert of ['ana', 'ben', 'eva']) {
    const account = await world.addExpert(expert)
    const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at })
    await addRow(world.db, account, ids, { createdAt: at, expert, status: 'READY' })
  }
  const create = { kind: 'create-transfer', hold: undefined }
  const hold = { kind: 'hold-transfer', hold: 'above_daily_limit', experts: ['eva'] }
  t.match(await effectsOf(world, transfersPath), [create, create, hold])
  await world.deliver(transfersPath)
  t.match(await operationsOf(world), [{ state: 'created' }, { state: 'created' }, { reason: 'above_daily_limit' }])
})

t.test('an approval is taken back as long as nothing was sent, and what may have been sent is not', async t => {
  const { account, world } = await dueBooking(t, { MONEY_MAX_SINGLE: '5000' })
  await world.pay()
  const [operation] = await operationsOf(world)
  await world.operate('POST', `/operations/${operation?.id}/approve`)
  const declined = await world.operate('POST', `/operations/${operation?.id}/decline`, { note: 'approved by mistake' })
  t.equal(declined.statusCode, 200)
  t.match(declined.json, { state: 'canceled', reason: 'declined' })
  world.clock.advance(dayMs)
  await world.pay()
  t.same(world.outflow(), {})
  t.same((await operationsOf(world)).length, 1, 'and its row waits for a person')
  const audit = (await readAll(world.db, 'jobs.audit_entries')).filter(({ action }) => action === 'operation.decline')
  t.match(audit, [{ details: { was: 'planned', approvedBy: /./ } }])

  const rest = await dueBooking(t)
  const takeAll = () => rest.world.stripe.payOutAsOldCode({ account: rest.account, amountCents: 17_000 })
  await meanwhile(rest.world, '/v1/payouts', async () => await rest.world.pay(), takeAll)
  const [blocked] = await operationsOf(rest.world)
  const answer = await rest.world.operate('POST', `/operations/${blocked?.id}/decline`, { note: 'no' })
  t.match(answer.json, { state: 'canceled', wake_at: null })

  const lost = await dueBooking(t)
  lost.world.stripe.inject({ kind: 'drop', executed: true, method: 'POST', path: '/v1/payouts', times: 1 })
  await lost.world.pay()
  const [unknown] = await operationsOf(lost.world)
  t.equal((await lost.world.operate('POST', `/operations/${unknown?.id}/decline`, { note: 'no' })).statusCode, 409)
  t.match(await operationsOf(lost.world), [{ state: 'unknown' }])
  t.ok(account)
})
