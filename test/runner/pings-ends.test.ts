import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createDatabase } from '../../src/database/connection.ts'
import { createHeartbeatSender, type SendResult } from '../../src/providers/heartbeat.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createPings } from '../../src/runner/pings.ts'
import { testDatabase } from '../support/database.ts'
import {
  delivered,
  heartbeatsOf,
  jobs,
  letClaimsRunOut,
  movingClock,
  noon,
  notNow,
  owePing,
  readPing,
  recordLog,
  recordSender,
  testPings,
  token,
  until,
} from '../support/pings.ts'

t.test('two processes on one database send each ping once', async t => {
  const { sender, sent } = recordSender(async () => {
    await new Promise(setImmediate)
    return delivered
  })
  const { db, log, pings, url } = await testPings(t, { sender })
  const second = createDatabase({ connectionString: url, onError: () => {} })
  t.teardown(async () => await second.destroy())
  const heartbeats = heartbeatsOf(jobs)
  const others = createPings({ db: second, sender, heartbeats, clock: () => noon, owner: 'two', log })
  for (let round = 1; round <= 10; round += 1) {
    for (const job of jobs) await owePing(db, { job })
    const [one, two] = await Promise.all([pings.sendOwed(), others.sendOwed()])
    t.equal(one.delivered + two.delivered, jobs.length)
    t.equal(sent.length, round * jobs.length)
  }
})

t.test('the ping of a process that died while sending goes out again, and only its late answer is lost', async t => {
  const gate = Promise.withResolvers<SendResult>()
  const dying = recordSender(async () => await gate.promise)
  const { db, log, pings, url } = await testPings(t, { sender: dying.sender })
  const id = await owePing(db)
  const lost = pings.sendOwed()
  await until(() => dying.sent.length === 1)

  const second = createDatabase({ connectionString: url, onError: () => {} })
  t.teardown(async () => await second.destroy())
  const { sender, sent } = recordSender()
  const heartbeats = heartbeatsOf(jobs)
  const successor = createPings({ db: second, sender, heartbeats, clock: () => noon, owner: 'two', log })
  t.strictSame(await successor.sendOwed(), { delivered: 0, dropped: 0, owed: 1 }, 'not before its claim has run out')
  await letClaimsRunOut(db)
  t.strictSame(await successor.sendOwed(), { delivered: 1, dropped: 0, owed: 0 })
  t.equal(sent.length, 1)
  gate.resolve(notNow)
  await lost
  t.match(await readPing(db, id), { state: 'delivered', attempts: 2 })
})

t.test('a heartbeat that is not known any more is a finding, until a ping arrives again', async t => {
  let answer: SendResult = { outcome: 'permanent', reason: 'status 404' }
  const { sender } = recordSender(() => answer)
  const { db, lines, pings } = await testPings(t, { sender })
  const id = await owePing(db)
  t.strictSame(await pings.sendOwed(), { delivered: 0, dropped: 1, owed: 0 })
  t.match(await readPing(db, id), { state: 'dropped', note: 'status 404', attempts: 1 })
  const findFinding = async () => await db.selectFrom('jobs.findings').selectAll().executeTakeFirstOrThrow()
  t.match(await findFinding(), { kind: 'heartbeat-unknown', subject: 'keep-alive', job: 'keep-alive', state: 'open' })
  t.notMatch(JSON.stringify(await findFinding()), token)
  const error = lines.map(line => JSON.parse(line)).find(line => line.level === 50)
  t.match(error, { msg: 'heartbeat ping refused', job: 'keep-alive', heartbeat: 'monitor.test …3bUd' })

  answer = delivered
  await owePing(db)
  await pings.sendOwed()
  t.match(await findFinding(), { state: 'resolved', closed_by: 'eleva-jobs' })
})

t.test('close makes a last pass, and afterwards nothing is sent', async t => {
  const { sender, sent } = recordSender()
  const { db, pings } = await testPings(t, { sender })
  await owePing(db)
  await pings.close(5_000)
  t.equal(sent.length, 1)
  await owePing(db)
  t.strictSame(await pings.sendOwed(), { delivered: 0, dropped: 0, owed: 0 })
  await pings.close(5_000)
  t.equal(sent.length, 1)
})

t.test('close cuts off what hangs within its budget and gives it back to whoever comes next', async t => {
  const { sender } = recordSender(
    async ({ signal }) =>
      await new Promise(resolve => {
        signal?.addEventListener('abort', () =>
          resolve({ outcome: 'retryable', reason: 'given up', retryAfterMs: null }),
        )
      }),
  )
  const { db, pings } = await testPings(t, { sender })
  const id = await owePing(db)
  const startedAt = performance.now()
  await pings.close(400)
  t.ok(performance.now() - startedAt < 400)
  t.match(await readPing(db, id), { state: 'pending', note: 'given up', next_attempt_at: noon.toISOString() })

  const deaf = recordSender(async () => await new Promise<SendResult>(() => {}))
  const stuck = await testPings(t, { sender: deaf.sender })
  await owePing(stuck.db)
  const again = performance.now()
  await stuck.pings.close(400)
  t.ok(performance.now() - again < 600, 'a sender that does not listen costs the budget and no more')
})

t.test(
  'without a database nothing breaks: the caller hears of it, close ends, and what was under way is logged',
  async t => {
    const { db, url } = await testDatabase(t)
    const unreachable = createDatabase({ connectionString: url, onError: () => {} })
    const { log, lines } = recordLog()
    const { sender } = recordSender(async () => {
      await unreachable.destroy()
      return delivered
    })
    const heartbeats = heartbeatsOf(jobs)
    const cut = createPings({ db: unreachable, sender, heartbeats, clock: () => noon, owner: 'two', log })
    const id = await owePing(db)
    await t.rejects(cut.sendOwed(), /destroyed/)
    t.match(lines.join(''), 'heartbeat ping could not be recorded')
    t.equal((await readPing(db, id)).state, 'sending', 'it goes out again when the claim has run out')
    await cut.close(1_000)
    t.match(lines.join(''), 'last heartbeat pings could not be looked up')
  },
)

t.test('over real HTTP a monitor hears of the failure and then of the recovery', async t => {
  const heard: string[] = []
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', chunk => (body += String(chunk)))
    request.on('end', () => {
      heard.push(`${request.method} ${request.url} ${body}`)
      response.statusCode = heard.length === 1 ? 503 : 200
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outside = createHttp()
  t.teardown(async () => {
    await outside.close()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/heartbeat/${token}`
  const { db, pings } = await testPings(t, {
    sender: createHeartbeatSender(outside),
    heartbeats: new Map([['keep-alive', { url, timeoutMs: 3_000 }]]),
    clock: movingClock(),
    random: () => 0,
  })
  await owePing(db, { kind: 'fail', body: 'keep-alive failed' })
  t.strictSame(await pings.sendOwed(), { delivered: 1, dropped: 0, owed: 0 })
  await owePing(db)
  t.strictSame(await pings.sendOwed(), { delivered: 1, dropped: 0, owed: 0 })
  const path = `/api/v1/heartbeat/${token}`
  t.strictSame(heard, [`POST ${path}/fail keep-alive failed`, `POST ${path}/fail keep-alive failed`, `GET ${path} `])
})
