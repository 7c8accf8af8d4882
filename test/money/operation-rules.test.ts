import fc from 'fast-check'
import t from 'tap'
import { judgePayout } from '../../src/money/payout-results.ts'
import { isCuredByRegrouping, judgeRefusal } from '../../src/money/refusals.ts'
import { decideNext, isFrozen, lookUpsApartMs, type Standing, wakeAfterMs } from '../../src/money/send-outcomes.ts'

const hourMs = 60 * 60_000
const fresh: Standing = { keyAgeMs: 0, answerStored: false, cleanLookUpMsAgo: undefined, frozen: false }
const anyStanding = fc.record({
  keyAgeMs: fc.nat(100 * hourMs),
  answerStored: fc.boolean(),
  cleanLookUpMsAgo: fc.option(fc.nat(100 * hourMs), { nil: undefined }),
  frozen: fc.boolean(),
})

t.test('a key is sent again for 23 hours, to the millisecond', async t => {
  t.equal(decideNext({ ...fresh, keyAgeMs: 23 * hourMs - 1 }, 0), 'sendAgain')
  t.equal(decideNext({ ...fresh, keyAgeMs: 23 * hourMs }, 0), 'wait')
  t.equal(decideNext({ ...fresh, answerStored: true }, 0), 'wait', 'a stored answer stays the same')
  t.equal(decideNext({ ...fresh, frozen: true }, 0), 'wait')
})

t.test('a new key needs 25 hours and two look-ups ten minutes apart', async t => {
  const proven = { ...fresh, keyAgeMs: 25 * hourMs + 1, cleanLookUpMsAgo: lookUpsApartMs }
  t.equal(decideNext(proven, 0), 'renew')
  t.equal(decideNext({ ...proven, keyAgeMs: 25 * hourMs }, 0), 'wait')
  t.equal(decideNext({ ...proven, cleanLookUpMsAgo: lookUpsApartMs - 1 }, 0), 'wait')
  t.equal(decideNext({ ...proven, cleanLookUpMsAgo: undefined }, 0), 'wait')
  t.equal(decideNext({ ...proven, frozen: true }, 0), 'wait')
})

t.test('what was found is adopted or frozen, and never sent', async () => {
  fc.assert(
    fc.property(anyStanding, fc.integer({ min: 1, max: 5 }), (standing, found) => {
      return decideNext(standing, found) === (found === 1 ? 'adopt' : 'freeze')
    }),
  )
})

t.test('nothing frozen is ever sent, and no key older than 23 hours', async () => {
  fc.assert(
    fc.property(anyStanding, standing => {
      const next = decideNext(standing, 0)
      if (standing.frozen) return next === 'wait'
      return next !== 'sendAgain' || (standing.keyAgeMs < 23 * hourMs && !standing.answerStored)
    }),
  )
})

t.test('a refusal blocks when its cause may pass, and needs a person when it is not known', async t => {
  for (const code of ['balance_insufficient', 'payouts_not_allowed', 'amount_too_small', 'capability_not_active']) {
    t.match(judgeRefusal(code), { kind: 'blocked' }, code)
  }
  for (const code of ['account_invalid', 'amount_too_large', 'no_such_code', 'toString', '__proto__', '']) {
    t.same(judgeRefusal(code), { kind: 'rejected' }, code)
  }
  // A look-up counts as the second of a proof only ten minutes after the refusal.
  fc.assert(
    fc.property(fc.constantFrom('balance_insufficient', 'rate_limit', 'bank_account_unusable'), code => {
      const refusal = judgeRefusal(code)
      return refusal.kind === 'blocked' && refusal.wakeAfterMs >= lookUpsApartMs
    }),
  )
  t.ok(isCuredByRegrouping('amount_too_small'))
  t.notOk(isCuredByRegrouping(null))
  t.ok(wakeAfterMs('awaiting_funds') >= lookUpsApartMs)
  t.ok(isFrozen('duplicate_at_stripe'))
  t.notOk(isFrozen('no_answer'))
})

t.test('a payout that came back counts only once its money is there', async t => {
  t.equal(judgePayout({ status: 'paid', moneyIsBack: false }), 'paid')
  t.equal(judgePayout({ status: 'failed', moneyIsBack: false }), 'unsettled')
  t.equal(judgePayout({ status: 'failed', moneyIsBack: true }), 'failed')
  t.equal(judgePayout({ status: 'canceled', moneyIsBack: false }), 'unsettled')
  t.equal(judgePayout({ status: 'canceled', moneyIsBack: true }), 'canceled')
  for (const status of ['pending', 'in_transit', 'something new']) {
    t.equal(judgePayout({ status, moneyIsBack: false }), 'unsettled', status)
  }
})
