import t, { type Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { recordNotice } from '../../src/notices/record.ts'
import { startNovu } from '../../src/sandbox/novu.ts'
import { testApp } from '../support/app.ts'
import { addFinding } from '../support/builders.ts'
import { until } from '../support/pings.ts'
import { testJob } from '../support/runner.ts'

/** The real application, and a vendor beside it. */
async function appWithNovu(t: Test, env: Readonly<Record<string, string>> = {}) {
  const novu = await startNovu()
  t.teardown(async () => await novu.close())
  const job = testJob({
    tellsPeople: true,
    apply: async (_, { clock, db, runId }) => {
      const facts = { job: 'test-job', runs: 3, runId, message: 'it broke', diagnostics: 'all well' }
      const what = { kind: 'job-failing', subject: 'test-job', recipient: 'operators', occurrence: 'once' } as const
      await recordNotice(db, { ...what, facts, runId, at: clock(), usefulUntil: null })
    },
  })
  const keys = { NOVU_BASE_URL: novu.url, NOVU_SECRET_KEY: novu.secretKey, ...env }
  const world = await testApp(t, { jobs: [job], env: keys, boot: false })
  const states = async (): Promise<string[]> => {
    const rows = await world.db.selectFrom('jobs.outbox').select('state').execute()
    return rows.map(({ state }) => state)
  }
  return { ...world, novu, states }
}

t.test('what a job decides reaches the person after its run, without a minute in between', async t => {
  const { app, deliver, logs, novu, states } = await appWithNovu(t)
  await app.boot()
  t.equal((await deliver('/jobs/test-job')).statusCode, 200)
  await until(async () => (await states())[0] === 'sent')
  t.match(novu.inbox(), [{ workflow: 'system-health', to: { subscriberId: 'operators' }, text: /test-job/ }])
  t.ok(logs().some(({ msg }) => String(msg).startsWith('NOVU_ADMIN_SUBSCRIBER_ID is not set')))
})

t.test('what another process has decided is sent at boot', async t => {
  const { app, db, novu, states } = await appWithNovu(t)
  const facts = { job: 'a', runs: 3, runId: 'r', message: '', diagnostics: '' }
  const what = { kind: 'job-failing', subject: 'a', recipient: 'operators', occurrence: 'once' } as const
  await recordNotice(db, { ...what, facts, runId: null, at: new Date(0), usefulUntil: null })
  await app.boot()
  await until(async () => (await states())[0] === 'sent')
  t.equal(novu.inbox().length, 1)
})

t.test('a preview tells nobody anything, and says so', async t => {
  const { app, deliver, logs, novu, states } = await appWithNovu(t, { IS_PULL_REQUEST: 'true' })
  await app.boot()
  await deliver('/jobs/test-job')
  await app.close()
  t.strictSame(await states(), ['pending'])
  t.strictSame(novu.asked(), [])
  t.ok(logs().some(({ msg }) => msg === 'notices are not sent in a preview'))
})

t.test('what the sender meets at Novu shows in its health at once, in every process, and is over with it', async t => {
  const { app, clock, db, deliver, novu, operate, states } = await appWithNovu(t)
  await app.boot()
  const look = async () => {
    clock.advance(11_001)
    const { json, statusCode } = await operate('GET', '/health/novu')
    const [check] = (json['checks'] as Record<string, [Record<string, unknown>]>)['novu:responseTime'] ?? []
    return { statusCode, ...check }
  }
  await until(async () => novu.asked().filter(({ call }) => call === 'workflows').length > 6)
  t.match(await look(), { statusCode: 200, status: 'pass', state: 'up' })
  novu.inject({ kind: 'unauthorized', call: 'send', times: 1 })
  await deliver('/jobs/test-job')
  await until(async () => (await findings(db)).includes('novu-key-refused open'))
  t.match(await look(), { statusCode: 503, status: 'fail', state: 'misconfigured', output: /^refused our key at 2/ })
  clock.advance(400_000)
  t.match(await look(), { statusCode: 200, status: 'warn', state: 'up', output: /has taken nothing since/ })
  t.match((await operate('GET', '/health')).json, { status: 'warn' }, 'known without a question')
  await deliver('/jobs/test-job')
  await until(async () => (await states())[0] === 'sent')
  t.match(await look(), { statusCode: 200, status: 'pass', state: 'up' })
  await addFinding(db, { kind: 'novu-workflow-unready', subject: 'system-health' })
  t.match(await look(), { statusCode: 200, status: 'warn', output: /^the workflow system-health is not what/ })
})

async function findings(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('jobs.findings').select(['kind', 'state']).execute()
  return rows.map(({ kind, state }) => `${kind} ${state}`)
}
