import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readAll } from '../support/builders.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { connectStripe } from '../support/stripe.ts'
import { addOperation } from '../support/operations.ts'
import { addRow, payoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const note = 'looked it up in the dashboard'

/** One booking of 85.00 whose payout was sent; nobody has heard whether it was made. */
async function unheardWorld(t: Test, executed: boolean) {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  world.stripe.inject({ kind: 'drop', executed, method: 'POST', path: '/v1/payouts', times: 9 })
  await world.pay()
  world.stripe.clearFaults()
  const operation = async () => (await readAll(world.db, 'jobs.money_operations'))[0]
  const id = (await operation())?.id ?? ''
  const adopt = async (body: object) => await world.operate('POST', `/operations/${id}/adopt`, { note, ...body })
  const unmoved = async (body: object = {}) =>
    await world.operate('POST', `/operations/${id}/unmoved`, { note, letMoneyGo: true, ...body })
  const copy = (amountCents = 8_500) => {
    world.stripe.credit(account, amountCents)
    return world.stripe.payOutAsOldCode({ account, amountCents, metadata: { operation_id: id } })
  }
  const later = async (hours: number) => {
    world.clock.advance(hours * hourMs)
    await world.pay()
  }
  const audited = async (action: string) =>
    (await readAll(world.db, 'jobs.audit_entries')).filter(entry => entry.action === action)
  return { account, adopt, audited, copy, id, later, operation, unmoved, world }
}

t.test(
  'of two payouts that carry one operation a person adopts the right one, once the other is dealt with',
  async t => {
    const { adopt, audited, copy, id, later, operation, world } = await unheardWorld(t, true)
    const [made] = world.stripe.payouts()
    const right = { stripeId: made?.id ?? '', amountCents: 8_500 }
    const second = copy()
    await later(1)
    t.match(await operation(), { state: 'unknown', reason: 'duplicate_at_stripe' })
    t.match(await adopt({ ...right, amountCents: 8_499 }), { statusCode: 409, json: { message: /not of 8499/ } })
    t.match(await adopt(right), { statusCode: 409, json: { message: new RegExp(`${second}.*except`) } })
    t.match(await operation(), { state: 'unknown' }, 'and nothing has changed')
    t.same(await audited('operation.adopt'), [])
    t.match(await adopt({ ...right, except: [second] }), {
      statusCode: 200,
      json: { state: 'created', stripe_id: made?.id },
    })
    t.match(await world.rows(), [{ status: 'PAID_OUT', payout_id: made?.id }])
    t.match(await audited('operation.adopt'), [
      { actor: 'operator', subject: id, details: { stripeId: made?.id, note, except: [second] } },
    ])
    const finding = (await readAll(world.db, 'jobs.findings')).find(({ kind }) => kind === 'duplicate-at-stripe')
    t.match(finding, { state: 'resolved', closed_by: 'operator', note: /was adopted/ })
    t.match(await adopt(right), { statusCode: 409, json: { message: /only one that is unknown/ } })
    await later(24)
    t.match((await world.findings()).at(-1), `payout-unexplained ${second}`, 'the other one is a stranger now')
  },
)

t.test('what is of another amount, came back, or is of another row is no receipt', async t => {
  const { account, adopt, copy, later, operation, world } = await unheardWorld(t, false)
  const wrong = copy(100)
  await later(1)
  t.match(await operation(), { state: 'unknown', reason: 'amount_mismatch' })
  const refused = async (stripeId: string, message: RegExp) => {
    t.match(await adopt({ stripeId, amountCents: 8_500 }), { statusCode: 409, json: { message } })
  }
  await refused(wrong, /it is of 100 and not of 8500 cents/)
  await refused('po_nowhere', /po_nowhere/)
  world.stripe.credit(account, 8_500)
  const old = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at: new Date('2026-03-07T06:00:00Z') })
  await refused(old, /it was made before the operation/)
  world.stripe.credit(account, 17_000)
  const back = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  world.stripe.setPayout(back, 'canceled')
  await refused(back, /came back/)
  const named = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  await world.addBooking(account, { expert: 'ana', status: 'PAID_OUT', payoutId: named })
  await refused(named, /payment_transfers \d+ name it/)
})

