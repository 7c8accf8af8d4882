import t from 'tap'
import { aggregate, describeJobs, describeResults, listStatuses } from '../../src/health/aggregate.ts'
import { answerKnown, answerReadiness, type HealthSources } from '../../src/health/answers.ts'
import { type DueJob, type JobRecord, judgeFreshness } from '../../src/health/job-freshness.ts'
import type { HealthStatus, Probe, ProbeResult, ProbeState } from '../../src/health/probe.ts'
import { lastDueAt, listDueBetween } from '../../src/runner/slots.ts'

const checkedAt = new Date('2026-01-05T12:00:00.000Z')

function result(name: string, status: HealthStatus, overrides: Partial<ProbeResult> = {}): ProbeResult {
  const state: ProbeState = status === 'pass' ? 'up' : status === 'warn' ? 'slow' : 'down'
  return { name, status, state, critical: true, latencyMs: 7, checkedAt, ttlMs: 1_000, ...overrides }
}

t.test('criticality decides what a failure means to the whole', t => {
  const table: [string, ProbeResult[], HealthStatus][] = [
    ['nothing known', [], 'pass'],
    ['all well', [result('a', 'pass'), result('b', 'pass', { critical: false })], 'pass'],
    ['a critical one fails', [result('a', 'fail'), result('b', 'pass')], 'fail'],
    ['an optional one fails', [result('a', 'pass'), result('b', 'fail', { critical: false })], 'warn'],
    ['a critical key is refused', [result('a', 'fail', { state: 'misconfigured' })], 'fail'],
    ['an optional key is refused', [result('a', 'fail', { state: 'misconfigured', critical: false })], 'warn'],
    ['a critical one is slow', [result('a', 'warn'), result('b', 'pass')], 'warn'],
    ['one warns, another fails', [result('a', 'warn'), result('b', 'fail')], 'fail'],
    ['one is switched off', [result('a', 'pass', { state: 'disabled' })], 'pass'],
  ]
  for (const [name, results, expected] of table) t.equal(aggregate(results), expected, name)
  t.end()
})

t.test('the public sees names and statuses, operators see the rest', t => {
  const results = [
    result('neon-database', 'warn', { output: 'slow', observed: { waitMs: 3 } }),
    result('qstash', 'fail', { state: 'misconfigured', output: 'refused our token (401)' }),
  ]
  t.strictSame(listStatuses(results), { 'neon-database': [{ status: 'warn' }], qstash: [{ status: 'fail' }] })
  const time = checkedAt.toISOString()
  t.strictSame(describeResults(results), {
    'neon-database:responseTime': [
      {
        status: 'warn',
        state: 'slow',
        componentId: 'neon-database',
        componentType: 'datastore',
        time,
        observedValue: 7,
        observedUnit: 'ms',
        output: 'slow',
      },
    ],
    'neon-database:waitMs': [
      { status: 'warn', componentId: 'neon-database', componentType: 'datastore', time, observedValue: 3 },
    ],
    'qstash:responseTime': [
      {
        status: 'fail',
        state: 'misconfigured',
        componentId: 'qstash',
        componentType: 'system',
        time,
        observedValue: 7,
        observedUnit: 'ms',
        output: 'refused our token (401)',
      },
    ],
  })
  t.end()
})

/** A probe that knows this much, and answers so when it is asked. */
function known(knowledge: ProbeResult | undefined, asked: () => void = () => {}): Probe {
  return {
    name: 'neon-database',
    last: () => knowledge,
    read: async () => {
      asked()
      return knowledge ?? result('neon-database', 'fail')
    },
  }
}

function sources(database: Probe, migrations: Probe): HealthSources {
  const jobs = known(undefined) as unknown as HealthSources['jobs']
  const dependencies = new Map([['neon-database', database]])
  return { state: () => ({ booted: true, draining: false }), dependencies, migrations, jobs }
}

t.test('only a fresh answer of the database makes the process ready', async t => {
  const table: [ProbeResult, HealthStatus][] = [
    [result('neon-database', 'pass'), 'pass'],
    [result('neon-database', 'warn', { state: 'slow' }), 'pass'],
    [result('neon-database', 'warn', { state: 'unknown' }), 'fail'],
    [result('neon-database', 'fail', { state: 'misconfigured' }), 'fail'],
  ]
  const good = known(result('migrations', 'pass'))
  for (const [database, expected] of table) {
    t.equal((await answerReadiness(sources(known(database), good))).status, expected, database.state)
  }
})

