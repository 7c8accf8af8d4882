import t from 'tap'
import type { Look, Observation } from '../../src/diagnostics/component.ts'
import { lookAtDatabase } from '../../src/diagnostics/database.ts'
import { lookAtEnvironment } from '../../src/diagnostics/environment.ts'
import { lookAtHeartbeats, type WatchedJob } from '../../src/diagnostics/heartbeats.ts'
import { lookAtNovu } from '../../src/diagnostics/novu.ts'
import { lookAtQstash, type ScheduleReads } from '../../src/diagnostics/qstash.ts'
import { lookAtStripe } from '../../src/diagnostics/stripe.ts'
import { pauseJob, resumeJob } from '../../src/database/job-settings.ts'
import { createJobsProbe } from '../../src/health/jobs-probe.ts'
import { workflows } from '../../src/notices/catalogue.ts'
import type { Schedule } from '../../src/providers/schedules.ts'
import { planSchedules } from '../../src/provision/plan-schedules.ts'
import { listWantedSchedules } from '../../src/provision/wanted-schedules.ts'
import { addFinding } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { insertRun } from '../support/health.ts'
import { addOperation } from '../support/operations.ts'
import { stoppedClock, testJob } from '../support/runner.ts'

const never = new AbortController().signal
const log = { info: () => {}, warn: () => {} }

/** What all looks come to together, one after the other. */
async function look(looks: readonly Look[]): Promise<Required<Observation>> {
  const all: Observation[] = []
  for (const { see } of looks) all.push(await see(never))
  return {
    issues: all.flatMap(({ issues }) => issues),
    details: Object.assign({}, ...all.map(({ details = {} }) => details)) as Record<string, unknown>,
  }
}

const issuesOf = async (looks: readonly Look[]): Promise<string[]> =>
  (await look(looks)).issues.map(({ issue, severity }) => `${severity}: ${issue}`)

t.test('environment: memory, runs that failed, jobs that keep failing, what is not set', async t => {
  const { db } = await testDatabase(t)
  const clock = stoppedClock()
  let memoryBytes = 150 * 2 ** 20
  const looks = lookAtEnvironment({
    db,
    clock,
    mode: 'production',
    preview: false,
    version: '1.0.0',
    release: undefined,
    moneySince: undefined,
    paysOut: true,
    optional: [{ variable: 'CLERK_SECRET_KEY', isSet: false, lost: 'no token is refreshed' }],
    criticalJobs: ['keep-alive'],
    process: () => ({ memoryBytes, uptimeSeconds: 3_600, node: 'v24' }),
  })
  t.strictSame(await issuesOf(looks), [
    'warn: MONEY_SINCE is not set: what counts is the first boot',
    'warn: CLERK_SECRET_KEY is not set: no token is refreshed',
  ])
  const others = async (): Promise<string[]> => (await issuesOf(looks)).slice(2)
  memoryBytes = 600 * 2 ** 20
  t.match(await others(), [/^fail: this process takes 600 MB/])
  memoryBytes = 0
  for (let each = 0; each < 97; each += 1)
    await insertRun(db, { job: 'keep-alive', started_at: clock(), state: 'succeeded' })
  t.strictSame(await others(), [])
  for (let each = 0; each < 3; each += 1)
    await insertRun(db, { job: 'keep-alive', started_at: clock(), state: 'failed' })
  await insertRun(db, { job: 'keep-alive', started_at: new Date(clock().getTime() - 86_400_001), state: 'failed' })
  t.strictSame(await others(), ['warn: 3 of 100 runs of the last 24 hours failed (3 %)'])
  clock.advance(86_400_001)
  t.strictSame(await others(), [], 'nothing ran')
  await pauseJob(db, { job: 'keep-alive', operator: 'ana', reason: 'the site is being moved', now: clock() })
  clock.advance(3 * 3_600_000)
  t.strictSame(await others(), [
    'warn: the job keep-alive has been paused for 3 h (the site is being moved): it does nothing until it is resumed',
  ])
  await resumeJob(db, { job: 'keep-alive', operator: 'ana', reason: 'it has moved', now: clock() })
  await addFinding(db, { kind: 'job-failing', subject: 'keep-alive' })
  await addFinding(db, { kind: 'job-failing', subject: 'process-tasks' })
  await addFinding(db, { kind: 'zone-invalid', subject: 'x' })
  t.strictSame(await others(), [
    'fail: the job keep-alive keeps failing',
    'warn: the job process-tasks keeps failing',
    'warn: 1 finding for a person to look at',
  ])
})

t.test('database: a pool that is used up is told even where nobody answers', async t => {
  const { db } = await testDatabase(t)
  const [pool, ...others] = lookAtDatabase(db)
  t.match(await look(others), { issues: [], details: { missingMigrations: 0 } })
  const held = Promise.withResolvers<void>()
  const holders = Array.from({ length: 10 }, async () => await db.connection().execute(async () => await held.promise))
  const waiting = issuesOf(others)
  const seen = async (): Promise<string[]> => await issuesOf(pool === undefined ? [] : [pool])
  while ((await seen()).length < 2) await new Promise(setImmediate)
  t.match(await seen(), [
    'fail: 10 of 10 connections of the pool are in use',
    /^fail: \d queries wait for a connection$/,
  ])
  held.resolve()
  await Promise.all([...holders, waiting])
  t.strictSame(await seen(), [])
})

