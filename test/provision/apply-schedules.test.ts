import t, { type Test } from 'tap'
import { createHttp } from '../../src/providers/http.ts'
import { createQstashSchedules } from '../../src/providers/qstash-schedules.ts'
import type { Schedules } from '../../src/providers/schedules.ts'
import { PermanentError } from '../../src/errors.ts'
import { type AppliedStep, applySchedules, removeSchedules } from '../../src/provision/apply-schedules.ts'
import { countPending, readSchedulePlan } from '../../src/provision/plan-schedules.ts'
import type { ScheduledJob } from '../../src/provision/wanted-schedules.ts'
import { dailyQuotaHeaders } from '../../src/sandbox/qstash/faults.ts'
import { type Account, openAccount, publicUrl, scheduledJob, snapshot } from '../support/schedules.ts'

const flow = { key: 'stripe', parallelism: 1 }
const jobs = [
  scheduledJob('a', { timeZone: 'Europe/Lisbon' }),
  scheduledJob('b', { scheduleBody: '{"n":1}', flowControl: flow }),
  scheduledJob('c', { retries: 0 }),
  scheduledJob('d', { flowControl: { key: 'novu', rate: 5, periodSeconds: 60 } }),
  scheduledJob('e'),
]

function open(t: Test, { qstash }: Account, timeoutMs = 5_000): Schedules {
  const http = createHttp()
  t.teardown(async () => await http.close())
  const { token, url } = qstash
  return createQstashSchedules({ url, token, fetch: http.fetch, clock: () => new Date(), timeoutMs })
}

const { signal } = new AbortController()

async function plan(schedules: Schedules, among: readonly ScheduledJob[] = jobs, resumed: readonly string[] = []) {
  return await readSchedulePlan(schedules, { jobs: among, publicUrl, resumed }, signal)
}

async function apply(schedules: Schedules, among: readonly ScheduledJob[] = jobs): Promise<AppliedStep[]> {
  return await applySchedules(schedules, await plan(schedules, among), { signal })
}

function tell(steps: readonly AppliedStep[]): string[] {
  return steps.map(({ action, id, outcome }) => `${action} ${id} ${outcome}`)
}

t.test('from nothing, everything is created once, and a second time there is nothing to do', async t => {
  const account = await openAccount(t)
  const schedules = open(t, account)
  t.strictSame(
    tell(await apply(schedules)),
    jobs.map(({ name }) => `create jobs.${name} done`),
  )
  const found = await plan(schedules)
  t.equal(countPending(found), 0)
  t.strictSame(await apply(schedules), [])
  t.match(await account.client.schedules.get('jobs.a'), { cron: 'CRON_TZ=Europe/Lisbon 0 4 * * *' })
  t.match(await account.client.schedules.get('jobs.b'), { body: '{"n":1}', flowControlKey: 'stripe', parallelism: 1 })
  t.match(await account.client.schedules.get('jobs.c'), { retries: 0, failureCallback: `${publicUrl}/qstash/failure` })
  t.match(await account.client.schedules.get('jobs.d'), { flowControlKey: 'novu', rate: 5, period: 60 })
  t.strictSame(account.qstash.notModelled(), [])
})

t.test(
  'from a drifted state, what differs is replaced, what is paused stays so, and nothing of others is touched',
  async t => {
    for (const upsertResumes of [true, false]) {
      const account = await openAccount(t, { upsertResumes })
      const { client, qstash } = account
      const schedules = open(t, account)
      await apply(schedules)
      const others = [
        { scheduleId: 'scd_old', destination: 'https://www.example.test/api/cron/a', cron: '0 * * * *' },
        { scheduleId: 'jobsx', destination: `${publicUrl}/jobs/a`, cron: '0 * * * *' },
      ]
      for (const other of others) await client.schedules.create(other)
      const untouched = (await snapshot(account)).filter(
        one => !(one as { scheduleId: string }).scheduleId.startsWith('jobs.'),
      )

      await client.schedules.create({
        scheduleId: 'jobs.a',
        destination: 'https://moved.test/a',
        cron: '1 1 * * *',
        retries: 9,
      })
      await client.schedules.pause({ schedule: 'jobs.a' })
      await client.schedules.pause({ schedule: 'jobs.b' })
      await client.schedules.delete('jobs.c')
      await client.schedules.create({
        scheduleId: 'jobs.gone',
        destination: `${publicUrl}/jobs/gone`,
        cron: '0 * * * *',
      })
      const from = qstash.apiCalls().length
      t.strictSame(tell(await apply(schedules)), ['create jobs.c done', 'change jobs.a done', 'remove jobs.gone done'])
      const verbs = qstash
        .apiCalls()
        .slice(from)
        .map(call => call.split(' ')[0])
      t.strictSame(verbs, ['GET', 'POST', 'POST', 'PATCH', 'DELETE'], 'one list, no delete before the end')

      const found = await plan(schedules)
      t.equal(countPending(found), 0)
      t.strictSame(
        found.paused.map(({ id }) => id),
        ['jobs.a', 'jobs.b'],
      )
      const left = (await snapshot(account)).filter(
        one => !(one as { scheduleId: string }).scheduleId.startsWith('jobs.'),
      )
      t.strictSame(left, untouched)
    }
  },
)