t.test(
  'that nothing moved is said by a person, once its key can do nothing any more, and paid once after that',
  async t => {
    const { account, audited, copy, id, later, operation, unmoved, world } = await unheardWorld(t, false)
    const stray = copy(100)
    await later(1)
    t.match(await unmoved({ letMoneyGo: false }), { statusCode: 409, json: { message: /plans its rows again/ } })
    t.match(await unmoved(), {
      statusCode: 409,
      json: { message: /may still act at Stripe: say so after 2026-03-11T13/ },
    })
    await later(25)
    t.match(await unmoved(), { statusCode: 409, json: { message: new RegExp(`${stray}.*except`) } })
    t.match(await operation(), { state: 'unknown' })
    t.match(await unmoved({ except: [stray] }), {
      statusCode: 200,
      json: { state: 'canceled', reason: 'nothing_moved' },
    })
    t.match(await audited('operation.unmoved'), [
      { actor: 'operator', subject: id, details: { except: [stray], note } },
    ])
    t.match(await unmoved({ except: [stray] }), { statusCode: 409, json: { message: /is canceled/ } })
    world.stripe.setPayout(stray, 'canceled')
    await later(24)
    await later(24)
    t.same(world.outflow(), { [account]: 8_500 })
    t.match(await world.rows(), [{ status: 'PAID_OUT' }])
  },
)

t.test('a payout that carries the id of another operation of ours is no receipt', async t => {
  const { account, adopt, world } = await unheardWorld(t, false)
  const other = await addOperation(world.db, { account, state: 'canceled' })
  world.stripe.credit(account, 8_500)
  const metadata = { operation_id: other }
  const stripeId = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, metadata })
  const message = new RegExp(`it carries the id of operation ${other}`)
  t.match(await adopt({ stripeId, amountCents: 8_500 }), { statusCode: 409, json: { message } })
  world.stripe.credit(account, 8_500)
  const odd = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, metadata: { operation_id: 'anything' } })
  t.match(await adopt({ stripeId: odd, amountCents: 8_500 }), { statusCode: 200 }, 'anybody can write anything there')
  const adopted = (await readAll(world.db, 'jobs.money_operations')).find(each => each.id !== other)
  t.match(adopted, { state: 'created', stripe_id: odd })
})

t.test('a run that sends the operation while somebody adopts something else wins', async t => {
  const { account, adopt, audited, operation, world } = await unheardWorld(t, false)
  world.stripe.credit(account, 8_500)
  const stripeId = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  const slow = world.stripe.inject({ kind: 'slow', delayMs: 400, executes: 'last', method: 'GET', path: '/v1/payouts' })
  const adopting = adopt({ stripeId, amountCents: 8_500 })
  while (slow.left() > 0) await new Promise(resolve => setImmediate(resolve))
  await sql`update jobs.money_operations set sends = sends + 1, last_sent_at = last_sent_at`.execute(world.db)
  t.match(await adopting, { statusCode: 409, json: { message: /has changed meanwhile/ } })
  t.match(await operation(), { state: 'unknown', stripe_id: null })
  t.same(await audited('operation.adopt'), [], 'nothing says that it was adopted')
})

t.test('a transfer that was made by hand and adopted is paid out like any other', async t => {
  const world = await payoutWorld(t, {}, { jobs: [processExpertTransfers, processPendingPayouts] })
  const account = await world.addExpert('ana')
  const at = new Date('2026-03-01T10:00:00Z')
  const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at })
  await addRow(world.db, account, ids, { createdAt: at, expert: 'ana', status: 'READY' })
  world.stripe.inject({ kind: 'drop', executed: false, method: 'POST', path: '/v1/transfers', times: 9 })
  await world.deliver('/jobs/process-expert-transfers')
  world.stripe.clearFaults()
  const order = { amount: 8_500, currency: 'eur', destination: account }
  const { id: stripeId } = await connectStripe(world.stripe).transfers.create(order)
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  const body = { stripeId, amountCents: 8_500, note }
  t.match(await world.operate('POST', `/operations/${operation?.id}/adopt`, body), { statusCode: 200 })
  await world.pay()
  t.match(await world.rows(), [{ status: 'PAID_OUT' }])
  t.same(world.outflow(), { [account]: 8_500 })
  t.notMatch(await world.findings(), [/transfer-missing/])
})

t.test(
  'a payout that was made by hand and adopted is settled like any other, and paid again if it comes back',
  async t => {
    const { account, adopt, later, operation, world } = await unheardWorld(t, false)
    world.stripe.credit(account, 8_500)
    const stripeId = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
    t.match(await adopt({ stripeId, amountCents: 8_500 }), { statusCode: 200, json: { state: 'created' } })
    world.stripe.setPayout(stripeId, 'paid')
    await later(24)
    t.match(await operation(), { state: 'paid', vendor_status: 'paid' })
    world.stripe.setPayout(stripeId, 'failed')
    await later(24)
    t.match(await operation(), { state: 'failed' })
    t.notMatch(await world.findings(), [/operation-mismatch/])
  },
)

t.test('nobody corrects what is not unknown, or does not exist', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  const body = { note, letMoneyGo: true }
  t.match(await world.operate('POST', `/operations/${operation?.id}/unmoved`, body), {
    statusCode: 409,
    json: { message: /is created: only one that is unknown/ },
  })
  const nowhere = '0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b'
  t.match(await world.operate('POST', `/operations/${nowhere}/unmoved`, body), { statusCode: 404 })
})
