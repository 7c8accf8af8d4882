import t from 'tap'
import { PermanentError, RetryLaterError } from '../../src/errors.ts'
import { mintToken } from '../../src/sandbox/qstash-token.ts'
import { cronSecret, operatorToken, publicUrl, signingKeys, testApp } from '../support/app.ts'
import { testJob } from '../support/runner.ts'

const bearer = { authorization: `Bearer ${cronSecret}` }

t.test('a signed delivery runs the job once and is recorded', async t => {
  const { db, deliver } = await testApp(t)
  const first = await deliver('/jobs/test-job', { messageId: 'msg_1', scheduleId: 'jobs.test-job' })
  const second = await deliver('/jobs/test-job', { messageId: 'msg_1', scheduleId: 'jobs.test-job' })
  t.equal(first.statusCode, 200)
  t.match(first.json, { outcome: 'succeeded', attempt: 1, slot: '2026-03-10T12:00:00.000Z', dryRun: false })
  t.match(second.json, { outcome: 'duplicate', runId: first.json['runId'], report: first.json['report'] })
  const runs = await db
    .selectFrom('jobs.runs')
    .select(['job', 'message_id', 'trigger', 'state', 'deliveries'])
    .execute()
  t.same(runs, [{ job: 'test-job', message_id: 'msg_1', trigger: 'schedule', state: 'succeeded', deliveries: 2 }])
})

t.test('the old addresses run the same jobs', async t => {
  const { call, deliver } = await testApp(t)
  t.equal((await deliver('/api/cron/test-job')).json['outcome'], 'succeeded')
  t.equal((await call('POST', '/api/cron/test-job', { headers: bearer })).json['outcome'], 'succeeded')
  t.equal((await call('POST', '/jobs/test-job', { headers: bearer })).json['outcome'], 'succeeded')
  const get = await call('GET', '/api/cron/test-job', { headers: bearer })
  t.match(get.json, { outcome: 'succeeded', slot: '2026-03-10T12:00:00.000Z' }, 'a cron-style GET has a slot')
})

t.test('a GET is opened by the bearer secret only, and a HEAD never runs a job', async t => {
  const { call, clock, db } = await testApp(t)
  const url = `${publicUrl}/api/cron/test-job`
  const token = mintToken({ url, body: Buffer.alloc(0), key: signingKeys.current, now: clock() })
  t.equal((await call('GET', '/api/cron/test-job', { headers: { 'upstash-signature': token } })).statusCode, 401)
  t.equal((await call('GET', '/api/cron/test-job')).statusCode, 401)
  for (const path of ['/api/cron/test-job', '/jobs/test-job']) {
    t.equal((await call('HEAD', path, { headers: bearer })).statusCode, 405, `HEAD ${path}`)
  }
  t.same(await db.selectFrom('jobs.runs').selectAll().execute(), [])
})

t.test('what is asked wrongly is refused in a fixed order', async t => {
  const { call, deliver } = await testApp(t)
  t.equal((await call('PUT', '/jobs/no-such-job')).statusCode, 404, 'an unknown job before a wrong method')
  t.equal((await call('POST', '/jobs/no-such-job')).statusCode, 404, 'an unknown job before a missing signature')
  const wrong = await call('PUT', '/jobs/test-job')
  t.equal(wrong.statusCode, 405)
  t.match(wrong.headers['allow'], /POST/)
  t.equal((await call('POST', '/jobs/test-job')).statusCode, 401)
  t.equal(
    (await call('POST', '/jobs/test-job', { body: 'x'.repeat(1_048_577) })).statusCode,
    413,
    'too big before unsigned',
  )
  t.equal((await deliver('/jobs/test-job', { body: 'x'.repeat(1_048_577) })).statusCode, 413)
  t.equal(
    (await deliver('/jobs/test-job', { body: `"${'x'.repeat(1_048_574)}"` })).statusCode,
    200,
    'exactly the limit',
  )
  t.equal((await deliver('/jobs/test-job', { signedPath: '/jobs/other-job' })).statusCode, 401)
  t.equal(
    (await call('POST', '/jobs/test-job', { headers: { authorization: `Bearer ${operatorToken}` } })).statusCode,
    401,
  )
  const broken = { ...bearer, 'upstash-signature': 'x.y.z' }
  t.equal(
    (await call('POST', '/jobs/test-job', { headers: broken })).statusCode,
    401,
    'a broken signature has no fallback',
  )
})