t.test('a schedule that was paused, and whose change was cut off before it was paused again, is told', async t => {
  const account = await openAccount(t)
  const schedules = open(t, account)
  await apply(schedules)
  await account.client.schedules.pause({ schedule: 'jobs.a' })
  account.qstash.faults.failApiCalls(/^PATCH /, { status: 500, headers: {} }, 2)
  const changed = jobs.with(0, scheduledJob('a', { cron: '9 9 * * *' }))
  const [step] = await apply(schedules, changed)
  t.match(step, { id: 'jobs.a', outcome: 'failed', reason: /may run now, although it was paused/ })
  const found = await plan(schedules, changed)
  t.match(found.doubtful, [{ id: 'jobs.a', paused: false }])
  t.strictSame(await apply(schedules, changed), [], 'and is not touched: nobody knows whether it may run')
  t.match(found.warnings, [/^jobs\.a was paused when it was changed last, and runs now/])

  await account.client.schedules.pause({ schedule: 'jobs.a' })
  t.equal(countPending(await plan(schedules, changed)), 0, 'paused by hand it is whole')
  await account.client.schedules.resume({ schedule: 'jobs.a' })
  t.strictSame(await apply(schedules, changed), [], 'resumed by hand looks the same')
  const said = await plan(schedules, changed, ['jobs.a'])
  t.strictSame(tell(await applySchedules(schedules, said, { signal })), ['change jobs.a done'], 'the mark goes')
  t.match(await plan(schedules, changed), { doubtful: [], changes: [], warnings: [] })
})

t.test('a paused schedule whose change had no answer is paused again, whether it was changed or not', async t => {
  const changed = jobs.with(0, scheduledJob('a', { cron: '9 9 * * *' }))
  for (const react of ['lose', 'hang', { status: 502, headers: {} }] as const) {
    const account = await openAccount(t, { upsertResumes: true })
    const schedules = open(t, account, 400)
    await apply(schedules)
    await account.client.schedules.pause({ schedule: 'jobs.a' })
    account.qstash.faults.failApiCalls(/^POST .*\/jobs\/a$/, react)
    t.match(await apply(schedules, changed), [
      { id: 'jobs.a', outcome: 'failed', reason: /; whether it was changed is not known, and it is paused again$/ },
    ])
    t.match(await account.client.schedules.get('jobs.a'), { isPaused: true })
    await apply(schedules, changed)
    t.match(await account.client.schedules.get('jobs.a'), { isPaused: true, cron: '9 9 * * *' })
    t.match(await plan(schedules, changed), { doubtful: [], changes: [] })
  }
  const account = await openAccount(t, { upsertResumes: true })
  const schedules = open(t, account, 400)
  await apply(schedules)
  await account.client.schedules.pause({ schedule: 'jobs.a' })
  account.qstash.faults.failApiCalls(/^PATCH /, { status: 500, headers: {} })
  const other = jobs.with(0, scheduledJob('a', { cron: '8 8 * * *' }))
  t.strictSame(tell(await apply(schedules, other)), ['change jobs.a done'], 'a pause that fails once is tried again')
  t.match(await account.client.schedules.get('jobs.a'), { isPaused: true, cron: '8 8 * * *' })
  account.qstash.faults.failApiCalls(/^POST .*\/jobs\/a$/, { status: 400, headers: {} })
  const from = account.qstash.apiCalls().length
  t.match(await apply(schedules, changed), [{ outcome: 'failed', reason: /^QStash answered 400/ }])
  t.notOk(
    account.qstash
      .apiCalls()
      .slice(from)
      .some(call => call.startsWith('PATCH')),
    'a refusal changes nothing',
  )
})

t.test('what QStash says of a failure is told without secrets', async t => {
  const account = await openAccount(t)
  const schedules = open(t, account)
  const secrets = 'Bearer planted-qstash-token; ana@planted.test, sk_live_planted123456'
  const failing: Schedules = {
    ...schedules,
    put: async () => await Promise.reject(new PermanentError(`QStash answered 400: ${secrets} ${'x '.repeat(300)}`)),
  }
  const [step] = await applySchedules(failing, await plan(schedules), { signal })
  t.match(step?.reason, /^QStash answered 400: Bearer \[removed\]; \[email\], \[key\]/)
  t.ok((step?.reason ?? '').length <= 300)
  t.notMatch(step?.reason, /planted/)
})

