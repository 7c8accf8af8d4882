import fc from 'fast-check'
import t from 'tap'
import { findHold } from '../../src/money/limits.ts'

const limits = { maxSingleCents: 50_000, maxTotalCents: 100_000 }

t.test('an operation goes up to the limits, and is held one cent above them', async t => {
  t.equal(findHold({ amountCents: 50_000, sentCents: 0 }, limits), undefined)
  t.equal(findHold({ amountCents: 50_001, sentCents: 0 }, limits), 'above_single_limit')
  t.equal(findHold({ amountCents: 1, sentCents: 99_999 }, limits), undefined)
  t.equal(findHold({ amountCents: 1, sentCents: 100_000 }, limits), 'above_daily_limit')
  t.equal(findHold({ amountCents: 50_000, sentCents: 50_001 }, limits), 'above_daily_limit')
  t.equal(findHold({ amountCents: 50_001, sentCents: 100_000 }, limits), 'above_single_limit', 'the larger concern')
})

t.test('limits of nothing hold everything, and figures that are no numbers let nothing pass', async t => {
  t.equal(findHold({ amountCents: 1, sentCents: 0 }, { maxSingleCents: 0, maxTotalCents: 0 }), 'above_single_limit')
  t.equal(findHold({ amountCents: Number.NaN, sentCents: 0 }, limits), 'above_single_limit')
  t.equal(findHold({ amountCents: 1, sentCents: Number.NaN }, limits), 'above_daily_limit')
  t.equal(findHold({ amountCents: 1, sentCents: 0 }, { ...limits, maxTotalCents: Number.NaN }), 'above_daily_limit')
})

t.test('what passes one by one never adds up to more than the daily limit', async () => {
  const cents = fc.integer({ min: 1, max: 80_000 })
  fc.assert(
    fc.property(fc.array(cents), amounts => {
      let sentCents = 0
      for (const amountCents of amounts) {
        const hold = findHold({ amountCents, sentCents }, limits)
        if (hold === undefined) sentCents += amountCents
        else if (amountCents <= limits.maxSingleCents && sentCents + amountCents <= limits.maxTotalCents) return false
      }
      return sentCents <= limits.maxTotalCents
    }),
  )
})
