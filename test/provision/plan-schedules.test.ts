import t from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import type { Schedule } from '../../src/providers/schedules.ts'
import { countPending, planSchedules } from '../../src/provision/plan-schedules.ts'
import { countDeliveriesADay } from '../../src/provision/schedule-figures.ts'
import { listWantedSchedules } from '../../src/provision/wanted-schedules.ts'
import { publicUrl, realSchedule, scheduledJob } from '../support/schedules.ts'

t.test('every job has its schedule, whose timeout is above its own deadline', async t => {
  const wanted = listWantedSchedules(jobs, publicUrl)
  t.equal(wanted.length, jobs.length)
  for (const [index, { cron, name, retries, timeoutMs, timeZone }] of jobs.entries()) {
    const schedule = wanted[index]
    t.match(schedule, { id: `jobs.${name}`, cron, timeZone, retries, destination: `${publicUrl}/jobs/${name}` })
    t.ok((schedule?.timeoutSeconds ?? 0) * 1000 > timeoutMs, name)
    t.ok((schedule?.timeoutSeconds ?? 0) <= 900, 'and no longer than the free plan waits')
    t.equal(schedule?.failureCallback, `${publicUrl}/qstash/failure`)
    t.match(name, /^[\w.-]+$/, 'QStash takes it as an id')
  }
})

t.test('each field that was changed elsewhere is told, and pausing is not one of them', async t => {
  const flow = { key: 'stripe', parallelism: 1 }
  const job = scheduledJob('a', { scheduleBody: '{"n":1}', flowControl: flow, timeZone: 'Europe/Lisbon' })
  const right: Partial<Schedule> = { body: '{"n":1}', flowControl: flow, timeZone: 'Europe/Lisbon' }
  const tell = (changed: Partial<Schedule>): string[] => {
    const real = realSchedule('a', { ...right, ...changed })
    const { changes } = planSchedules([real], { jobs: [job], publicUrl, resumed: ['jobs.a'] })
    return changes.flatMap(({ differences }) => differences.map(one => `${one.field}: ${one.is} → ${one.wanted}`))
  }
  t.strictSame(tell({}), [])
  t.strictSame(tell({ paused: true }), [])
  const cases: readonly (readonly [Partial<Schedule>, string])[] = [
    [{ cron: '5 4 * * *' }, 'cron: 5 4 * * * → 0 4 * * *'],
    [{ timeZone: 'UTC' }, 'zone: UTC → Europe/Lisbon'],
    [{ destination: `${publicUrl}/jobs/b` }, `destination: ${publicUrl}/jobs/b → ${publicUrl}/jobs/a`],
    [{ method: 'GET' }, 'method: GET → POST'],
    [{ retries: 0 }, 'retries: 0 → 3'],
    [{ timeoutSeconds: 60 }, 'timeout: 60 s → 120 s'],
    [{ timeoutSeconds: undefined }, 'timeout: unknown → 120 s'],
    [{ body: undefined }, 'body: none → {"n":1}'],
    [{ failureCallback: undefined }, `failure callback: none → ${publicUrl}/qstash/failure`],
    [{ flowControl: undefined }, 'flow control: none → stripe: 1 at once'],
    [
      { flowControl: { ...flow, rate: 9, periodSeconds: 60 } },
      'flow control: stripe: 1 at once, 9 in 60 s → stripe: 1 at once',
    ],
    [{ callback: `${publicUrl}/x` }, `callback: ${publicUrl}/x → none`],
    [{ queue: 'q' }, 'queue: q → none'],
    [{ headers: { 'x-b': 'planted', 'x-a': '1' } }, 'headers: x-a, x-b → none'],
    [{ queue: 'sk_live_planted123456' }, 'queue: [key] → none'],
    [{ retryDelay: 'whsec_planted123456' }, 'retry delay: [key] → none'],
    [{ cron: '30 12 15 10 31' }, 'cron: 30 12 15 10 31 → 0 4 * * *'],
    [{ cron: 'sk_live_planted123456' }, 'cron: [key] → 0 4 * * *'],
    [
      { flowControl: { key: 'sk_live_planted123456', parallelism: 1 } },
      'flow control: [key]: 1 at once → stripe: 1 at once',
    ],
    [{ delaySeconds: 9 }, 'delay: 9 s → none'],
    [{ retryDelay: '1000' }, 'retry delay: 1000 → none'],
    [{ keptPaused: true }, 'paused: no, but it was when it was changed last → no'],
  ]
  for (const [changed, told] of cases) t.strictSame(tell(changed), [told])
  t.strictSame(tell({ keptPaused: true, paused: true }), [])

  const long = 'x'.repeat(200)
  t.match(tell({ body: `${long}y` })[0], /^body: x{60}… \(201 characters, \w+\) → \{"n":1\}$/)
})