t.test('qstash: schedules, what was given up, silence', async t => {
  const { db } = await testDatabase(t)
  const clock = stoppedClock()
  const job = testJob({ name: 'keep-alive', priority: 'critical' })
  const publicUrl = 'https://jobs.test'
  const [wanted] = listWantedSchedules([job], publicUrl)
  const real = {
    ...wanted,
    callback: undefined,
    queue: undefined,
    delaySeconds: undefined,
    retryDelay: undefined,
    paused: false,
    keptPaused: false,
    lastDueAt: undefined,
    nextDueAt: undefined,
    lastState: undefined,
  } as Schedule
  const looksOf = (schedules: readonly Schedule[], deadLetters = 0, preview = false): readonly Look[] => {
    const reads: ScheduleReads = {
      readPlan: async () => planSchedules(schedules, { jobs: [job], publicUrl }),
      countDeadLetters: async () => deadLetters,
    }
    const timeliness = createJobsProbe({ db, clock, log, jobs: [] })
    return lookAtQstash({
      db,
      clock,
      preview,
      schedules: reads,
      criticalJobs: [job.name],
      quietMs: 1_800_000,
      timeliness,
    })
  }
  t.strictSame(await issuesOf(looksOf([real])), [])
  t.strictSame(await issuesOf(looksOf([])), ['fail: the schedule jobs.keep-alive is missing'])
  t.strictSame(await issuesOf(looksOf([], 0, true)), [], 'a preview has none')
  t.strictSame(await issuesOf(looksOf([{ ...real, paused: true }])), ['fail: the schedule jobs.keep-alive is paused'])
  t.strictSame(
    await issuesOf(
      looksOf(
        [
          { ...real, cron: '0 0 * * *' },
          { ...real, id: 'jobs.old' },
        ],
        2,
      ),
    ),
    [
      'warn: the schedule jobs.keep-alive is not as its job asks for: cron',
      'warn: the schedule jobs.old calls a job that does not exist',
      'warn: QStash gave up 2 messages',
    ],
  )
  await insertRun(db, { job: 'keep-alive', started_at: clock(), state: 'succeeded', trigger: 'schedule' })
  clock.advance(1_800_000)
  t.strictSame(await issuesOf(looksOf([real])), [])
  clock.advance(1)
  t.strictSame(await issuesOf(looksOf([real])), ['fail: no schedule has called for 30 min'])
  const timeliness = createJobsProbe({ db, clock, log, jobs: [] })
  const without = lookAtQstash({
    db,
    clock,
    preview: false,
    schedules: undefined,
    criticalJobs: [],
    quietMs: 1e12,
    timeliness,
  })
  t.match(await issuesOf(without), [/^warn: QSTASH_TOKEN is not set/])
})

t.test('novu: workflows, notices that wait or are set aside, and who is told', async t => {
  const { db } = await testDatabase(t)
  const clock = stoppedClock()
  const real = Object.keys(workflows).map(id => ({ id, active: true, payloadSchema: undefined }))
  const looksOf = (known: typeof real, hasRecipient = true): readonly Look[] =>
    lookAtNovu({
      db,
      clock,
      preview: false,
      hasRecipient,
      notifications: { getWorkflows: async ids => known.filter(({ id }) => ids.includes(id)) },
    })
  t.strictSame(await issuesOf(looksOf(real)), [])
  t.strictSame(await issuesOf(looksOf(real.slice(1), false)), [
    `fail: the workflow ${real[0]?.id}: missing`,
    'warn: NOVU_ADMIN_SUBSCRIBER_ID is not set: nobody is told of jobs that keep failing',
  ])
  const owe = async (state: 'pending' | 'poison', occurrence: string): Promise<void> => {
    const finished_at = state === 'poison' ? clock() : null
    const about = { kind: 'job-failing', subject: 'x', recipient: 'planted', occurrence, transaction_id: occurrence }
    const times = { next_attempt_at: clock(), created_at: clock(), finished_at }
    await db
      .insertInto('jobs.outbox')
      .values({ ...about, ...times, facts: '{}', state })
      .execute()
  }
  await owe('pending', '1')
  await owe('poison', '2')
  t.strictSame(await issuesOf(looksOf(real)), ['warn: 1 notice set aside: not to be sent as written'])
  clock.advance(16 * 60_000)
  // Novu asked for a pause: it is tried in an hour, and waits all the same.
  await db
    .updateTable('jobs.outbox')
    .set({ next_attempt_at: new Date(clock().getTime() + 3_600_000) })
    .execute()
  t.match(await issuesOf(looksOf(real)), ['warn: 1 notice waiting, the oldest for 16 min', /^warn: 1 notice/])
})

