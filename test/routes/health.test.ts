import { sql } from 'kysely'
import t from 'tap'
import { createDatabase } from '../../src/database/connection.ts'
import { recordFirstBoot } from '../../src/database/job-settings.ts'
import { testDatabase } from '../support/database.ts'
import {
  everyTenMinutes,
  insertRun,
  openCable,
  openHealthWorld,
  operator,
  release,
  start,
  token,
} from '../support/health.ts'

const routes = ['/livez', '/healthz', '/readyz', '/health', '/api/health', '/api/healthcheck', '/health/jobs'] as const
const services = [
  '/health/neon-database',
  '/health/qstash',
  '/api/health/neon-database',
  '/api/health/qstash',
  '/api/health/jobs',
] as const

t.test('every route answers GET and HEAD with pass', async t => {
  const { app } = await openHealthWorld(t)
  for (const url of [...routes, ...services, '/health?services=true', '/api/healthcheck?services=true']) {
    const answer = await app.inject(url)
    t.equal(answer.statusCode, 200, url)
    t.ok(answer.body.startsWith('{"status":"pass"'), url)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(answer.headers['set-cookie'], undefined)
    const head = await app.inject({ method: 'HEAD', url })
    t.equal(head.statusCode, 200, `HEAD ${url}`)
    const asked = await app.inject({ url, headers: { accept: 'application/health+json, */*;q=0.1' } })
    t.equal(asked.headers['content-type'], 'application/health+json; charset=utf-8')
    t.equal(asked.body, answer.body)
    t.equal((await app.inject({ method: 'POST', url })).statusCode, 404, `POST ${url} is no route`)
  }
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const url of ['/livez', '/health/qstash']) {
    const head = await fetch(`${address}${url}`, { method: 'HEAD' })
    t.equal(await head.text(), '', `HEAD ${url} sends headers alone`)
    t.equal(head.headers.get('content-type'), 'application/json; charset=utf-8')
  }
})

t.test('answers about the process are never cached, the others privately for their TTL', async t => {
  const { app, limited } = await openHealthWorld(t)
  for (const url of ['/livez', '/healthz', '/readyz']) {
    t.equal((await app.inject(url)).headers['cache-control'], 'no-store', url)
    t.equal(limited.get(url), false, `${url} is not limited`)
  }
  const table = {
    '/health': 5,
    '/health?services=true': 15,
    '/health/qstash': 120,
    '/health/neon-database': 15,
    '/health/jobs': 15,
  }
  for (const [url, seconds] of Object.entries(table)) {
    const { headers } = await app.inject(url)
    t.equal(headers['cache-control'], `private, max-age=${seconds}`, url)
    t.equal(headers.vary, 'accept, authorization')
  }
  for (const url of ['/health', '/api/health', '/api/healthcheck', '/health/jobs', '/health/:service']) {
    t.equal(limited.get(url), true, `${url} is limited`)
  }
})

t.test('a process that was never ready, drains, or cannot go on says so where it matters', async t => {
  const { app, state } = await openHealthWorld(t)
  state.booted = false
  t.equal((await app.inject('/livez')).statusCode, 200)
  for (const url of ['/healthz', '/readyz', '/health', '/api/healthcheck']) {
    const answer = await app.inject(url)
    t.equal(answer.statusCode, 503, url)
    t.ok(answer.body.startsWith('{"status":"fail"'), url)
    t.match(Number(answer.headers['retry-after']), 5, url)
  }
  t.same((await app.inject('/readyz')).json(), { status: 'fail', checks: { booted: [{ status: 'fail' }] } })

  Object.assign(state, { booted: true, draining: true })
  for (const url of ['/livez', '/healthz', '/health']) t.equal((await app.inject(url)).statusCode, 200, url)
  const unready = await app.inject('/readyz')
  t.equal(unready.statusCode, 503)
  t.same(unready.json(), { status: 'fail', checks: { draining: [{ status: 'fail' }] } })

  Object.assign(state, { draining: false, fatal: 'planted reason' })
  t.equal((await app.inject('/livez')).statusCode, 200)
  for (const url of ['/healthz', '/readyz', '/health']) {
    const answer = await app.inject({ url, headers: operator })
    t.equal(answer.statusCode, 503, url)
    t.notMatch(answer.body, 'planted reason')
  }
})