t.test('a malformed request is never retried by QStash, and a plain 400 for a bearer', async t => {
  const { call, db, deliver } = await testApp(t)
  const cases = [
    { name: 'no JSON', path: '/jobs/test-job', body: '{"a":' },
    { name: 'a poisoned prototype', path: '/jobs/test-job', body: '{"__proto__":{"admin":true}}' },
    { name: 'no UTF-8', path: '/jobs/test-job', body: Buffer.from([0x22, 0xff, 0x22]) },
    { name: 'an unknown parameter', path: '/jobs/test-job?dryrun=true', body: '' },
    { name: 'a value that is no boolean', path: '/jobs/test-job?dryRun=yes', body: '' },
    { name: 'a parameter twice', path: '/jobs/test-job?dryRun=true&dryRun=true', body: '' },
  ]
  for (const { body, name, path } of cases) {
    const signed = await deliver(path, { body })
    t.equal(signed.statusCode, 489, name)
    t.equal(signed.headers['upstash-nonretryable-error'], 'true', name)
    t.hasOwnProps(signed.json, ['statusCode', 'error', 'message', 'requestId'], name)
    t.equal((await call('POST', path, { body, headers: bearer })).statusCode, 400, `${name}: bearer`)
  }
  t.same(await db.selectFrom('jobs.runs').selectAll().execute(), [])
})

t.test('a body without input is accepted in every form QStash sends it', async t => {
  const { deliver } = await testApp(t)
  for (const body of ['', '{}', '{"job":"test-job","v":1}']) {
    t.equal((await deliver('/jobs/test-job', { body })).statusCode, 200, body)
  }
})

t.test('a dry run by QStash returns the plan', async t => {
  const { deliver } = await testApp(t)
  const { json } = await deliver('/jobs/test-job?dryRun=true')
  t.match(json, { outcome: 'succeeded', dryRun: true, plan: { effects: [{ kind: 'touch', subject: 'row-1' }] } })
})

t.test('a message without an id is known by its token', async t => {
  const { db, deliver, clock } = await testApp(t)
  const signed = { url: `${publicUrl}/jobs/test-job`, body: Buffer.alloc(0), key: signingKeys.current, now: clock() }
  const token = mintToken(signed)
  t.equal((await deliver('/jobs/test-job', { messageId: null, token })).json['outcome'], 'succeeded')
  t.equal((await deliver('/jobs/test-job', { messageId: null, token })).json['outcome'], 'duplicate')
  t.equal(
    (await deliver('/jobs/test-job', { messageId: null })).json['outcome'],
    'succeeded',
    'another token, another message',
  )
  t.match(await db.selectFrom('jobs.runs').select('message_id').orderBy('id').execute(), [
    { message_id: /^token:[0-9a-f]{64}$/ },
    {},
  ])
})

t.test('a captured token opens nothing under another id or for another job', async t => {
  const jobs = [testJob(), testJob({ name: 'other-job', heartbeat: 'OTHER' })]
  const { clock, db, deliver } = await testApp(t, { jobs })
  const signed = { url: `${publicUrl}/api/qstash`, body: Buffer.alloc(0), key: signingKeys.current, now: clock() }
  const token = mintToken(signed)
  const to = (job: string) => ({ 'x-qstash-target-url': `https://www.example.test/api/cron/${job}` })
  t.equal((await deliver('/api/qstash', { token, messageId: 'a', headers: to('test-job') })).statusCode, 200)
  const otherId = await deliver('/api/qstash', { token, messageId: 'b', headers: to('test-job') })
  const otherJob = await deliver('/api/qstash', { token, messageId: 'a', headers: to('other-job') })
  const forged = await deliver('/api/qstash', { token: `${token.slice(0, -1)}x`, headers: to('test-job') })
  t.equal(otherId.statusCode, 401)
  t.equal(otherJob.statusCode, 401)
  t.equal(otherId.text, forged.text, 'the answer tells nothing')
  t.match(await db.selectFrom('jobs.findings').select(['kind', 'job']).execute(), [{ kind: 'token-replayed' }])
})