t.test('heartbeats: jobs that nobody would miss, twins, pings that do not arrive', async t => {
  const { db } = await testDatabase(t)
  const clock = stoppedClock()
  const one = { job: 'keep-alive', variable: 'K', isCritical: true, isSet: true, twin: undefined }
  const two = { job: 'process-tasks', variable: 'T', isCritical: false, isSet: true, twin: undefined }
  const looksOf = (jobs: readonly WatchedJob[], preview = false) => lookAtHeartbeats({ db, clock, preview, jobs })
  t.match(await look(looksOf([one, two])), { issues: [], details: { neverPinged: ['keep-alive', 'process-tasks'] } })
  const unset = [
    { ...one, isSet: false },
    { ...two, isSet: false },
  ]
  t.match(await issuesOf(looksOf(unset)), [
    /^fail: keep-alive has no heartbeat/,
    /^warn: process-tasks has no heartbeat/,
  ])
  t.strictSame(await issuesOf(looksOf(unset, true)), [], 'a preview is silent')
  t.match(await issuesOf(looksOf([one, { ...two, twin: 'keep-alive' }])), [
    /^fail: process-tasks reports to the heartbeat of keep-alive/,
  ])

  const at = { happened_at: clock(), next_attempt_at: clock() }
  const true_until = new Date(clock().getTime() + 86_400_000)
  await db
    .insertInto('jobs.heartbeat_pings')
    .values({ job: 'keep-alive', kind: 'fail', ...at, true_until })
    .execute()
  clock.advance(15 * 60_000)
  t.strictSame(await issuesOf(looksOf([one, two])), [])
  clock.advance(60_000)
  t.strictSame(await issuesOf(looksOf([one, two])), ['warn: a ping of keep-alive has not arrived for 16 min'])
  await addFinding(db, { kind: 'heartbeat-unknown', subject: 'process-tasks' })
  t.match(await issuesOf(looksOf([one, two])), [
    'fail: Better Stack does not know the heartbeat of process-tasks',
    /^warn/,
  ])
})

t.test('stripe: whose key it is, operations that wait, discrepancies', async t => {
  const { db } = await testDatabase(t)
  const clock = stoppedClock()
  let real: { account: string; live: boolean } | undefined = { account: 'acct_1', live: true }
  const looksOf = (production = true): readonly Look[] =>
    lookAtStripe({
      db,
      clock,
      production,
      moneyJobs: ['process-pending-payouts'],
      payments: {
        readPlatform: async () => {
          if (real === undefined) throw new Error('stripe did not tell about our own account')
          return { ...real, now: clock() }
        },
      },
    })
  t.strictSame(await issuesOf(looksOf()), [])
  real = { account: 'acct_1', live: false }
  t.match(await issuesOf(looksOf()), [/^warn: STRIPE_SECRET_KEY is a test key/])
  t.strictSame(await issuesOf(looksOf(false)), [])
  await db.insertInto('jobs.stripe_account').values({ account: 'acct_1', live: true, pinned_at: clock() }).execute()
  t.match(await issuesOf(looksOf(false)), [
    /^fail: this database belongs to acct_1 \(live\), and the key to acct_1 \(test\)$/,
  ])
  real = { account: 'acct_1', live: true }
  await addFinding(db, { kind: 'operation-held', subject: '1', job: 'process-pending-payouts' })
  t.strictSame(await issuesOf(looksOf()), [], 'a decision that waits differs from nothing')
  await addFinding(db, { kind: 'balance-unexplained', subject: '2', job: 'process-pending-payouts' })
  t.match(await issuesOf(looksOf()), [/^fail: 1 open finding of .+; 0 rows paid in 30 days \(100 %\)$/])

  const operations = async (): Promise<string[]> => (await issuesOf(looksOf())).slice(0, -1)
  const at = clock()
  await addOperation(db, { state: 'held', created_at: at, updated_at: at })
  await addOperation(db, { state: 'unknown', created_at: at, updated_at: at })
  t.strictSame(await operations(), ['warn: 1 money operation held, the oldest for 0 s'])
  clock.advance(3_600_000)
  t.strictSame((await operations()).slice(1), ['warn: 1 money operation unknown, the oldest for 60 min'])
  clock.advance(48 * 3_600_000)
  await addOperation(db, { state: 'blocked', created_at: at, updated_at: at })
  t.strictSame(await operations(), [
    'fail: 1 money operation blocked, the oldest for 2 days',
    'warn: 1 money operation held, the oldest for 2 days',
    'fail: 1 money operation unknown, the oldest for 2 days',
  ])
  t.match(await look(looksOf()), {
    details: { discrepancies: 1, rowsMoved30d: 3, operations: { held: 1, unknown: 1, blocked: 1 } },
  })
  real = undefined
  await t.rejects(look(looksOf().slice(0, 1)), /did not tell/)
  t.strictSame((await look(looksOf().slice(1, 2))).issues, [], 'told once')
})