t.test('a database outage makes the process unready, leaves it healthy, and ends by itself', async t => {
  const { url } = await testDatabase(t)
  const cable = await openCable(t, url)
  const { app, pass } = await openHealthWorld(t, { db: cable.db })
  t.equal((await app.inject('/readyz')).statusCode, 200)

  cable.set('cut')
  t.equal((await app.inject('/readyz')).statusCode, 200, 'what is known is good for its TTL')
  pass(15_000)
  const unready = await app.inject('/readyz')
  t.equal(unready.statusCode, 503)
  t.equal(unready.headers['retry-after'], '5')
  t.same(unready.json(), { status: 'fail', checks: { 'neon-database': [{ status: 'fail' }] } })
  t.equal((await app.inject('/livez')).statusCode, 200)
  t.equal((await app.inject('/healthz')).statusCode, 200)
  t.equal((await app.inject('/health')).statusCode, 503, 'it is known by now')
  const detail = (await app.inject({ url: '/health/neon-database', headers: operator })).json()
  t.match(detail.checks['neon-database:responseTime'][0], { state: 'down', output: /^the check failed \(\w+\)$/ })
  t.equal((await app.inject('/health/jobs')).statusCode, 503, 'nobody can say that the jobs ran')

  cable.set('whole')
  pass(3_750)
  t.equal((await app.inject('/readyz')).statusCode, 200)
  t.equal((await app.inject('/health')).statusCode, 200)
})

t.test('a database that went silent delays nobody beyond 2.5 seconds', async t => {
  const { url } = await testDatabase(t)
  const cable = await openCable(t, url)
  const { app, pass } = await openHealthWorld(t, { db: cable.db })
  t.equal((await app.inject('/readyz')).statusCode, 200)
  cable.set('silent')
  pass(15_000)
  const startedAt = performance.now()
  const answers = await Promise.all(
    ['/readyz', '/health/neon-database', '/health?services=true', '/health/jobs'].map(async u => await app.inject(u)),
  )
  const tookMs = performance.now() - startedAt
  t.ok(tookMs < 2_500, `took ${Math.round(tookMs)} ms`)
  for (const answer of answers) t.equal(answer.statusCode, 503)
  t.equal((await app.inject('/healthz')).statusCode, 200)
})

t.test('a database that was never there makes the process unready', async t => {
  const db = createDatabase({ connectionString: 'postgres://planted:secret@127.0.0.1:1/x', onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
  })
  const { app, lines } = await openHealthWorld(t, { db })
  t.same((await app.inject('/readyz')).json(), { status: 'fail', checks: { 'neon-database': [{ status: 'fail' }] } })
  t.equal((await app.inject('/healthz')).statusCode, 200)
  const body = (await app.inject({ url: '/health?services=true', headers: operator })).body
  t.notMatch(body + lines.join(''), /planted:|secret|127\.0\.0\.1/)
})

t.test('a database that is slow, or a pool that is used up, is a warning and ready', async t => {
  const { db } = await testDatabase(t)
  const { app } = await openHealthWorld(t, { db, slowMs: -1 })
  t.equal((await app.inject('/readyz')).statusCode, 200)
  const detail = (await app.inject({ url: '/health/neon-database', headers: operator })).json()
  t.match(detail.checks['neon-database:responseTime'][0], {
    status: 'warn',
    state: 'slow',
    output: /^waited \d+ ms for a connection and \d+ ms for the answer$/,
  })
})

t.test('a wrong login is our mistake and no outage', async t => {
  const { url } = await testDatabase(t)
  const wrong = new URL(url)
  wrong.pathname = '/no_such_database'
  const db = createDatabase({ connectionString: wrong.href, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
  })
  const { app } = await openHealthWorld(t, { db })
  const answer = await app.inject({ url: '/health/neon-database', headers: operator })
  t.equal(answer.statusCode, 503)
  t.match(answer.json().checks['neon-database:responseTime'][0], { state: 'misconfigured', output: /3D000/ })
})

t.test('a schema behind this build makes the process unready, a newer one does not', async t => {
  const { db } = await testDatabase(t)
  await sql`insert into jobs.kysely_migration (name, timestamp) values ('9999_later', '')`.execute(db)
  const newer = await openHealthWorld(t, { db })
  t.equal((await newer.app.inject('/readyz')).statusCode, 200)

  await sql`delete from jobs.kysely_migration where name = '0001_runs'`.execute(db)
  const behind = await openHealthWorld(t, { db })
  const answer = await behind.app.inject('/readyz')
  t.equal(answer.statusCode, 503)
  t.same(answer.json(), { status: 'fail', checks: { migrations: [{ status: 'fail' }] } })
  t.equal((await behind.app.inject('/healthz')).statusCode, 200)
})