t.test('the old forwarder runs the named job in process, and none that moves money', async t => {
  const jobs = [testJob(), testJob({ name: 'pay-job', heartbeat: 'PAY', movesMoney: true })]
  const { call, db, deliver } = await testApp(t, { jobs })
  const to = (url: string) => ({ headers: { 'x-qstash-target-url': url } })
  t.equal((await deliver('/api/qstash', to('https://site.example/api/cron/test-job'))).json['outcome'], 'succeeded')
  t.equal((await deliver('/api/qstash', to('https://evil.example/jobs/test-job?dryRun=true'))).json['dryRun'], true)
  t.equal((await deliver('/api/qstash', to('https://site.example/api/cron/pay-job'))).statusCode, 403)
  t.equal((await deliver('/api/qstash', to('https://site.example/api/cron/nothing'))).statusCode, 404)
  t.equal((await deliver('/api/qstash', to('https://site.example/admin/drop'))).statusCode, 404)
  t.equal((await deliver('/api/qstash')).statusCode, 404, 'no header at all')
  t.equal((await call('GET', '/api/qstash')).statusCode, 405)
  t.equal((await db.selectFrom('jobs.runs').selectAll().where('job', '=', 'pay-job').execute()).length, 0)
})

t.test('errors of a job reach QStash as it understands them', async t => {
  let thrown: Error = new Error('x')
  const gather = async (): Promise<never> => {
    throw thrown
  }
  const { deliver } = await testApp(t, { jobs: [testJob({ gather })] })
  t.equal((await deliver('/jobs/test-job')).statusCode, 500)
  thrown = new RetryLaterError('busy', 7)
  t.match(await deliver('/jobs/test-job'), { statusCode: 503, headers: { 'retry-after': '7' } })
  thrown = new PermanentError('never')
  t.match(await deliver('/jobs/test-job'), { statusCode: 489, headers: { 'upstash-nonretryable-error': 'true' } })
})

t.test('a failure that will be retried says so to nobody but QStash', async t => {
  const { deliver, db } = await testApp(t, {
    jobs: [
      testJob({
        gather: async () => await Promise.reject(new Error('down')),
        heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT',
      }),
    ],
    env: { BETTERSTACK_TASKS_HEARTBEAT: 'http://127.0.0.1:9/token-of-tests' },
  })
  await deliver('/jobs/test-job', { retried: 2 })
  t.same(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [])
  await deliver('/jobs/test-job', { retried: 3 })
  t.match(await db.selectFrom('jobs.heartbeat_pings').select(['kind', 'body']).execute(), [
    { kind: 'fail', body: /attempt 1 of 4/ },
  ])
})

t.test('a dead letter is recorded once, alerts once, and not when the run has succeeded meanwhile', async t => {
  let fails = true
  const gather = async (): Promise<void> => {
    if (fails) throw new Error('down')
  }
  const { db, deliver } = await testApp(t, { jobs: [testJob({ gather })] })
  const callback = (messageId: string): string =>
    JSON.stringify({
      status: 500,
      header: {},
      body: '',
      retried: 3,
      maxRetries: 3,
      sourceMessageId: messageId,
      url: `${publicUrl}/jobs/test-job`,
      method: 'POST',
      sourceHeader: {},
      sourceBody: '',
      notBefore: '1790000000000',
      createdAt: 1790000000000,
      scheduleId: 'jobs.test-job',
      dlqId: 'dlq_1',
    })
  const dead = await deliver('/jobs/test-job', { messageId: 'msg_dead', retried: 3 })
  t.match((await deliver('/qstash/failure', { body: callback('msg_dead') })).json, {
    recorded: true,
    healed: false,
    job: 'test-job',
  })
  t.match((await deliver('/qstash/failure', { body: callback('msg_dead') })).json, { recorded: false })
  fails = false
  await deliver('/jobs/test-job', { messageId: 'msg_healed' })
  t.match((await deliver('/qstash/failure', { body: callback('msg_healed') })).json, { recorded: true, healed: true })
  const letters = await db
    .selectFrom('jobs.dead_letters')
    .select(['message_id', 'healed', 'run_id', 'status'])
    .orderBy('message_id')
    .execute()
  t.match(letters, [
    { message_id: 'msg_dead', healed: false, run_id: dead.json['runId'], status: 500 },
    { message_id: 'msg_healed', healed: true },
  ])
  const findings = await db
    .selectFrom('jobs.findings')
    .select(['subject', 'occurrences'])
    .where('kind', '=', 'dead-letter')
    .execute()
  t.same(findings, [{ subject: 'msg_dead', occurrences: 1 }])
  t.equal((await deliver('/qstash/failure', { body: '{}' })).statusCode, 489)
  t.equal((await deliver('/qstash/failure', { body: callback('x'), key: 'sig_other' })).statusCode, 401)
})

