import t from 'tap'
import { cronSecret, testApp } from '../support/app.ts'
import { testJob } from '../support/runner.ts'

t.test('every operator route asks for the operator token', async t => {
  const { call } = await testApp(t)
  const routes = [
    ['GET', '/runs'],
    ['GET', '/runs/00000000-0000-7000-8000-000000000000'],
    ['POST', '/runs'],
    ['POST', '/jobs/test-job/pause'],
    ['POST', '/jobs/test-job/resume'],
  ] as const
  for (const [method, path] of routes) {
    t.equal((await call(method, path)).statusCode, 401, `${method} ${path}`)
    const authorization = `Bearer ${cronSecret}`
    t.equal(
      (await call(method, path, { headers: { authorization } })).statusCode,
      401,
      `${method} ${path} with the cron secret`,
    )
  }
})

t.test('an operator starts a run by hand, reads it, and it pings no heartbeat', async t => {
  const jobs = [testJob({ heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT' })]
  const env = {
    BETTERSTACK_TASKS_HEARTBEAT: 'http://127.0.0.1:9/token-of-tests',
    OPERATOR_TOKEN: 'ana:operator-token-of-the-tests-0123456789',
  }
  const { db, operate } = await testApp(t, { jobs, env })
  const started = await operate('POST', '/runs', { job: 'test-job' })
  t.match(started, { statusCode: 200, json: { outcome: 'succeeded', slot: null } })
  const read = await operate('GET', `/runs/${String(started.json['runId'])}`)
  t.match(read.json, {
    id: started.json['runId'],
    job: 'test-job',
    trigger: 'operator',
    operator: 'ana',
    state: 'succeeded',
    report: { applied: 1 },
    plan: { effects: [{ kind: 'touch' }] },
    pings: [],
  })
  const asked = await operate('POST', '/runs', { job: 'test-job', ping: true })
  t.equal(asked.statusCode, 200)
  t.equal((await db.selectFrom('jobs.heartbeat_pings').selectAll().execute()).length, 1, 'unless asked to')
  const audit = await db.selectFrom('jobs.audit_entries').select(['actor', 'action', 'subject']).execute()
  t.match(audit, [
    { actor: 'ana', action: 'run.start', subject: 'test-job' },
    { actor: 'ana', action: 'run.start', subject: 'test-job' },
  ])
})

t.test('an approved plan runs while it holds, and a stale one sends nothing', async t => {
  let rows = ['a']
  const plan = () => ({ effects: rows.map(subject => ({ kind: 'touch', subject })) })
  const { operate } = await testApp(t, { jobs: [testJob({ plan })] })
  const dry = await operate('POST', '/runs', { job: 'test-job', dryRun: true })
  t.match(dry.json, { dryRun: true, plan: { effects: [{ subject: 'a' }] } })
  rows = ['a', 'b']
  const stale = await operate('POST', '/runs', { job: 'test-job', planHash: dry.json['planHash'] })
  t.equal(stale.statusCode, 409)
  t.match(stale.json, { planHash: /^[0-9a-f]{64}$/, plan: { difference: { added: [{ subject: 'b' }], removed: [] } } })
  const fresh = await operate('POST', '/runs', { job: 'test-job', planHash: stale.json['planHash'] })
  t.match(fresh, { statusCode: 200, json: { report: { applied: 2 } } })
})

t.test('input for a job that takes none is refused, so that nobody believes it limits the run', async t => {
  const seen: unknown[] = []
  const taking = testJob({ name: 'taking-job', heartbeat: 'OTHER', takesInput: true, parse: body => seen.push(body) })
  const { db, operate } = await testApp(t, { jobs: [testJob(), taking] })
  for (const input of [{ rows: [49] }, [49], 49, 'row 49', false]) {
    const refused = await operate('POST', '/runs', { job: 'test-job', input })
    t.match(refused, { statusCode: 400, json: { message: /test-job takes no input/ } }, JSON.stringify(input))
  }
  t.same(await db.selectFrom('jobs.audit_entries').select('action').execute(), [], 'nothing was begun')
  for (const input of [undefined, null, {}]) {
    t.equal((await operate('POST', '/runs', { job: 'test-job', input })).statusCode, 200, JSON.stringify(input))
  }
  t.equal((await operate('POST', '/runs', { job: 'taking-job', input: { rows: [49] } })).statusCode, 200)
  t.same(seen, [{ rows: [49] }])
})

t.test('a run by hand of a leased job is refused with 409 and a time', async t => {
  const release = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const gather = async (): Promise<void> => {
    started.resolve()
    await release.promise
  }
  const { operate } = await testApp(t, { jobs: [testJob({ gather })] })
  const first = operate('POST', '/runs', { job: 'test-job' })
  await started.promise
  const second = await operate('POST', '/runs', { job: 'test-job' })
  t.match(second, { statusCode: 409, headers: { 'retry-after': '20' }, json: { outcome: 'busy' } })
  release.resolve()
  t.equal((await first).statusCode, 200)
})

t.test('the history is paged from new to old, by job and state', async t => {
  const jobs = [testJob(), testJob({ name: 'other-job', heartbeat: 'OTHER' })]
  const { operate } = await testApp(t, { jobs })
  const ids: string[] = []
  for (const job of ['test-job', 'other-job', 'test-job', 'test-job']) {
    ids.push(String((await operate('POST', '/runs', { job })).json['runId']))
  }
  const idsOf = (reply: { json: Record<string, unknown> }) =>
    (reply.json['runs'] as { id: string }[]).map(run => run.id)
  const first = await operate('GET', '/runs?limit=3')
  t.same(idsOf(first), ids.slice(1).toReversed())
  const second = await operate('GET', `/runs?limit=3&before=${String(first.json['next'])}`)
  t.same(idsOf(second), ids.slice(0, 1))
  t.equal(second.json['next'], null)
  t.same(idsOf(await operate('GET', '/runs?job=other-job')), [ids[1]])
  t.same(idsOf(await operate('GET', '/runs?state=failed')), [])
})

t.test('what an operator asks wrongly is a 400 or 404 that says what to do', async t => {
  const { operate } = await testApp(t)
  const cases = [
    ['GET', '/runs?limit=0', undefined, 400],
    ['GET', '/runs?limit=201', undefined, 400],
    ['GET', '/runs?limit=ten', undefined, 400],
    ['GET', '/runs?state=done', undefined, 400],
    ['GET', '/runs?colour=red', undefined, 400],
    ['GET', '/runs?job=test-jbo', undefined, 404],
    ['GET', '/runs/not-an-id', undefined, 400],
    ['GET', '/runs/00000000-0000-7000-8000-000000000000', undefined, 404],
    ['POST', '/runs', {}, 400],
    ['POST', '/runs', { job: 'test-job', dryrun: true }, 400],
    ['POST', '/runs', { job: 'test-job', dryRun: 'true' }, 400],
    ['POST', '/runs', { job: 'no-such-job' }, 404],
    ['POST', '/jobs/test-job/pause', {}, 400],
    ['POST', '/jobs/test-job/pause', { reason: '  ' }, 400],
    ['POST', '/jobs/no-such-job/pause', { reason: 'x' }, 404],
  ] as const
  for (const [method, path, body, status] of cases) {
    const reply = await operate(method, path, body)
    t.equal(reply.statusCode, status, `${method} ${path} ${JSON.stringify(body)}`)
    t.hasOwnProps(reply.json, ['statusCode', 'error', 'message', 'requestId'])
  }
})

t.test('pause and resume stop and free deliveries, and are audited with their reasons', async t => {
  const { db, deliver, operate } = await testApp(t)
  t.match((await operate('POST', '/jobs/test-job/pause', { reason: 'bank holiday' })).json, {
    paused: true,
    changed: true,
  })
  t.match((await operate('POST', '/jobs/test-job/pause', { reason: 'again' })).json, { paused: true, changed: false })
  t.match(await deliver('/jobs/test-job'), { statusCode: 200, json: { outcome: 'paused', message: /bank holiday/ } })
  t.match((await operate('POST', '/jobs/test-job/resume', { reason: 'over' })).json, { paused: false, changed: true })
  t.match((await deliver('/jobs/test-job')).json, { outcome: 'succeeded' })
  const audit = await db.selectFrom('jobs.audit_entries').select(['action', 'details']).orderBy('id').execute()
  t.same(audit, [
    { action: 'job.pause', details: { reason: 'bank holiday' } },
    { action: 'job.resume', details: { reason: 'over' } },
  ])
})

t.test('the database going away is a 5xx, and coming back is enough', async t => {
  const { app, deliver } = await testApp(t)
  const { sql } = await import('kysely')
  await sql`alter schema jobs rename to jobs_away`.execute(app.db)
  const reply = await deliver('/jobs/test-job')
  t.equal(reply.statusCode, 503)
  t.ok(Number(reply.headers['retry-after']) >= 1)
  t.notMatch(reply.text, /claim_run|schema|relation/, 'nothing internal')
  await sql`alter schema jobs_away rename to jobs`.execute(app.db)
  t.equal((await deliver('/jobs/test-job')).statusCode, 200)
})