t.test('/health starts no probe, ?services=true reads every one', async t => {
  const { app, vendor } = await openHealthWorld(t)
  t.equal((await app.inject('/health')).body, '{"status":"pass"}')
  await app.inject({ url: '/api/healthcheck', headers: { 'user-agent': 'Better Stack Better Uptime Bot' } })
  t.equal(vendor.calls(), 0, 'not for a monitor either')
  t.same((await app.inject('/health?services=true')).json(), {
    status: 'pass',
    checks: { 'neon-database': [{ status: 'pass' }], qstash: [{ status: 'pass' }] },
  })
  t.equal(vendor.calls(), 1)
  for (const query of [
    'services=yes',
    'services=',
    'services=false',
    'services=true&services=true',
    'service=true',
    'x=1',
  ]) {
    t.equal((await app.inject(`/health?${query}`)).statusCode, 400, query)
  }
})

t.test('a name that is no service is 404 with the names that are; one that is not configured is 200', async t => {
  const { app, vendor } = await openHealthWorld(t, { qstashUnset: true })
  for (const name of ['stripe', '_list', 'QSTASH', '__proto__', '%3Cscript%3E']) {
    const answer = await app.inject(`/health/${name}`)
    t.equal(answer.statusCode, 404)
    t.match(answer.json(), { message: 'no such service; there are neon-database, qstash' })
    t.notMatch(answer.body, 'script')
  }
  t.equal(vendor.calls(), 0)

  const answer = await app.inject('/health/qstash')
  t.equal(answer.statusCode, 200)
  t.same(answer.json(), { status: 'pass', notes: ['disabled'], checks: { qstash: [{ status: 'pass' }] } })
  t.equal((await app.inject('/health?services=true')).json().status, 'pass')
})

t.test('operators see latency, reason, figures and release; the public sees statuses; nobody sees secrets', async t => {
  const { app, lines, vendor } = await openHealthWorld(t, {
    qstash: (request, response) => {
      response.writeHead(401).end(`no such token: ${request.headers.authorization}`)
    },
  })
  const open = await app.inject('/health?services=true')
  t.equal(open.statusCode, 503)
  t.equal(open.headers['retry-after'], '15')
  t.same(open.json(), {
    status: 'fail',
    checks: { 'neon-database': [{ status: 'pass' }], qstash: [{ status: 'fail' }] },
  })
  t.same((await app.inject('/health/qstash')).json(), { status: 'fail', checks: { qstash: [{ status: 'fail' }] } })

  const { body } = await app.inject({ url: '/health?services=true', headers: operator })
  const seen = JSON.parse(body)
  t.match(seen, { status: 'fail', version: '9.8.7', releaseId: release })
  t.match(seen.checks['qstash:responseTime'][0], {
    status: 'fail',
    state: 'misconfigured',
    componentId: 'qstash',
    observedValue: Number,
    observedUnit: 'ms',
    time: start.toISOString(),
    output: /refused our token \(401\)/,
  })
  t.match(seen.checks['neon-database:queryMs'][0], { status: 'pass', observedValue: Number })
  const bodies = await Promise.all(
    [...routes, ...services].flatMap(url => [app.inject(url), app.inject({ url, headers: operator })]),
  )
  for (const text of [...bodies.map(answer => answer.body), body, open.body, ...lines]) {
    t.notMatch(text, token)
    t.notMatch(text, vendor.url)
  }
  for (const answer of bodies.filter((_answer, index) => index % 2 === 0)) {
    t.notMatch(answer.body, /planted|9\.8\.7|latency|observed|output|state"/)
  }
})

t.test(
  'a thousand requests at once cause one call to the vendor, which gets its peace when it asks for it',
  async t => {
    const { app, pass, vendor } = await openHealthWorld(t, {
      qstash: (_request, response) => response.writeHead(429, { 'retry-after': '600' }).end(),
    })
    const answers = await Promise.all(Array.from({ length: 1_000 }, async () => await app.inject('/health/qstash')))
    t.equal(vendor.calls(), 1)
    t.ok(answers.every(answer => answer.statusCode === 200 && answer.json().status === 'warn'))
    pass(599_000)
    await app.inject('/health/qstash')
    t.equal(vendor.calls(), 1)
    pass(1_000)
    await app.inject('/health/qstash')
    t.equal(vendor.calls(), 2)
  },
)

t.test('a vendor that hangs delays nobody beyond 2.5 seconds', async t => {
  const { app, vendor } = await openHealthWorld(t, { qstash: () => {} })
  const startedAt = performance.now()
  const answers = await Promise.all(['/health/qstash', '/health?services=true'].map(async url => await app.inject(url)))
  const tookMs = performance.now() - startedAt
  t.ok(tookMs < 2_500, `took ${Math.round(tookMs)} ms`)
  for (const answer of answers) {
    t.equal(answer.statusCode, 503)
    t.equal(answer.headers['cache-control'], 'private, max-age=0')
  }
  t.equal((await app.inject('/health')).statusCode, 200, 'and what is unknown is no failure')
  t.equal(vendor.calls(), 1)
})

t.test('health requests are not logged, changes of state are', async t => {
  const { app, lines } = await openHealthWorld(t, { qstash: (_request, response) => response.writeHead(500).end() })
  for (const url of [...routes, ...services, '/health/nothing']) await app.inject(url)
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? '{}'), { probe: 'qstash', to: 'down', msg: 'probe changed' })
})