t.test('a message that never reached us and died sends its heartbeat a fail', async t => {
  const jobs = [testJob({ heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT' })]
  const env = { BETTERSTACK_TASKS_HEARTBEAT: 'http://127.0.0.1:9/token-of-tests' }
  const { db, deliver } = await testApp(t, { jobs, env })
  const body = JSON.stringify({
    sourceMessageId: 'msg_lost',
    url: `${publicUrl}/api/cron/test-job`,
    status: 502,
    retried: 3,
  })
  await deliver('/qstash/failure', { body })
  t.match(await db.selectFrom('jobs.heartbeat_pings').select(['kind', 'body']).execute(), [
    { kind: 'fail', body: /dead_letter/ },
  ])
})

t.test('a dead letter that comes after a newer success sends no fail', async t => {
  const jobs = [testJob({ heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT' })]
  const env = { BETTERSTACK_TASKS_HEARTBEAT: 'http://127.0.0.1:9/token-of-tests' }
  const { clock, db, deliver } = await testApp(t, { jobs, env })
  const createdAt = clock().getTime()
  clock.advance(60_000)
  await deliver('/jobs/test-job')
  const body = JSON.stringify({ sourceMessageId: 'msg_old', url: `${publicUrl}/jobs/test-job`, status: 500, createdAt })
  t.match((await deliver('/qstash/failure', { body })).json, { recorded: true, healed: false })
  t.same(await db.selectFrom('jobs.heartbeat_pings').select('kind').execute(), [{ kind: 'success' }])
  t.equal((await db.selectFrom('jobs.findings').selectAll().execute()).length, 1, 'a person hears of it all the same')
})

t.test('hostile fields are refused, and never a failure of ours', async t => {
  const { deliver, operate } = await testApp(t)
  for (const sourceMessageId of ['a\0b', '漢'.repeat(300), 'x'.repeat(600), 7, null]) {
    const body = JSON.stringify({ sourceMessageId, url: `${publicUrl}/jobs/test-job` })
    t.equal((await deliver('/qstash/failure', { body })).statusCode, 489, String(sourceMessageId).slice(0, 10))
  }
  const body = JSON.stringify({ sourceMessageId: 'msg_1', status: 1e20, retried: -1.5, createdAt: 'soon' })
  t.equal((await deliver('/qstash/failure', { body })).statusCode, 200)
  t.equal((await operate('POST', '/jobs/test-job/pause', { reason: 'a\0b' })).statusCode, 400)
  t.equal((await operate('GET', '/runs?job=%00')).statusCode, 400)
  t.equal((await deliver('/jobs/test-job', { messageId: 'a, b' })).statusCode, 489, 'an id that was sent twice')
})

t.test('before the database was there, and while draining, deliveries are sent away with a time', async t => {
  const { app, deliver } = await testApp(t, { boot: false })
  const early = await deliver('/jobs/test-job')
  t.equal(early.statusCode, 503)
  t.ok(Number(early.headers['retry-after']) >= 1)
  await app.boot()
  t.equal((await deliver('/jobs/test-job')).statusCode, 200)
  await app.runner.drain(0)
  const late = await deliver('/jobs/test-job')
  t.equal(late.statusCode, 503)
  t.ok(Number(late.headers['retry-after']) >= 1)
})

t.test('with no cron secret configured a bearer opens nothing', async t => {
  const { call } = await testApp(t, { env: { CRON_SECRET: '' } })
  for (const authorization of ['Bearer ', 'Bearer undefined', 'Bearer', `Bearer ${cronSecret}`]) {
    t.equal((await call('POST', '/jobs/test-job', { headers: { authorization } })).statusCode, 401, authorization)
    t.equal((await call('GET', '/api/cron/test-job', { headers: { authorization } })).statusCode, 401, authorization)
  }
})

t.test('one info line a run, and nothing secret in any line', async t => {
  const { deliver, logs } = await testApp(t)
  await deliver('/jobs/test-job', { messageId: 'msg_1' })
  const info = logs().filter(line => line['level'] === 30 && line['runId'] !== undefined)
  t.match(info, [{ msg: 'run finished', job: 'test-job', outcome: 'succeeded', report: { applied: 1 } }])
  const all = JSON.stringify(logs())
  for (const secret of [cronSecret, operatorToken, signingKeys.current, 'eyJhbGciOi']) t.notOk(all.includes(secret))
})