t.test('the plain answer asks nothing of anybody', t => {
  const refuse = (): never => t.fail('a probe was read') as never
  const table: [ProbeResult | undefined, HealthStatus][] = [
    [undefined, 'pass'],
    [result('neon-database', 'fail'), 'fail'],
  ]
  for (const [knowledge, expected] of table) {
    const everything = sources(known(knowledge, refuse), known(undefined, refuse))
    t.strictSame(answerKnown(everything, 'public').body, { status: expected })
    t.equal(answerKnown(everything, 'operator').body.status, expected)
  }
  t.end()
})

const dayMs = 24 * 3_600_000

function due(cron: string, graceSeconds: number, overrides: Partial<DueJob> & { timeZone?: string } = {}): DueJob {
  const timing = { cron, timeZone: overrides.timeZone ?? 'UTC' }
  return {
    name: 'a-job',
    priority: 'critical',
    graceSeconds,
    lastDueAt: at => lastDueAt(timing, at),
    listDueBetween: (from, to) => listDueBetween(timing, from, to),
    ...overrides,
  }
}

function record(overrides: Partial<Record<keyof JobRecord, unknown>> = {}): JobRecord {
  return {
    firstBootAt: new Date('2025-12-01T00:00:00Z'),
    pausedAt: null,
    resumedAt: null,
    lastSlot: null,
    lastManualAt: null,
    lastSuccessAt: null,
    recordedSlots: [],
    doubledSlots: 0,
    ...overrides,
  } as JobRecord
}

const at = (time: string): Date => new Date(`2026-01-05T${time}Z`)

t.test('a job is overdue one millisecond after a slot and its grace', t => {
  const everyTenMinutes = due('*/10 * * * *', 300)
  const table: [string, JobRecord, string, string, string | undefined][] = [
    ['the grace is not over', record({ lastSlot: at('11:50:00') }), '12:05:00.000', 'fresh', undefined],
    ['the grace is over', record({ lastSlot: at('11:50:00') }), '12:05:00.001', 'overdue', '12:00:00.000'],
    ['the slot succeeded', record({ lastSlot: at('12:00:00') }), '12:15:00.000', 'fresh', undefined],
    ['a later slot succeeded', record({ lastSlot: at('12:10:00') }), '12:05:00.001', 'fresh', undefined],
    ['nothing ever succeeded', record(), '12:05:00.001', 'overdue', '12:00:00.000'],
    ['first booted after the slot', record({ firstBootAt: at('12:00:00.001') }), '12:15:00.000', 'waiting', undefined],
    ['first booted at the slot', record({ firstBootAt: at('12:00:00') }), '12:05:00.001', 'overdue', '12:00:00.000'],
    [
      'the first slot after boot',
      record({ firstBootAt: at('12:00:00.001') }),
      '12:15:00.001',
      'overdue',
      '12:10:00.000',
    ],
    ['paused', record({ pausedAt: at('09:00:00') }), '12:05:00.001', 'paused', undefined],
    ['resumed after the slot', record({ resumedAt: at('12:00:00.001') }), '12:05:00.001', 'waiting', undefined],
    ['resumed before the slot', record({ resumedAt: at('11:59:59.999') }), '12:05:00.001', 'overdue', '12:00:00.000'],
    [
      'started by hand before the slot',
      record({ lastManualAt: at('11:59:59.999') }),
      '12:05:00.001',
      'overdue',
      '12:00:00.000',
    ],
    ['started by hand after the slot', record({ lastManualAt: at('12:04:00') }), '12:05:00.001', 'fresh', undefined],
  ]
  for (const [name, known, now, state, slot] of table) {
    const judged = judgeFreshness(everyTenMinutes, known, at(now), dayMs)
    t.equal(judged.state, state, name)
    t.equal(judged.status, state === 'overdue' ? 'fail' : 'pass', name)
    t.same(judged.overdueSlot, slot === undefined ? undefined : at(slot), name)
  }
  t.end()
})

t.test('a grace longer than the period looks at the slot before the last one', t => {
  const patient = due('*/10 * * * *', 900)
  t.equal(judgeFreshness(patient, record({ lastSlot: at('11:40:00') }), at('12:05:00'), dayMs).state, 'fresh')
  const late = judgeFreshness(patient, record({ lastSlot: at('11:40:00') }), at('12:05:00.001'), dayMs)
  t.match(late, { state: 'overdue', overdueSlot: at('11:50:00') })
  t.end()
})

