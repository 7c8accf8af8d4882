import t from 'tap'
import { planOpenPayouts } from '../../src/money/payout-operations.ts'
import { openPayout, payoutDay, payoutFacts } from '../support/payout-facts.ts'

const planOf = (overrides: Parameters<typeof openPayout>[1]) =>
  planOpenPayouts(payoutFacts({ operations: [openPayout('op-1', overrides)] }), payoutDay)

t.test('what is finished says whom it pays for which rows', t => {
  const rows = [{ paymentTransferId: 49, amountCents: 8_500 }]
  for (const state of ['planned', 'sending', 'unknown', 'blocked'] as const) {
    const resumed = { kind: 'resume-operation', subject: 'op-1', destination: 'acct_1', amountCents: 8_500, rows }
    t.match(planOf({ state, rows }).effects, [resumed], state)
  }
  t.end()
})

t.test('what was approved and never sent is given up once a row is not what it was made from', t => {
  const changedRows = [49]
  for (const state of ['planned', 'blocked'] as const) {
    const { effects, sendsCents } = planOf({ state, changedRows, firstSentAt: null })
    const why = /payment_transfers 49 changed since.*given up/
    t.match(effects, [{ kind: 'release-operation', subject: 'op-1', why }], state)
    t.notOk('amountCents' in (effects[0] ?? {}), 'giving up moves nothing')
    t.same(sendsCents, {}, 'nor does it count as sent')
  }
  t.match(planOf({ state: 'blocked', changedRows }).effects, [{ kind: 'release-operation' }], 'a refusal proves it')
  const later = new Date(payoutDay.getTime() + 1)
  t.same(planOf({ state: 'blocked', changedRows, wakeAt: later }).effects, [], 'not before it is looked at')
  for (const state of ['planned', 'sending', 'unknown'] as const) {
    t.match(planOf({ state, changedRows }).effects, [{ kind: 'resume-operation' }], `${state}: it may have been sent`)
  }
  t.end()
})