const at = (time: string): Date => new Date(`2026-01-05T${time}Z`)

t.test('/health/jobs fails when a critical job is overdue, warns for others, and lets paused ones be', async t => {
  const jobs = [everyTenMinutes('keep-alive', 'critical'), everyTenMinutes('process-tasks', 'medium')]
  const { app, db, pass } = await openHealthWorld(t, { jobs })
  t.same((await app.inject('/health/jobs')).json().status, 'pass', 'jobs that were never booted owe nothing')
  await recordFirstBoot(db, ['keep-alive', 'process-tasks', 'a-job-of-the-past'], at('11:00:00'))
  await insertRun(db, { job: 'keep-alive', slot: at('11:50:00'), started_at: at('12:00:30') })
  await insertRun(db, { job: 'process-tasks', slot: at('11:50:00'), started_at: at('11:50:01') })
  // That was a late retry; neither it nor any of these is a success of a later slot.
  await insertRun(db, { job: 'keep-alive', slot: at('12:00:00'), started_at: at('12:00:01'), dry_run: true })
  await insertRun(db, { job: 'keep-alive', slot: at('12:00:00'), started_at: at('12:00:01'), state: 'incomplete' })
  await insertRun(db, { job: 'keep-alive', slot: at('11:50:00'), started_at: at('11:51:00'), state: 'duplicate' })

  pass(299_000)
  t.same((await app.inject('/health/jobs')).json(), {
    status: 'pass',
    checks: { 'keep-alive': [{ status: 'pass' }], 'process-tasks': [{ status: 'pass' }] },
  })
  pass(15_001)
  const overdue = await app.inject('/health/jobs')
  t.equal(overdue.statusCode, 503)
  t.equal(overdue.headers['retry-after'], '3')
  t.same(overdue.json(), {
    status: 'fail',
    checks: { 'keep-alive': [{ status: 'fail' }], 'process-tasks': [{ status: 'warn' }] },
  })
  const detail = (await app.inject({ url: '/health/jobs', headers: operator })).json()
  t.match(detail, { releaseId: release, notes: ['overdue: keep-alive, process-tasks'] })
  t.match(detail.checks['keep-alive:lastSuccess'][0], {
    status: 'fail',
    state: 'overdue',
    observedValue: '2026-01-05T12:00:30.000Z',
    output: 'the slot of 2026-01-05T12:00:00.000Z has had no success',
    missedSlots: 5,
    doubledSlots: 1,
  })

  await insertRun(db, { job: 'keep-alive', slot: null, trigger: 'operator', started_at: at('12:05:00') })
  pass(3_750)
  const late = await app.inject('/health/jobs')
  t.equal(late.statusCode, 200, 'an operator ran the critical one')
  t.equal(late.json().status, 'warn')
  await db
    .updateTable('jobs.job_settings')
    .set({ paused_at: at('12:05:00'), paused_by: 'ana', pause_reason: 'test' })
    .where('job', '=', 'process-tasks')
    .execute()
  pass(15_000)
  t.equal((await app.inject('/health/jobs')).json().status, 'pass', 'the other is paused')
})