t.test('only critical jobs fail, the others warn', t => {
  for (const priority of ['high', 'medium', 'low'] as const) {
    const judged = judgeFreshness(due('0 * * * *', 300, { priority }), record(), at('12:30:00'), dayMs)
    t.match(judged, { status: 'warn', state: 'overdue' })
  }
  t.end()
})

t.test('a job that this database has not seen yet owes nothing', t => {
  const judged = judgeFreshness(due('0 * * * *', 300), undefined, at('12:30:00'), dayMs)
  t.strictSame(judged, { name: 'a-job', status: 'pass', state: 'waiting', missedSlots: 0, doubledSlots: 0 })
  t.end()
})

t.test('slots follow the zone of the job across both clock changes', t => {
  const lisbonMorning = due('0 6 * * *', 1_800, { timeZone: 'Europe/Lisbon' })
  const table: [string, string, string, 'fresh' | 'overdue'][] = [
    ['winter: 06:00 is 06:00 UTC', '2026-03-27T06:00:00Z', '2026-03-28T06:30:00.000Z', 'fresh'],
    ['winter, the grace is over', '2026-03-27T06:00:00Z', '2026-03-28T06:30:00.001Z', 'overdue'],
    ['the day of the change: 05:00 UTC', '2026-03-28T06:00:00Z', '2026-03-29T05:30:00.000Z', 'fresh'],
    ['that day, the grace is over', '2026-03-28T06:00:00Z', '2026-03-29T05:30:00.001Z', 'overdue'],
    ['the last summer day: 05:00 UTC', '2026-10-23T05:00:00Z', '2026-10-24T05:30:00.001Z', 'overdue'],
    ['back to winter: 06:00 UTC', '2026-10-24T05:00:00Z', '2026-10-25T06:30:00.000Z', 'fresh'],
    ['that day, the grace is over', '2026-10-24T05:00:00Z', '2026-10-25T06:30:00.001Z', 'overdue'],
  ]
  for (const [name, lastSlot, now, state] of table) {
    const judged = judgeFreshness(lisbonMorning, record({ lastSlot: new Date(lastSlot) }), new Date(now), dayMs)
    t.equal(judged.state, state, name)
  }
  t.end()
})

t.test('slots that nobody delivered are counted, their grace over, from boot or resume, a day back', t => {
  const hourly = due('0 * * * *', 600)
  const recordedSlots = [at('08:00:00'), at('10:00:00'), at('11:00:00')]
  const known = record({ firstBootAt: at('07:30:00'), recordedSlots, lastSlot: at('11:00:00'), doubledSlots: 2 })
  t.match(judgeFreshness(hourly, known, at('12:10:00.000'), dayMs), { missedSlots: 1, doubledSlots: 2 }, '09:00')
  t.match(judgeFreshness(hourly, known, at('12:10:00.001'), dayMs), { missedSlots: 2 }, '09:00 and 12:00')
  t.match(judgeFreshness(hourly, { ...known, resumedAt: at('09:30:00') }, at('12:09:00'), dayMs), { missedSlots: 0 })
  t.match(judgeFreshness(hourly, { ...known, pausedAt: at('09:30:00') }, at('12:11:00'), dayMs), { missedSlots: 0 })
  const old = judgeFreshness(hourly, record(), at('12:30:00'), dayMs)
  t.match(old, { missedSlots: 24 }, 'those of the last day, though it first booted a month ago')
  t.end()
})

t.test('operators see which slot is overdue and when the job last succeeded', t => {
  const known = record({ lastSlot: at('10:00:00'), lastSuccessAt: at('10:00:02'), recordedSlots: [at('11:00:00')] })
  const judged = judgeFreshness(due('0 * * * *', 300), known, at('11:30:00'), 3_600_000)
  t.strictSame(describeJobs([judged], checkedAt), {
    'a-job:lastSuccess': [
      {
        status: 'fail',
        state: 'overdue',
        componentId: 'a-job',
        componentType: 'component',
        time: checkedAt.toISOString(),
        missedSlots: 0,
        doubledSlots: 0,
        observedValue: '2026-01-05T10:00:02.000Z',
        output: 'the slot of 2026-01-05T11:00:00.000Z has had no success',
      },
    ],
  })
  t.end()
})
