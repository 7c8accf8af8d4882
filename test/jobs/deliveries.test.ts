import t, { type Test } from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'
import { startClerk } from '../../src/sandbox/clerk.ts'
import { startQstash } from '../../src/sandbox/qstash.ts'
import { startSite } from '../../src/sandbox/site.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testApp } from '../support/app.ts'
import { addBlockedDate, addProfile, addRun, readAll } from '../support/builders.ts'

/** The real jobs in the real application, with every vendor on loopback. */
async function openWorld(t: Test) {
  let clock = () => new Date()
  const stripeStarting = startStripe({ clock: () => clock() })
  const parts = await Promise.all([startSite(), startClerk(), startQstash(), startBetterStack(), stripeStarting])
  const [site, clerk, qstash, betterStack, stripe] = parts
  t.teardown(async () => {
    await Promise.all(parts.map(async part => await part.close()))
  })
  const heartbeat = (token: string): string => betterStack.register(token)
  const app = await testApp(t, {
    jobs,
    env: {
      APP_URL: site.url,
      CLERK_API_URL: clerk.url,
      CLERK_SECRET_KEY: clerk.secretKey,
      STRIPE_API_BASE_URL: stripe.url,
      STRIPE_SECRET_KEY: stripe.secretKey,
      QSTASH_URL: qstash.url,
      QSTASH_TOKEN: qstash.token,
      BETTERSTACK_BLOCKED_DATES_HEARTBEAT: heartbeat('blocked-dates-heartbeat'),
      BETTERSTACK_KEEP_ALIVE_HEARTBEAT: heartbeat('keep-alive-heartbeat'),
      BETTERSTACK_TASKS_HEARTBEAT: heartbeat('tasks-heartbeat'),
    },
  })
  clock = app.clock
  const pinged = async (token: string): Promise<string[]> => {
    while (betterStack.pings(token).length === 0) await new Promise(resolve => setTimeout(resolve, 10))
    return betterStack.pings(token).map(ping => ping.kind)
  }
  return { ...app, site, clerk, qstash, betterStack, stripe, pinged }
}

t.test('cleanup-blocked-dates deletes what is over, once, and reports it', async t => {
  const { db, deliver, pinged } = await openWorld(t)
  await addBlockedDate(db, { date: '2026-03-09' })
  const today = await addBlockedDate(db, { date: '2026-03-10' })
  const broken = await addBlockedDate(db, { date: '2026-03-09', timezone: 'Mars/Olympus' })
  const message = { messageId: 'msg_1', scheduleId: 'jobs.cleanup-blocked-dates' }
  const first = await deliver('/jobs/cleanup-blocked-dates', message)
  t.match(first.json, {
    outcome: 'succeeded',
    slot: '2026-03-10T00:00:00.000Z',
    report: { counts: { deleted: 1 }, findings: 1 },
  })
  t.same(new Set((await readAll(db, 'blocked_dates')).map(row => row.id)), new Set([today, broken]))
  t.match((await deliver('/jobs/cleanup-blocked-dates', message)).json, {
    outcome: 'duplicate',
    report: first.json['report'],
  })
  t.same(await pinged('blocked-dates-heartbeat'), ['success'])
  t.match(await readAll(db, 'jobs.findings'), [{ kind: 'blocked-date-zone', run_id: first.json['runId'] }])
})

t.test('keep-alive asks everybody once, refreshes tokens once a day, and marks only who has none', async t => {
  const { clerk, db, deliver, pinged, site } = await openWorld(t)
  clerk.setUser('user_connected', 'connected')
  clerk.setUser('user_without', 'none')
  await addProfile(db, 'user_connected')
  await addProfile(db, 'user_without')
  const first = await deliver('/jobs/keep-alive', { scheduleId: 'jobs.keep-alive' })
  t.match(first.json, { outcome: 'succeeded', report: { counts: { pings: 3, down: 0, refreshed: 1, missing: 1 } } })
  t.equal(site.asked(), 1)
  t.same(
    clerk.writes().map(write => write.userId),
    ['user_without'],
  )
  await deliver('/jobs/keep-alive')
  t.equal(clerk.refreshesOf('user_connected'), 1, 'not again on the same day')
  t.same(await pinged('keep-alive-heartbeat'), ['success'])
})

t.test('keep-alive fails while the site is down, and an outage of Clerk writes nothing', async t => {
  const { clerk, db, deliver, site } = await openWorld(t)
  clerk.setUser('user_1', 'none')
  await addProfile(db, 'user_1')
  site.setFault({ kind: 'down' })
  clerk.setFault({ kind: 'status', status: 503 })
  const reply = await deliver('/jobs/keep-alive')
  t.equal(reply.statusCode, 500)
  t.match(reply.json, { outcome: 'incomplete', report: { failed: 2 } })
  t.same(clerk.writes(), [])
  t.same(await readAll(db, 'jobs.token_refreshes'), [])
})

t.test('process-tasks purges what is too old and keeps what is not', async t => {
  const { db, deliver, pinged } = await openWorld(t)
  const old = { started_at: new Date('2025-12-01T00:00:00Z'), finished_at: new Date('2025-12-01T00:00:00Z') }
  await addRun(db, old)
  const failed = await addRun(db, { ...old, state: 'failed' })
  const young = await addRun(db, { started_at: new Date('2026-03-01T00:00:00Z') })
  const reply = await deliver('/jobs/process-tasks', { scheduleId: 'jobs.process-tasks' })
  t.match(reply.json, { outcome: 'succeeded', report: { counts: { 'jobs.runs': 1 } } })
  const kept = (await readAll(db, 'jobs.runs')).map(run => run.id)
  t.same(kept.toSorted(), [failed, young, String(reply.json['runId'])].toSorted())
  t.same(await pinged('tasks-heartbeat'), ['success'])
})

t.test('each job shows its plan in a dry run and changes nothing', async t => {
  const { db, deliver, betterStack, stripe } = await openWorld(t)
  const before = stripe.snapshot()
  await addBlockedDate(db, { date: '2026-03-01' })
  for (const job of jobs) {
    const { json } = await deliver(`/jobs/${job.name}?dryRun=true`)
    t.match(json, { outcome: 'succeeded', dryRun: true, planHash: /^[0-9a-f]{64}$/, report: { applied: 0 } }, job.name)
  }
  t.equal((await readAll(db, 'blocked_dates')).length, 1)
  t.same(betterStack.pings(), [])
  t.same(stripe.snapshot(), before)
})
