import t, { type Test } from 'tap'
import { applySchedules } from '../../src/provision/apply-schedules.ts'
import { planSchedules } from '../../src/provision/plan-schedules.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createQstashSchedules } from '../../src/providers/qstash-schedules.ts'
import type { HealthBody } from '../../src/health/aggregate.ts'
import { publicUrl, testApp, type TestApp } from '../support/app.ts'
import { testJob } from '../support/runner.ts'
import { type Account, openAccount } from '../support/schedules.ts'

const jobs = [testJob(), testJob({ name: 'other-job', heartbeat: 'OTHER_HEARTBEAT' })]

/** The service with an account at the stand-in, whose schedules are those of its jobs. */
async function openScheduled(t: Test, env: Readonly<Record<string, string>> = {}) {
  const account = await openAccount(t)
  const http = createHttp()
  t.teardown(async () => await http.close())
  const { token, url } = account.qstash
  const schedules = createQstashSchedules({ url, token, fetch: http.fetch, clock: () => new Date() })
  const { signal } = new AbortController()
  await applySchedules(schedules, planSchedules([], { jobs, publicUrl }), { signal })
  const app = await testApp(t, { jobs, boot: false, env: { QSTASH_URL: url, QSTASH_TOKEN: token, ...env } })
  return { account, app }
}

async function ask({ clock, operate }: TestApp, path = '/admin/qstash-health') {
  clock.advance(600_000)
  const { headers, json, statusCode, text } = await operate('GET', path)
  return { headers, statusCode, text, body: json as unknown as HealthBody }
}

async function drift({ client }: Account): Promise<void> {
  await client.schedules.create({
    scheduleId: 'jobs.test-job',
    destination: 'https://old.test/?token=planted',
    cron: '1 1 * * *',
  })
  await client.schedules.pause({ schedule: 'jobs.other-job' })
  await client.schedules.create({ scheduleId: 'jobs.gone', destination: publicUrl, cron: '1 1 * * *' })
  await client.schedules.create({ scheduleId: 'scd_1', destination: `${publicUrl}/jobs/test-job`, cron: '1 1 * * *' })
}

t.test('it is for operators, at both addresses', async t => {
  const { account, app } = await openScheduled(t)
  const from = account.qstash.apiCalls().length
  const paths = ['/admin/qstash-health', '/api/admin/qstash-health']
  for (const path of paths) t.equal((await app.call('GET', path)).statusCode, 401)
  t.equal(account.qstash.apiCalls().length, from, 'nobody else has it ask')
  for (const path of paths) {
    t.match(await ask(app, path), { statusCode: 200, body: { status: 'pass' } })
    t.equal((await app.operate('HEAD', path)).statusCode, 200)
    t.equal((await app.operate('POST', path)).statusCode, 405)
    t.match(await app.operate('GET', `${path}?x=1`), { statusCode: 400, text: /there are no parameters here/ })
  }
})

t.test('it tells what differs, and asks QStash once a minute however often it is asked', async t => {
  const { account, app } = await openScheduled(t)
  const healthy = await ask(app)
  t.match(healthy.body, {
    status: 'pass',
    checks: {
      configuration: [{ status: 'pass', observedValue: publicUrl }],
      'qstash:responseTime': [{ status: 'pass', state: 'up', observedUnit: 'ms' }],
      'schedules:registered': [{ status: 'pass', observedValue: 2, observedUnit: 'of 2' }],
    },
  })
  await drift(account)
  await account.client.schedules.delete('jobs.other-job')
  const { body, headers, statusCode, text } = await ask(app)
  t.equal(statusCode, 200, 'a difference is a warning')
  t.match(headers, { 'cache-control': 'private, max-age=60' })
  t.match(body, {
    status: 'warn',
    notes: [/jobs\.test-job calls old\.test/, /^scd_1 is not ours and calls test-job too/],
    checks: {
      'qstash:responseTime': [{ status: 'warn', output: '1 missing, 1 different, 1 orphans' }],
      'schedules:registered': [{ status: 'warn', observedValue: 1 }],
      'jobs.test-job:schedule': [
        { status: 'warn', output: /^cron is 1 1 \* \* \*, wanted \*\/10 \* \* \* \*; destination is/ },
      ],
      'jobs.other-job:schedule': [{ status: 'warn', output: /^missing/ }],
      'jobs.gone:schedule': [{ status: 'warn', output: /^no job has it/ }],
      'scd_1:schedule': [{ status: 'warn', output: 'not ours, and calls test-job too' }],
    },
  })
  t.notMatch(text, /planted|operator-token/)
  const asked = account.qstash.apiCalls().length
  for (let n = 0; n < 5; n += 1) await app.operate('GET', '/admin/qstash-health')
  t.equal(account.qstash.apiCalls().length, asked)
})

t.test('a paused schedule is a warning', async t => {
  const { account, app } = await openScheduled(t)
  await account.client.schedules.pause({ schedule: 'jobs.other-job' })
  t.match((await ask(app)).body, {
    status: 'warn',
    checks: { 'jobs.other-job:schedule': [{ status: 'warn', output: 'paused in the console' }] },
  })
})

t.test('each trouble of QStash has its answer, in time', async t => {
  const { account, app } = await openScheduled(t)
  const cases = [
    [{ status: 401, headers: {} }, 503, { state: 'misconfigured', output: /QSTASH_TOKEN/ }],
    [{ status: 500, headers: {} }, 503, { state: 'down' }],
    [{ status: 429, headers: { 'retry-after': '60' } }, 200, { state: 'up', output: /429/, status: 'warn' }],
    [{ status: 429, headers: { 'burst-ratelimit-reset': '5' } }, 200, { state: 'up', output: /429/, status: 'warn' }],
    ['hang', 503, { state: 'down', output: 'no answer within 2200 ms' }],
  ] as const
  for (const [react, status, told] of cases) {
    account.qstash.faults.failApiCalls(/^GET \/v2\/schedules$/, react)
    const startedAt = performance.now()
    const { body, headers, statusCode } = await ask(app)
    t.ok(performance.now() - startedAt < 2_500)
    t.equal(statusCode, status)
    if (status === 503) t.ok(headers['retry-after'])
    t.match(body.checks?.['qstash:responseTime'], [told])
  }
  t.match((await ask(app)).body, { status: 'pass' })
})

t.test('without a token it says which variable is missing, and a preview asks nobody', async t => {
  const bare = await testApp(t, { jobs, boot: false })
  t.match(await ask(bare), {
    statusCode: 200,
    body: { status: 'warn', checks: { configuration: [{ status: 'warn', output: 'not set: QSTASH_TOKEN' }] } },
  })
  const { account, app } = await openScheduled(t, { IS_PULL_REQUEST: 'true' })
  const from = account.qstash.apiCalls().length
  t.match((await ask(app)).body, { status: 'pass', notes: ['a preview is never scheduled'] })
  t.equal(account.qstash.apiCalls().length, from)
})
