import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { isFullRun, testDatabase } from '../support/database.ts'
import { send, sendUntilDone, startChild } from '../support/processes.ts'
import { countTraces, createRows, rowsPerJob } from '../support/traces.ts'

/** A heartbeat host that notes what arrives. */
async function startHeartbeats(t: Test): Promise<{ url: string; pings: string[] }> {
  const pings: string[] = []
  const server = http.createServer((request, response) => {
    pings.push(request.url ?? '')
    response.end('ok')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/heartbeat/token-of-tests`, pings }
}

const allSteps = ['claimed', 'gathered', 'planned', 'applying', 'applied', 'closing', 'closed']
const steps = isFullRun ? allSteps : ['applied', 'closed']

t.test('a process killed at any step leaves one effective run after redelivery', async t => {
  for (const step of steps) {
    await t.test(`killed at ${step}`, async t => {
      const { db, url } = await testDatabase(t)
      await createRows(db, 1)
      const heartbeats = await startHeartbeats(t)
      const env = { BETTERSTACK_KEEP_ALIVE_HEARTBEAT: heartbeats.url }
      const first = await startChild(t, { databaseUrl: url, env: { ...env, CHILD_STOP_AT: step } })
      const message = { messageId: 'msg_1', scheduleId: 'jobs.traced-0' }
      const cut = send(first, message)
      await first.at(step)
      await first.kill('SIGKILL')
      t.equal((await cut).statusCode, 0, 'the caller got no answer')

      const second = await startChild(t, { databaseUrl: url, env })
      const reply = await sendUntilDone(second, { ...message, retried: 1 })
      const closedBefore = step === 'closed'
      t.equal(reply.body['outcome'], closedBefore ? 'duplicate' : 'succeeded')
      t.same(await countTraces(db), { rows: rowsPerJob, traces: rowsPerJob }, 'each row once')
      const runs = await db.selectFrom('jobs.runs').select(['state', 'attempt', 'attempts', 'term']).execute()
      t.equal(runs.length, 1)
      t.equal(runs[0]?.state, 'succeeded')
      t.equal(runs[0]?.attempt, closedBefore ? 1 : 2)
      t.equal(runs[0]?.term, closedBefore ? '1' : '2', 'the lease term advanced')
      while (heartbeats.pings.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
      t.same(heartbeats.pings, ['/api/v1/heartbeat/token-of-tests'], 'one success ping, also after a crash before it')
      await second.kill('SIGTERM')
    })
  }
})

t.test('a stopped process that wakes after its lease expired applies nothing more', async t => {
  const { db, url } = await testDatabase(t)
  await createRows(db, 1)
  const first = await startChild(t, { databaseUrl: url, env: { CHILD_GATHER_MS: '1000' } })
  const slow = send(first, { messageId: 'msg_1' })
  await first.at('claimed')
  first.process.kill('SIGSTOP')
  const second = await startChild(t, { databaseUrl: url })
  const reply = await sendUntilDone(second, { messageId: 'msg_1', retried: 1 })
  t.equal(reply.body['outcome'], 'succeeded')
  first.process.kill('SIGCONT')
  t.equal((await slow).statusCode, 500, 'the former owner cannot claim success')
  t.same(await countTraces(db), { rows: rowsPerJob, traces: rowsPerJob })
  const traces = await sql<{ attempt: number }>`select distinct attempt from child_traces`.execute(db)
  // Not always 2: a machine under load may cost the second process its short lease as well.
  t.equal(traces.rows.length, 1, 'one attempt applied it')
  t.not(traces.rows[0]?.attempt, 1, 'and not the one that was stopped')
})

t.test('two processes and 200 duplicate deliveries make one run for each message', async t => {
  const jobs = 10
  const { db, url } = await testDatabase(t)
  await createRows(db, jobs)
  const env = { CHILD_JOBS: String(jobs), CHILD_GATHER_MS: '50' }
  const children = await Promise.all([
    startChild(t, { databaseUrl: url, env }),
    startChild(t, { databaseUrl: url, env }),
  ])
  const replies = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const job = `traced-${index % jobs}`
      const child = children[Math.floor(index / jobs) % 2] ?? children[0]
      return await send(child, { job, messageId: `msg_${job}` })
    }),
  )
  const outcomes = Object.groupBy(replies, reply => String(reply.body['outcome']))
  t.equal(outcomes['succeeded']?.length, jobs)
  t.equal((outcomes['duplicate']?.length ?? 0) + (outcomes['busy']?.length ?? 0), 200 - jobs, 'all others were told')
  t.same(await countTraces(db), { rows: jobs * rowsPerJob, traces: jobs * rowsPerJob })
  const runs = await db.selectFrom('jobs.runs').select(['state', 'deliveries']).execute()
  t.equal(runs.length, jobs)
  t.equal(
    runs.reduce((sum, run) => sum + run.deliveries, 0),
    200,
  )
})

t.test('clocks a second behind and a second ahead agree on the slot at its boundary', async t => {
  const { db, url } = await testDatabase(t)
  await createRows(db, 1)
  const slot = Math.ceil(Date.now() / 600_000) * 600_000
  for (const [name, offsetMs] of [
    ['behind', -1_000],
    ['ahead', 1_000],
  ] as const) {
    const child = await startChild(t, { databaseUrl: url })
    const now = new Date(slot + offsetMs)
    // Set after the start, because a start takes longer than a second.
    const clockSet = once(child.process, 'message')
    child.process.send({ clockAt: now.toISOString() })
    await clockSet
    const reply = await send(child, { messageId: `msg_${name}`, scheduleId: 'jobs.traced-0', now })
    t.equal(reply.body['slot'], new Date(slot).toISOString(), name)
    if (name === 'behind') {
      const { started_at } = await db.selectFrom('jobs.runs').select('started_at').executeTakeFirstOrThrow()
      t.ok(started_at.getTime() < slot, 'it really arrived before the slot')
    }
    t.equal(reply.body['outcome'], name === 'behind' ? 'succeeded' : 'duplicate')
    await child.kill('SIGTERM')
  }
})

t.test('a process told to end under load loses nothing and answers every caller', async t => {
  const jobs = 8
  const { db, url } = await testDatabase(t)
  await createRows(db, jobs)
  const env = { CHILD_JOBS: String(jobs), CHILD_GATHER_MS: '30' }
  const child = await startChild(t, { databaseUrl: url, env })
  const sent: { messageId: string; job: string; statusCode: number; error: string | undefined }[] = []
  const callers = Array.from({ length: jobs }, async (_, caller) => {
    for (let call = 0; ; call += 1) {
      const message = { job: `traced-${caller}`, messageId: `msg_${caller}_${call}` }
      const { error, statusCode } = await send(child, message)
      sent.push({ ...message, statusCode, error })
      if (statusCode !== 200) return
    }
  })
  while (sent.length < 100) await new Promise(resolve => setTimeout(resolve, 10))
  const exited = new Promise<number | null>(resolve => child.process.once('exit', resolve))
  child.process.kill('SIGTERM')
  await Promise.all(callers)
  t.equal(await exited, 0)
  // Whoever comes after the last run finds nobody listening; a connection that was taken is never dropped.
  const dropped = sent.filter(({ error, statusCode }) => statusCode === 0 && error?.includes('ECONNREFUSED') !== true)
  t.same(dropped, [], 'every caller who got through got an answer')
  t.same(
    sent.filter(({ statusCode }) => ![0, 200, 503].includes(statusCode)),
    [],
  )

  const second = await startChild(t, { databaseUrl: url, env })
  for (const message of sent.filter(({ statusCode }) => statusCode !== 200)) await sendUntilDone(second, message)
  const runs = await db.selectFrom('jobs.runs').select(['message_id', 'state']).execute()
  t.equal(new Set(runs.map(run => run.message_id)).size, sent.length, 'every message has its run')
  t.same(
    runs.filter(run => run.state !== 'succeeded'),
    [],
  )
  t.same(await countTraces(db), { rows: jobs * rowsPerJob, traces: jobs * rowsPerJob })
})
