import t from 'tap'
import { graceSeconds, lastDueAt, listDueBetween, nextDueAt, periodSeconds, slotOf } from '../../src/runner/slots.ts'
import { diffPlans, hashPlan } from '../../src/runner/plan-hash.ts'

const utc = (cron: string) => ({ cron, timeZone: 'UTC' })
const iso = (date: Date): string => date.toISOString()

t.test('a delivery belongs to the latest due time not after its arrival plus a minute', async t => {
  const cases = [
    ['*/10 * * * *', '2026-03-10T11:58:59.999Z', '2026-03-10T11:50:00.000Z'],
    ['*/10 * * * *', '2026-03-10T11:59:00.000Z', '2026-03-10T12:00:00.000Z'],
    ['*/10 * * * *', '2026-03-10T11:59:59.000Z', '2026-03-10T12:00:00.000Z'],
    ['*/10 * * * *', '2026-03-10T12:00:00.000Z', '2026-03-10T12:00:00.000Z'],
    ['*/10 * * * *', '2026-03-10T12:00:01.000Z', '2026-03-10T12:00:00.000Z'],
    ['*/10 * * * *', '2026-03-10T12:08:59.999Z', '2026-03-10T12:00:00.000Z'],
    ['0 4 * * *', '2026-03-10T03:59:30.000Z', '2026-03-10T04:00:00.000Z'],
    ['0 4 * * *', '2026-03-11T03:58:59.999Z', '2026-03-10T04:00:00.000Z'],
    ['0 8 * * 1', '2026-03-31T00:00:00.000Z', '2026-03-30T08:00:00.000Z'],
    ['0 0 31 * *', '2026-03-01T00:00:00.000Z', '2026-01-31T00:00:00.000Z'],
  ] as const
  for (const [cron, at, expected] of cases) t.equal(iso(slotOf(utc(cron), new Date(at))), expected, `${cron} at ${at}`)
})

t.test('for a cron of every minute the tolerance is a quarter of the period', async t => {
  const everyMinute = utc('* * * * *')
  t.equal(iso(slotOf(everyMinute, new Date('2026-03-10T11:59:44.999Z'))), '2026-03-10T11:59:00.000Z')
  t.equal(iso(slotOf(everyMinute, new Date('2026-03-10T11:59:45.000Z'))), '2026-03-10T12:00:00.000Z')
})

t.test('an uneven cron takes the quarter of its shortest gap', async t => {
  const uneven = utc('0,1 * * * *')
  t.equal(iso(slotOf(uneven, new Date('2026-03-10T12:00:44.999Z'))), '2026-03-10T12:00:00.000Z')
})

t.test('due times are inclusive before and exclusive after', async t => {
  const job = utc('*/10 * * * *')
  const at = new Date('2026-03-10T12:00:00.000Z')
  t.equal(iso(lastDueAt(job, at)), '2026-03-10T12:00:00.000Z')
  t.equal(iso(lastDueAt(job, new Date(at.getTime() - 1))), '2026-03-10T11:50:00.000Z')
  t.equal(iso(nextDueAt(job, at)), '2026-03-10T12:10:00.000Z')
  t.equal(iso(nextDueAt(job, new Date(at.getTime() - 1))), '2026-03-10T12:00:00.000Z')
  const listed = listDueBetween(job, at, new Date('2026-03-10T12:20:00.000Z')).map(iso)
  t.same(listed, ['2026-03-10T12:00:00.000Z', '2026-03-10T12:10:00.000Z'])
})

t.test('in a zone with clock changes a daily job is due once a local day', async t => {
  const daily = { cron: '30 1 * * *', timeZone: 'Europe/Lisbon' }
  const due = (from: string, to: string): string[] => listDueBetween(daily, new Date(from), new Date(to)).map(iso)
  t.same(due('2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z'), ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'])
  t.equal(due('2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z').length, 1, 'also where the hour is skipped')
})

t.test('the period is the longest gap of the cron expression', async t => {
  t.equal(periodSeconds(utc('*/10 * * * *')), 600)
  t.equal(periodSeconds(utc('0 */2 * * *')), 7_200)
  t.equal(periodSeconds(utc('0 8 * * 1')), 604_800)
  t.equal(periodSeconds(utc('0 9 * * 1-5')), 3 * 86_400)
  t.equal(periodSeconds({ cron: '0 9 * * *', timeZone: 'Europe/Lisbon' }), 25 * 3_600, 'one day of the year is longer')
})

t.test('the grace is a share of the period by class, never under 300 s, unless the job says', async t => {
  const grace = (
    cron: string,
    jobClass: 'financial' | 'revenue' | 'experience' | 'operational',
    own?: number,
  ): number => graceSeconds({ ...utc(cron), class: jobClass, ...(own === undefined ? {} : { graceSeconds: own }) })
  t.equal(grace('0 */2 * * *', 'financial'), 1_440)
  t.equal(grace('0 6 * * *', 'financial'), 17_280)
  t.equal(grace('*/15 * * * *', 'revenue'), 300)
  t.equal(grace('*/30 * * * *', 'experience'), 540)
  t.equal(grace('0 4 * * *', 'operational'), 43_200)
  t.equal(grace('0 2 * * *', 'operational', 1_800), 1_800)
})

t.test('a plan hash covers what would be done and nothing else', async t => {
  const pay = { kind: 'pay', subject: '1', amountCents: 100, currency: 'eur', destination: 'acct_1' }
  const touch = { kind: 'touch', subject: '2' }
  const hash = hashPlan([pay, touch])
  t.equal(hashPlan([touch, { ...pay, note: 'wording' } as typeof pay]), hash, 'order and wording do not count')
  for (const change of [
    { kind: 'x' },
    { subject: '9' },
    { amountCents: 101 },
    { currency: 'usd' },
    { destination: 'acct_2' },
  ]) {
    t.not(hashPlan([{ ...pay, ...change }, touch]), hash, JSON.stringify(change))
  }
  t.not(hashPlan([pay]), hash)
  t.not(hashPlan([pay, pay, touch]), hash, 'twice is not once')
  t.same(diffPlans([pay, touch], [touch, { ...pay, amountCents: 200 }]), {
    added: [{ kind: 'pay', subject: '1', amount: 200, currency: 'eur', destination: 'acct_1' }],
    removed: [{ kind: 'pay', subject: '1', amount: 100, currency: 'eur', destination: 'acct_1' }],
  })
})
