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
    waitAfter(1, () => 1, 45_000),
    45_000,
  )
  t.equal(
    waitAfter(1, () => 1, 1e15),
    86_400_000,
    'nobody waits for ever',
  )
  t.equal(
    waitForKey(20, () => 0),
    300_000,
  )
})

t.test('what stops being useful before its next try is due right then, to be dropped', async t => {
  t.equal(nextTry(noon, 60_000, null).getTime(), later(60_000).getTime())
  t.equal(nextTry(noon, 60_000, later(60_000)).getTime(), later(60_000).getTime(), 'a try in its last millisecond')
  t.equal(nextTry(noon, 60_000, later(59_999)).getTime(), later(60_000).getTime())
  t.equal(nextTry(noon, 60_000, later(10)).getTime(), later(11).getTime())
  t.equal(nextTry(noon, 60_000, later(-10)).getTime(), noon.getTime())
})
