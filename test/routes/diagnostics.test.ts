import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as pass } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { componentNames } from '../../src/diagnostics/component.ts'
import type { Diagnosis } from '../../src/diagnostics/diagnose.ts'
import { describeInTime } from '../../src/runner/alert-notices.ts'
import { announceRecoveries } from '../../src/runner/alerts.ts'
import { startNovu } from '../../src/sandbox/novu.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testApp } from '../support/app.ts'
import { addFinding } from '../support/builders.ts'
import { testJob } from '../support/runner.ts'

const gone = 'http://127.0.0.1:9'
const everything = '/diagnostics?component=all&details=true'

async function vendor(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const vendorsAt = (url: string) => ({
  QSTASH_URL: url,
  QSTASH_TOKEN: 'planted-qstash-token',
  NOVU_BASE_URL: url,
  STRIPE_API_BASE_URL: url,
})

t.test('it is for operators, and strict about what is asked', async t => {
  const { call, operate } = await testApp(t)
  for (const path of ['/diagnostics', '/api/diagnostics', everything])
    t.equal((await call('GET', path)).statusCode, 401, path)
  t.equal((await operate('POST', '/diagnostics')).statusCode, 405)
  const wrong = ['component=al', 'component=', 'details=yes', 'details', 'verbose=true', 'component=all&component=novu']
  for (const query of wrong) t.equal((await operate('GET', `/diagnostics?${query}`)).statusCode, 400, query)

  const { json, headers, text } = await operate('GET', '/diagnostics?component=heartbeats')
  t.match(json, {
    status: 'warn',
    components: { heartbeats: { status: 'warn', issues: [/^test-job has no heartbeat/] } },
  })
  t.strictSame(Object.keys((json as unknown as Diagnosis).components), ['heartbeats'])
  t.notMatch(text, /"details"/)
  t.match(text, /\n {2}"status"/, 'readable in a terminal')
  t.equal(headers['cache-control'], 'no-store')
  const alias = await operate('GET', '/api/diagnostics?component=heartbeats&details=true')
  t.match(alias.json, { components: { heartbeats: { details: { jobs: 1, configured: 0 } } } })
})

t.test('vendors that hang cost three seconds at most, and hide nothing of the rest', async t => {
  const { app, operate } = await testApp(t, { env: vendorsAt(await vendor(t, () => {})) })
  // Importing their SDKs is nobody's hanging.
  await Promise.all([import('@novu/api'), import('stripe')])
  const startedAt = performance.now()
  const page = operate('GET', everything)
  // An alert at the same time, as the runner asks for it: two seconds, then it goes without.
  const told = await describeInTime({
    describeMoment: async () => await app.diagnostics.describeMoment(),
    log: app.server.log,
  })
  const { json, statusCode } = await page
  const took = performance.now() - startedAt
  t.match(told, /^heartbeats: warn\n- test-job has no heartbeat/m, 'an alert has what there is')
  t.match(told, /^novu: fail\n- could not read the workflows at Novu within \d+ ms$/m)
  t.equal(statusCode, 200)
  t.ok(took < 3_000, `${Math.round(took)} ms`)
  const { components, status } = json as unknown as Diagnosis
  t.equal(status, 'fail')
  t.strictSame(Object.keys(components), componentNames)
  t.match(components.novu?.issues, [/^could not read the workflows at Novu within 2500 ms$/])
  t.match(components.stripe?.issues, [/^could not read our account at Stripe within 2500 ms$/])
  t.match(components.qstash?.issues[0], /^could not read the schedules at QStash within 2500 ms$/)
  t.match(components.database, { status: 'pass', details: { poolWaiting: 0, missingMigrations: 0 } })
  t.match(components.novu?.details, { noticesWaiting: 0 }, 'what needs no vendor is there')
})

t.test('nothing that vendors, variables or rows say gets out, secret or personal', async t => {
  const planted = 'planted sk_live_planted0123456789 whsec_planted0123456789 ana.planted@guests.test +351 912 345 678'
  const url = await vendor(t, (_request, response) => {
    response.writeHead(500, { 'content-type': 'application/json', 'x-planted': 'planted' })
    response.end(
      JSON.stringify({
        error: { message: planted, code: 'sk_live_planted0123456789', type: planted },
        message: planted,
      }),
    )
  })
  const { db, operate, clock } = await testApp(t, {
    env: {
      ...vendorsAt(url),
      STRIPE_SECRET_KEY: 'sk_test_planted0123456789',
      NOVU_SECRET_KEY: 'planted-novu-key',
      NOVU_ADMIN_SUBSCRIBER_ID: 'planted-admin',
      STRIPE_WEBHOOK_SECRET: 'planted-webhook-secret',
      CLERK_SECRET_KEY: 'sk_test_plantedClerk',
      RESEND_API_KEY: 're_planted0123456789',
    },
  })
  await addFinding(db, { kind: 'job-failing', subject: 'ana.planted@guests.test', message: planted })
  await addFinding(db, {
    kind: 'operation-blocked',
    subject: 'x',
    message: planted,
    details: JSON.stringify({ planted }),
  })
  await db
    .insertInto('jobs.heartbeat_pings')
    .values({
      job: 'test-job',
      kind: 'fail',
      body: planted,
      happened_at: clock(),
      true_until: clock(),
      next_attempt_at: clock(),
    })
    .execute()
  const { text, statusCode } = await operate('GET', everything)
  t.equal(statusCode, 200)
  t.notMatch(text, /planted|sk_test|sk_live|whsec_\w|@guests|912/)
  t.match(text, /STRIPE_WEBHOOK_SECRET does not begin with whsec_/)
})

t.test('when the database is away, that is told, and so is what needs none', async t => {
  const { operate } = await testApp(t, {
    boot: false,
    env: { DATABASE_URL: 'postgres://planted:planted@127.0.0.1:9/planted' },
  })
  const { json, text } = await operate('GET', everything)
  const { components } = json as unknown as Diagnosis
  t.match(components.database, { status: 'fail', details: { poolSize: 10 } })
  t.match(components.database?.issues, [/^could not read anything from the database: ECONNREFUSED$/])
  t.match(components.environment?.details, { mode: 'test' })
  t.notMatch(text, /planted/)
})

t.test('where nobody is named who is told, the boot says so', async t => {
  const warned = ({ logs }: Awaited<ReturnType<typeof testApp>>): boolean =>
    logs().some(({ level, msg }) => level === 40 && String(msg).startsWith('NOVU_ADMIN_SUBSCRIBER_ID is not set'))
  t.ok(warned(await testApp(t)))
  t.notOk(warned(await testApp(t, { env: { NOVU_ADMIN_SUBSCRIBER_ID: 'operators' } })))
})

t.test('a job that keeps failing, and that it works again, stand in the inbox of operators, in words', async t => {
  const novu = await startNovu()
  t.teardown(novu.close)
  const stripe = await startStripe()
  t.teardown(stripe.close)
  let works = false
  const failing = testJob({
    alertAfter: 1,
    tellsPeople: true,
    gather: async () => (works ? undefined : await Promise.reject(new Error('no answer for ana@guests.test'))),
  })
  const { clock, db, operate } = await testApp(t, {
    jobs: [failing],
    env: {
      NOVU_BASE_URL: novu.url,
      NOVU_SECRET_KEY: novu.secretKey,
      NOVU_ADMIN_SUBSCRIBER_ID: 'operators',
      STRIPE_API_BASE_URL: stripe.url,
      STRIPE_SECRET_KEY: stripe.secretKey,
      QSTASH_URL: gone,
      QSTASH_TOKEN: 'planted-qstash-token',
    },
  })
  const run = async () => (await operate('POST', '/runs', { job: 'test-job' })).statusCode
  t.equal(await run(), 500)
  t.equal(await run(), 500)
  while (novu.inbox().length === 0) {
    clock.advance(60_000)
    await operate('POST', '/runs', { job: 'test-job' })
    await pass()
  }
  const [message] = novu.inbox()
  const told = JSON.stringify(message)
  t.match(told, /The job test-job has failed, last in run [0-9a-f-]{36}: /)
  t.match(told, /qstash: fail/)
  t.match(told, /could not read the schedules at QStash/)
  t.notMatch(told, /ana@|planted/)
  t.equal((await db.selectFrom('jobs.outbox').select('id').execute()).length, 1, 'once')
  works = true
  t.equal(await run(), 200)
  await announceRecoveries({ alertRecipient: 'operators', clock, db, log: pino({ level: 'silent' }) })
  while (novu.inbox().length === 1) {
    clock.advance(60_000)
    await run()
    await pass()
  }
  t.match(
    JSON.stringify(novu.inbox()[1]),
    /The job test-job works again since run [0-9a-f-]{36}\. It had been failing since /,
  )
})
