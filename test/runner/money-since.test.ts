import t from 'tap'
import { doubtMoneySince } from '../../src/runner/money-since.ts'
import { loadConfig } from '../../src/config.ts'
import { indexJobs } from '../../src/runner/define-job.ts'
import { noteMoneySince } from '../../src/wiring.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { serviceEnv } from '../support/cli.ts'

const now = new Date('2026-03-10T12:00:00Z')
const firstBootAt = new Date('2026-03-01T09:00:00Z')

t.test('a moment in the future, before 2024 or nowhere is in doubt, and any other is not', async t => {
  const cases: readonly [string | undefined, Date | null | undefined, string | undefined][] = [
    [undefined, firstBootAt, 'MONEY_SINCE is not set: what counts is the first boot, 2026-03-01 09:00:00 UTC'],
    [undefined, null, 'MONEY_SINCE is not set: what counts is the first boot, which has not been yet'],
    [undefined, undefined, 'MONEY_SINCE is not set: what counts is the first boot'],
    [
      '2026-03-10T12:00:00.001Z',
      firstBootAt,
      'MONEY_SINCE is in the future (2026-03-10 12:00:00 UTC): until then each payout waits for an approval',
    ],
    ['2026-03-10T12:00:00Z', firstBootAt, undefined],
    ['2024-01-01T00:00:00Z', firstBootAt, undefined],
    [
      '2023-12-31T23:59:59.999Z',
      null,
      'MONEY_SINCE is before 2024 (2023-12-31 23:59:59 UTC): the payouts that the old jobs made since then freeze their accounts',
    ],
  ]
  for (const [since, boot, doubt] of cases) {
    t.equal(
      doubtMoneySince({ since: since === undefined ? undefined : new Date(since), firstBootAt: boot }, now),
      doubt,
    )
  }
})

t.test('a boot warns of it once, where there is a job that pays', async t => {
  const warned: unknown[] = []
  const log = { warn: (...said: unknown[]) => void warned.push(said) } as never
  const config = (since: string) => loadConfig(serviceEnv('postgres://u@127.0.0.1:1/x', { MONEY_SINCE: since }))
  noteMoneySince(config('2099-01-01'), indexJobs([]), now, log)
  noteMoneySince(config('2026-01-01'), indexJobs([processPendingPayouts]), now, log)
  t.same(warned, [])
  noteMoneySince(config('2099-01-01'), indexJobs([processPendingPayouts]), now, log)
  t.match(warned, [[{ doubt: /in the future/, advice: /when the old jobs were stopped/ }, 'the cut-over is in doubt']])
})
