import t from 'tap'
import { nextTry, waitAfter, waitForKey } from '../../src/notices/backoff.ts'
import { later, noon } from '../support/pings.ts'

t.test('waits double from 30 s up to an hour, a little less by chance, and never end sooner than asked', async t => {
  t.strictSame(
    [1, 2, 3, 7, 8, 40].map(attempts => waitAfter(attempts, () => 0) / 1000),
    [30, 60, 120, 1920, 3600, 3600],
  )
  t.equal(
    waitAfter(1, () => 1),
    24_000,
  )
  t.equal(
    waitForKey(20, () => 0),
    300_000,
  )
})

t.test('the vendor is never asked sooner than it said, and nobody waits for ever', async t => {
  t.equal(nextTry(noon, 30_000, null, 45_000).getTime(), later(45_000).getTime())
  t.equal(nextTry(noon, 30_000, null, 1e15).getTime(), later(86_400_000).getTime())
  t.equal(nextTry(noon, 30_000, later(3_600_000), 3_000_000).getTime(), later(3_000_000).getTime())
  t.equal(nextTry(noon, 30_000, later(40_000), 45_000).getTime(), later(40_001).getTime(), 'due to be dropped')
})

t.test('what is useful for a short time waits for a quarter of what is left at most', async t => {
  const wait = (waitMs: number, usefulMs: number) => nextTry(noon, waitMs, later(usefulMs)).getTime() - noon.getTime()
  t.equal(nextTry(noon, 60_000, null).getTime(), later(60_000).getTime())
  t.equal(wait(3_600_000, 14_400_000), 3_600_000)
  t.equal(wait(3_600_000, 1_800_000), 450_000)
  t.equal(wait(3_600_000, 120_000), 30_000)
  t.equal(wait(60_000, 90_000), 30_000)
  t.equal(wait(60_000, 30_000), 30_000, 'a try in its last millisecond')
  t.equal(wait(60_000, 29_999), 30_000, 'due to be dropped')
  t.equal(wait(60_000, 10), 11)
  t.equal(wait(60_000, -10), 0)
})