t.test('one that fails stops no other, is named, and is done the next time', async t => {
  const failures = [
    [{ status: 500, headers: {} }, /^QStash answered 500: answered 500 on command$/],
    [{ status: 400, headers: {} }, /^QStash answered 400/],
    [{ status: 302, headers: { location: 'https://elsewhere.test/' } }, /^QStash answered 302/],
    ['hang', /^QStash did not answer within 400 ms$/],
    ['lose', /^QStash did not answer within 400 ms$/],
  ] as const
  for (const [react, reason] of failures) {
    const account = await openAccount(t)
    const schedules = open(t, account, 400)
    await account.client.schedules.create({ scheduleId: 'jobs.gone', destination: publicUrl, cron: '0 * * * *' })
    account.qstash.faults.failApiCalls(/^POST .*\/jobs\/b$/, react)
    const steps = await apply(schedules)
    t.strictSame(
      tell(steps).filter(step => !step.endsWith(' done')),
      ['create jobs.b failed'],
    )
    t.match(steps[1]?.reason, reason)
    t.equal(steps.at(-1)?.id, 'jobs.gone', 'what no job has is removed all the same')
    t.ok((await apply(schedules)).every(({ outcome }) => outcome === 'done'))
    t.equal(countPending(await plan(schedules)), 0)
  }
})

t.test('what would fail everywhere is tried no further', async t => {
  const cases = [
    [{ status: 401, headers: {} }, 1, /^QStash refuses our token \(401\)/],
    [{ status: 403, headers: {} }, 1, /^QStash refuses our token \(403\)/],
    [{ status: 429, headers: dailyQuotaHeaders }, 1, /used up for 3600 s/],
    [{ status: 503, headers: {} }, 3, /^QStash failed 3 times in a row$/],
    ['hang', 3, /^QStash failed 3 times in a row$/],
  ] as const
  for (const [react, tried, reason] of cases) {
    const account = await openAccount(t)
    const schedules = open(t, account, 200)
    const found = await plan(schedules)
    account.qstash.faults.failApiCalls(/^POST /, react, 9)
    const steps = await applySchedules(schedules, found, { signal })
    t.equal(steps.filter(({ outcome }) => outcome === 'failed').length, tried)
    t.match(steps.at(-1), { outcome: 'not tried', reason })
    t.equal(account.qstash.apiCalls().length, 1 + tried)
  }
})

t.test(
  'a burst limit is waited for, and a quota that orphans have used up is tried again when they are gone',
  async t => {
    const account = await openAccount(t, { maxSchedules: 5 })
    const schedules = open(t, account)
    account.qstash.faults.failApiCalls(/^(GET|POST) /, { status: 429, headers: { 'Burst-RateLimit-Reset': '0' } }, 3)
    t.ok((await apply(schedules)).every(({ outcome }) => outcome === 'done'))

    const renamed = jobs.with(0, scheduledJob('renamed'))
    const steps = await apply(schedules, renamed)
    t.strictSame(tell(steps), ['create jobs.renamed done', 'remove jobs.a done'])
    t.match(account.qstash.apiCalls().slice(-3), [/^POST .*renamed$/, /^DELETE .*jobs\.a$/, /^POST .*renamed$/])

    const more = [...renamed, scheduledJob('more')]
    t.match(await apply(schedules, more), [
      { id: 'jobs.more', outcome: 'failed', reason: /412: schedule quota exceeded: 5/ },
    ])
  },
)

t.test('a stop comes before the next step, and only what is ours can be removed', async t => {
  const account = await openAccount(t)
  const schedules = open(t, account)
  const stop = new AbortController()
  const found = await plan(schedules)
  const onStep = (_step: unknown, index: number): void => {
    if (index === 2) stop.abort()
  }
  const steps = await applySchedules(schedules, found, { signal: stop.signal, onStep })
  t.strictSame(
    steps.map(({ outcome }) => outcome),
    ['done', 'done', 'not tried', 'not tried', 'not tried'],
  )
  await account.client.schedules.create({ scheduleId: 'other', destination: publicUrl, cron: '0 * * * *' })
  const removed = await removeSchedules(schedules, ['other', 'jobs.a', 'jobs.never', 'jobs.b/../other'], { signal })
  t.match(removed, [
    { id: 'other', outcome: 'failed', reason: /not ours/ },
    { id: 'jobs.a', outcome: 'done' },
    { id: 'jobs.never', outcome: 'done' },
    { id: 'jobs.b/../other', outcome: 'failed', reason: /letters, digits/ },
  ])
  t.strictSame(
    (await account.client.schedules.list()).map(({ scheduleId }) => scheduleId),
    ['jobs.b', 'other'],
  )
})