t.test('what is missing, ours without a job, paused, and not ours is told apart', async t => {
  const jobs = ['a', 'b', 'c', 'd', 'e'].map(name => scheduledJob(name))
  const real = [
    realSchedule('b', { cron: '1 1 * * *', paused: true }),
    realSchedule('c', { paused: true }),
    realSchedule('d'),
    realSchedule('e', { keptPaused: true, cron: '1 1 * * *' }),
    realSchedule('gone'),
    realSchedule('x', { id: 'scd_old', destination: 'https://www.example.test/api/cron/d' }),
    realSchedule('y', { id: 'Jobs.a' }),
    realSchedule('w', {
      id: 'scd_forward',
      destination: 'https://www.example.test/api/qstash',
      headers: { 'x-qstash-target-url': 'https://www.example.test/api/cron/a' },
    }),
    realSchedule('z', { id: 'jobs' }),
  ]
  const plan = planSchedules(real, { jobs, publicUrl })
  t.strictSame(
    plan.creates.map(({ id }) => id),
    ['jobs.a'],
  )
  t.match(plan.changes, [{ wanted: { id: 'jobs.b' }, paused: true, differences: [{ field: 'cron' }] }])
  t.strictSame(
    plan.orphans.map(({ id }) => id),
    ['jobs.gone'],
  )
  t.strictSame(
    plan.paused.map(({ id }) => id),
    ['jobs.b', 'jobs.c'],
  )
  t.strictSame(
    plan.unchanged.map(({ id }) => id),
    ['jobs.c', 'jobs.d'],
  )
  t.strictSame(
    plan.unmanaged.map(({ job, schedule: { id } }) => [id, job]),
    [
      ['scd_old', 'd'],
      ['Jobs.a', undefined],
      ['scd_forward', 'a'],
      ['jobs', undefined],
    ],
  )
  t.strictSame(
    plan.doubtful.map(({ id }) => id),
    ['jobs.e'],
  )
  t.equal(countPending(plan), 3, 'neither what is paused nor doubtful nor not ours is to be done')
  t.match(plan.warnings, [
    /^jobs\.e was paused .+--resumed jobs\.e` if it may run$/,
    /^scd_old is not ours and calls d too, a second time for nothing/,
    /^scd_forward is not ours and calls a too/,
  ])
})

t.test('an id that is listed twice stops everything', async t => {
  const twice = [realSchedule('a'), realSchedule('b'), realSchedule('a', { cron: '1 1 * * *' })]
  t.throws(() => planSchedules(twice, { jobs: [scheduledJob('a')], publicUrl }), /lists jobs\.a twice/)
})

t.test('it warns above the plan of the account, and before another environment is taken over', async t => {
  const many = Array.from({ length: 10 }, (_, index) => scheduledJob(`job-${index}`))
  const alien = realSchedule('x', { id: 'scd_1', destination: 'https://elsewhere.test/' })
  const orphans = Array.from({ length: 3 }, (_, index) => realSchedule(`gone-${index}`))
  t.strictSame(planSchedules(orphans, { jobs: many, publicUrl }).warnings, [], 'orphans leave')
  t.match(planSchedules([alien], { jobs: many, publicUrl }).warnings, [/^11 schedules would be .+ only 10/])
  t.strictSame(planSchedules([alien], { jobs: many, publicUrl, planLimit: 1000 }).warnings, [])
  const all = [alien, ...many.map(({ name }) => realSchedule(name))]
  t.strictSame(planSchedules(all, { jobs: many, publicUrl }).warnings, [], 'what is there was allowed')
  const limited = planSchedules(all, { jobs: many, publicUrl, planLimit: 10 }).warnings
  t.match(limited, [/^11 schedules would be .+ only 10/], 'unless somebody says how many are')

  const staging = realSchedule('a', { destination: 'https://staging.example.test/jobs/a' })
  t.match(planSchedules([staging], { jobs: [scheduledJob('a')], publicUrl }).warnings, [
    /^jobs\.a calls staging\.example\.test now: is this the QStash account of another environment\?$/,
  ])
  const moves = (destination: string) =>
    planSchedules([realSchedule('a', { destination })], { jobs: [scheduledJob('a')], publicUrl }).changes.map(
      ({ movedFrom }) => movedFrom,
    )
  t.strictSame(moves('https://staging.example.test/jobs/a'), ['staging.example.test'])
  t.strictSame(moves('http://jobs.example.test/jobs/a'), ['jobs.example.test'])
  t.strictSame(moves('https://elsewhere.test/'), [undefined], 'a mistake, and no environment of ours')
  t.strictSame(moves('group'), [undefined])
})

t.test('deliveries are counted by the cron; what is paused makes none, and a strange cron is unknown', async t => {
  const now = new Date('2026-03-01T00:00:00Z')
  t.equal(countDeliveriesADay(realSchedule('a', { cron: '*/15 * * * *' }), now), 96)
  t.equal(countDeliveriesADay(realSchedule('a', { cron: '0 8 * * 1' }), now), 1 / 7)
  t.equal(countDeliveriesADay(realSchedule('a', { paused: true }), now), 0)
  t.equal(countDeliveriesADay(realSchedule('a', { cron: '@hourly and more' }), now), undefined)
})
