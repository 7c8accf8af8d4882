import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, QstashDailyRatelimitError, QstashRatelimitError, Receiver } from '@upstash/qstash'
import t, { type Test } from 'tap'
import { type QstashOptions, type QstashStandIn, startQstash } from '../../src/sandbox/qstash.ts'
import { parseExpression } from '../../src/sandbox/qstash/expression.ts'
import { dailyQuotaHeaders } from '../../src/sandbox/qstash/faults.ts'
import { parseDuration, retryDelayMs } from '../../src/sandbox/qstash/retry.ts'

interface Arrival {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Destination {
  readonly url: string
  readonly arrivals: Arrival[]
}

// The official client prints every refused call.
t.capture(console, 'error')

const fast = { speed: 1e6 }

async function startWorld(t: Test, options: QstashOptions = fast): Promise<{ qstash: QstashStandIn; client: Client }> {
  const qstash = await startQstash(options)
  t.teardown(async () => {
    await qstash.close()
  })
  const client = new Client({ baseUrl: qstash.url, token: qstash.token, devMode: false, retry: false })
  return { qstash, client }
}

type Decide = (arrival: Arrival, index: number) => Reply | 'never' | Promise<Reply | 'never'>

async function startDestination(t: Test, decide: Decide = () => ({ status: 200 })): Promise<Destination> {
  const arrivals: Arrival[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { headers, method = '', url = '' } = request
      const arrival = { method, path: url, headers, body: Buffer.concat(chunks) }
      const index = arrivals.push(arrival) - 1
      void Promise.resolve(decide(arrival, index)).then(reply => {
        if (reply !== 'never') response.writeHead(reply.status, reply.headers).end(reply.body)
        return reply
      })
    })
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, arrivals }
}

async function accepts({ keys }: QstashStandIn, url: string, { body, headers }: Arrival): Promise<boolean> {
  const receiver = new Receiver({ currentSigningKey: keys.current, nextSigningKey: keys.next, devMode: false })
  const signature = String(headers['upstash-signature'])
  return await receiver.verify({ signature, body: body.toString(), url }).catch(() => false)
}

function claimsOf({ headers }: Arrival): Record<string, unknown> {
  const [, payload = ''] = String(headers['upstash-signature']).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
}

function statusOf(err: unknown): unknown {
  return (err as { status?: unknown }).status
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return await call.then(() => 'accepted', statusOf)
}

function single<Item>(items: readonly Item[]): Item {
  const [item] = items
  if (item === undefined || items.length !== 1) throw new Error(`wanted one, got ${items.length}`)
  return item
}

t.test('a schedule round trip with the official client', async t => {
  const { client, qstash } = await startWorld(t, { ...fast, maxSchedules: 2 })
  const destination = 'https://jobs.example.com/jobs/keep-alive?a=1&b=x%20y'
  const created = await client.schedules.create({
    destination,
    cron: '  CRON_TZ=Europe/Lisbon   */10  * * * * ',
    scheduleId: 'jobs.keep-alive',
    method: 'PUT',
    body: '{"job":"keep-alive"}',
    headers: { 'Content-Type': 'application/json', 'X-Job': 'keep-alive' },
    retries: 1,
    retryDelay: '1000 * pow(2, retried)',
    delay: 5,
    timeout: 30,
    callback: 'https://jobs.example.com/callback',
    failureCallback: 'https://jobs.example.com/qstash/failure',
    label: ['cfg-1', 'two'],
    flowControl: { key: 'stripe', parallelism: 2, rate: 10, period: '1m' },
  })
  t.same(created, { scheduleId: 'jobs.keep-alive' })

  t.test('it is shown as production shows it', async t => {
    const shown = await client.schedules.get('jobs.keep-alive')
    t.match(shown, {
      scheduleId: 'jobs.keep-alive',
      cron: 'CRON_TZ=Europe/Lisbon */10 * * * *',
      destination,
      method: 'PUT',
      header: { 'Content-Type': ['application/json'], 'X-Job': ['keep-alive'] },
      body: '{"job":"keep-alive"}',
      retries: 1,
      retryDelayExpression: '1000 * pow(2, retried)',
      delay: 5,
      callback: 'https://jobs.example.com/callback',
      failureCallback: 'https://jobs.example.com/qstash/failure',
      isPaused: false,
      label: 'cfg-1',
      labels: ['cfg-1', 'two'],
      flowControlKey: 'stripe',
      parallelism: 2,
      rate: 10,
      ratePerSecond: 10,
      period: 60,
    })
    t.equal(Number(shown.nextScheduleTime) % 600_000, 0, 'every ten minutes of a zone with whole hours')
  })

  t.test('it pauses and resumes by PATCH and by POST', async t => {
    await client.schedules.pause({ schedule: 'jobs.keep-alive' })
    t.equal((await client.schedules.get('jobs.keep-alive')).isPaused, true)
    t.throws(() => qstash.fire('jobs.keep-alive'), /is paused/)
    await client.schedules.resume({ schedule: 'jobs.keep-alive' })
    t.equal((await client.schedules.get('jobs.keep-alive')).isPaused, false)
    const headers = { authorization: `Bearer ${qstash.token}` }
    const answer = await fetch(`${qstash.url}/v2/schedules/jobs.keep-alive/pause`, { method: 'POST', headers })
    t.equal(answer.status, 200)
    t.equal(await answer.text(), '')
    t.equal((await client.schedules.get('jobs.keep-alive')).isPaused, true)
  })

  t.test('an upsert replaces everything: the body goes, defaults return, the pause ends', async t => {
    const before = await client.schedules.get('jobs.keep-alive')
    await client.schedules.create({ destination, cron: '0 4 * * *', scheduleId: 'jobs.keep-alive' })
    const after = await client.schedules.get('jobs.keep-alive')
    t.match(after, { cron: '0 4 * * *', method: 'POST', retries: 3, isPaused: false, createdAt: before.createdAt })
    for (const gone of [
      'body',
      'callback',
      'failureCallback',
      'delay',
      'label',
      'flowControlKey',
      'retryDelayExpression',
    ]) {
      t.notHas(after, { [gone]: String }, `${gone} is gone`)
    }
    t.equal((await client.schedules.list()).length, 1)
  })

  t.test('the quota refuses a third one and lets an update through', async t => {
    const { scheduleId } = await client.schedules.create({ destination, cron: '0 0 * * *' })
    t.match(scheduleId, /^scd_/)
    t.equal(await refusal(client.schedules.create({ destination, cron: '0 0 * * *' })), 412)
    await client.schedules.create({ destination, cron: '1 0 * * *', scheduleId })
    await client.schedules.delete(scheduleId)
    t.equal(await refusal(client.schedules.get(scheduleId)), 404)
    t.equal(await refusal(client.schedules.pause({ schedule: scheduleId })), 404)
    t.equal((await client.schedules.list()).length, 1)
  })
})

t.test('what production refuses is refused', async t => {
  const { client, qstash } = await startWorld(t)
  const stranger = new Client({ baseUrl: qstash.url, token: 'other', devMode: false, retry: false })
  t.equal(await refusal(stranger.schedules.list()), 401)
  const destination = 'https://jobs.example.com/x'
  for (const cron of ['* * * *', '* * * * * *', '61 * * * *', '2h', '', 'CRON_TZ=Mars/Olympus * * * * *']) {
    t.equal(await refusal(client.schedules.create({ destination, cron })), 400, `cron "${cron}"`)
  }
  t.equal(await refusal(client.schedules.create({ destination, cron: '* * * * *', scheduleId: 'a b' })), 400)
  t.equal(await refusal(client.publish({ url: 'jobs.example.com/x' })), 400, 'no scheme')
  t.equal(await refusal(client.publish({ url: 'ftp://jobs.example.com/x' })), 400)
  t.equal(await refusal(client.publish({ url: destination, deduplicationId: 'a:b' })), 400)
  t.equal(await refusal(client.publish({ url: destination, retryDelay: 'system(1)' })), 400)
  t.equal(await refusal(client.publish({ url: destination, delay: 'soon' as '1s' })), 400)
  t.equal(await refusal(client.messages.get('msg_unknown')), 404)
  t.equal(await refusal(client.messages.cancel('msg_unknown')), 404)
  t.equal(await refusal(client.dlq.delete('unknown')), 404)
  t.equal(await refusal(client.flowControl.get('unknown')), 404)
  t.equal(await refusal(client.publish({ url: destination, body: 'x'.repeat(1024 * 1024 + 1) })), 413)
  t.equal(qstash.messages().length, 0, 'none of it was published')
})

t.test('what is not modelled is answered 501 with the name of the call', async t => {
  const { client, qstash } = await startWorld(t)
  const url = 'https://jobs.example.com/x'
  const refused = [
    client.queue({ queueName: 'q' }).enqueueJSON({ url }),
    client.queue().list(),
    client.urlGroups.list(),
    client.flowControl.pause('key'),
    client.publish({ url, redact: { body: true } }),
    client.publish({ url: `${url}?upstash-retries=3` }),
    client.batch([{ url, queueName: 'q' }]),
    client.logs({ filter: { workflowRunId: 'x' } as object }),
  ]
  const answers = await Promise.allSettled(refused)
  for (const answer of answers) t.equal(answer.status === 'rejected' && statusOf(answer.reason), 501)
  const [first] = answers
  t.match(first?.status === 'rejected' && String(first.reason), `does not model POST /v2/enqueue/q/${url}`)
  t.equal(qstash.notModelled().length, 8)
  t.equal(qstash.messages().length, 0)
})

t.test('a delivery carries what production sends and the official receiver accepts it', async t => {
  const { client, qstash } = await startWorld(t)
  const destination = await startDestination(t)
  const url = `${destination.url}/jobs/a?dry=1&x=y%20z`
  const { messageId } = await client.publishJSON({
    url,
    body: { café: '☕', n: 1 },
    headers: { 'X-Job': 'a', 'Upstash-Forward-Authorization': 'Bearer b', 'Upstash-Forward-Host': 'other.example' },
  })
  const attempt = await qstash.attempted(messageId)
  const arrival = single(destination.arrivals)
  t.match(messageId, /^msg_[1-9A-HJ-NP-Za-km-z]{53}$/)
  t.match(attempt, { status: 200, retried: 0, isDuplicate: false, url })
  t.equal(arrival.path, '/jobs/a?dry=1&x=y%20z', 'the destination character for character')
  t.equal(arrival.body.toString(), '{"café":"☕","n":1}')
  t.match(arrival.headers, {
    host: new URL(url).host,
    'user-agent': 'Upstash-QStash',
    'content-type': 'application/json',
    'content-length': String(arrival.body.length),
    'upstash-message-id': messageId,
    'upstash-retried': '0',
    'upstash-caller-ip': '127.0.0.1',
    'upstash-region': 'EU-CENTRAL-1',
    'x-job': 'a',
    authorization: 'Bearer b',
  })
  t.notOk('upstash-schedule-id' in arrival.headers)
  t.equal(await accepts(qstash, url, arrival), true)
  t.equal(await accepts(qstash, `${url}/`, arrival), false)

  t.test('the token is minted as production mints it', t => {
    const claims = claimsOf(arrival)
    t.same(Object.keys(claims), ['aud', 'body', 'exp', 'iat', 'iss', 'jti', 'nbf', 'sub'])
    t.match(claims, {
      aud: '',
      body: /^[\w-]{43}=$/,
      iss: 'Upstash',
      jti: /^jwt_[1-9A-HJ-NP-Za-km-z]{28}$/,
      nbf: 0,
      sub: url,
    })
    t.equal(Number(claims.exp) - Number(claims.iat), 300)
    t.end()
  })

  t.test(
    'a schedule without a body arrives as JSON of no bytes with its id, each trigger with a new message id',
    async t => {
      const plain = await startDestination(t)
      await client.schedules.create({ destination: `${plain.url}/j`, cron: '0 0 1 1 *', scheduleId: 'jobs.a' })
      const ids = [qstash.fire('jobs.a'), qstash.fire('jobs.a')]
      await qstash.idle()
      const arrived = plain.arrivals.map(({ headers }) => String(headers['upstash-message-id']))
      t.same(new Set(arrived), new Set(ids))
      t.equal(arrived.length, 2)
      t.not(ids[0], ids[1])
      for (const one of plain.arrivals) {
        t.match(one.headers, {
          'content-type': 'application/json',
          'content-length': '0',
          'upstash-schedule-id': 'jobs.a',
        })
        t.equal(await accepts(qstash, `${plain.url}/j`, one), true)
      }
      t.match((await client.schedules.get('jobs.a')).lastScheduleStates, { [String(ids[1])]: 'SUCCESS' })
    },
  )

  t.test('a GET has no body on the wire and none in the hash', async t => {
    const plain = await startDestination(t)
    const sent = await client.publish({ url: plain.url, method: 'GET', body: 'dropped' })
    await qstash.attempted(sent.messageId)
    const got = single(plain.arrivals)
    t.equal(got.body.length, 0)
    t.equal(claimsOf(got).body, '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=')
  })

  t.test('bytes that are no text arrive unchanged', async t => {
    const plain = await startDestination(t)
    const bytes = new Blob([Uint8Array.from([0xff, 0, 0x80, 0x0a])])
    const sent = await client.publish({
      url: plain.url,
      body: bytes,
      headers: { 'Content-Type': 'application/octet-stream' },
    })
    await qstash.attempted(sent.messageId)
    t.same([...single(plain.arrivals).body], [0xff, 0, 0x80, 0x0a])
  })
})

t.test('retries: same message id, fresh token, then dead letter and failure callback', async t => {
  const { client, qstash } = await startWorld(t)
  const failing = await startDestination(t, () => ({ status: 500, headers: { 'x-why': 'boom' }, body: 'no luck' }))
  const told = await startDestination(t)
  const url = `${failing.url}/job`
  await client.schedules.create({
    destination: url,
    cron: '0 0 1 1 *',
    scheduleId: 'jobs.b',
    body: 'payload',
    retries: 2,
    failureCallback: `${told.url}/failure`,
    headers: { 'Upstash-Failure-Callback-Forward-X-Why': 'dead' },
  })
  const messageId = qstash.fire('jobs.b')
  await qstash.idle()

  t.same(
    failing.arrivals.map(({ headers }) => headers['upstash-retried']),
    ['0', '1', '2'],
  )
  t.same([...new Set(failing.arrivals.map(({ headers }) => headers['upstash-message-id']))], [messageId])
  t.same(
    failing.arrivals.map(({ headers }) => headers['upstash-schedule-id']),
    ['jobs.b', 'jobs.b', 'jobs.b'],
  )
  t.equal(new Set(failing.arrivals.map(arrival => claimsOf(arrival).jti)).size, 3)
  for (const arrival of failing.arrivals) t.equal(await accepts(qstash, url, arrival), true)

  const { messages } = await client.dlq.listMessages()
  const entry = single(messages)
  t.match(entry, {
    messageId,
    url,
    responseStatus: 500,
    responseBody: 'no luck',
    responseHeader: { 'x-why': ['boom'] },
  })

  t.test('the failure callback is a signed message of its own and says everything', async t => {
    const callback = single(told.arrivals)
    t.equal(await accepts(qstash, `${told.url}/failure`, callback), true)
    t.not(callback.headers['upstash-message-id'], messageId)
    t.match(callback.headers, { 'content-type': 'application/json', 'x-why': 'dead' })
    t.match(JSON.parse(callback.body.toString()), {
      status: 500,
      header: { 'x-why': ['boom'] },
      body: Buffer.from('no luck').toString('base64'),
      retried: 2,
      maxRetries: 2,
      dlqId: entry.dlqId,
      sourceMessageId: messageId,
      url,
      method: 'POST',
      sourceHeader: { 'Content-Type': ['application/json'] },
      sourceBody: Buffer.from('payload').toString('base64'),
      notBefore: Number,
      createdAt: Number,
      scheduleId: 'jobs.b',
      callerIP: String,
    })
  })

  t.test('the log has every step, newest first, and pages', async t => {
    const all = await client.logs({ filter: { messageId } })
    const steps = ['CREATED', 'ACTIVE', 'ERROR', 'RETRY', 'ACTIVE', 'ERROR', 'RETRY', 'ACTIVE', 'ERROR', 'FAILED']
    t.same(all.logs.map(({ state }) => state).toReversed(), steps)
    const first = await client.logs({ filter: { messageId }, count: 4 })
    t.same(
      first.logs.map(({ state }) => state),
      ['FAILED', 'ERROR', 'ACTIVE', 'RETRY'],
    )
    const second = await client.logs({ filter: { messageId }, count: 4, cursor: String(first.cursor) as never })
    t.same(
      second.logs.map(({ state }) => state),
      ['ERROR', 'ACTIVE', 'RETRY', 'ERROR'],
    )
    t.equal((await client.logs({ filter: { messageId, state: 'RETRY' } })).logs.length, 2)
    const headers = { authorization: `Bearer ${qstash.token}` }
    const logs = (await (await fetch(`${qstash.url}/v2/logs?count=1`, { headers })).json()) as { logs: unknown[] }
    t.equal(logs.logs.length, 1, 'the documented name of the same list')
  })

  t.test('a retry from the dead letters is a new message and removes the entry', async t => {
    const { responses } = await client.dlq.retry(entry.dlqId)
    const again = single(responses).messageId
    t.not(again, messageId)
    await qstash.attempted(again)
    t.match(failing.arrivals.at(-1)?.headers, { 'upstash-message-id': again, 'upstash-retried': '0' })
    await qstash.idle()
    const left = single((await client.dlq.listMessages()).messages)
    t.equal(left.messageId, again)
    await client.dlq.delete(left.dlqId)
    t.same((await client.dlq.listMessages()).messages, [])
  })
})

t.test('only 2xx is success, and only 489 with its header ends at once', async t => {
  const { client, qstash } = await startWorld(t)
  const table: ReadonlyArray<readonly [name: string, reply: Reply, attempts: number, state: string]> = [
    ['204', { status: 204 }, 1, 'DELIVERED'],
    ['301 is not followed', { status: 301, headers: { location: '/elsewhere' } }, 2, 'FAILED'],
    ['401', { status: 401 }, 2, 'FAILED'],
    ['489 alone', { status: 489 }, 2, 'FAILED'],
    ['400 with the header', { status: 400, headers: { 'Upstash-NonRetryable-Error': 'true' } }, 2, 'FAILED'],
    ['489 and the header', { status: 489, headers: { 'Upstash-NonRetryable-Error': 'true' } }, 1, 'FAILED'],
    ['489 and a false header', { status: 489, headers: { 'Upstash-NonRetryable-Error': 'false' } }, 2, 'FAILED'],
  ]
  for (const [name, reply, attempts, state] of table) {
    const destination = await startDestination(t, () => reply)
    const { messageId } = await client.publish({ url: `${destination.url}/x`, retries: 1 })
    await qstash.idle()
    t.equal(destination.arrivals.length, attempts, name)
    t.ok(
      destination.arrivals.every(({ path }) => path === '/x'),
      name,
    )
    t.equal(qstash.messages().find(({ id }) => id === messageId)?.state, state, name)
  }
  t.equal((await client.dlq.listMessages()).messages.length, 6)
  t.same(await client.dlq.delete({ all: true }), { deleted: 6 })

  t.test('without a word about it there are three retries', async t => {
    const destination = await startDestination(t, () => ({ status: 500 }))
    await client.publish({ url: destination.url })
    await qstash.idle()
    t.equal(destination.arrivals.length, 4)
  })

  t.test('nobody listening is a failure too', async t => {
    const { messageId } = await client.publish({ url: 'http://127.0.0.1:1/x', retries: 0 })
    t.match(await qstash.attempted(messageId), { status: undefined, error: /ECONNREFUSED/ })
  })

  t.test('a destination that the filter refuses is never called', async t => {
    const { messageId } = await client.publish({ url: 'https://jobs.example.com/x', retries: 0 })
    t.match(await qstash.attempted(messageId), { status: undefined, error: /does not deliver to/ })
  })
})

t.test('a callback tells about each attempt', async t => {
  const { client, qstash } = await startWorld(t)
  const destination = await startDestination(t, (_, index) => ({ status: index === 0 ? 500 : 200, body: `n${index}` }))
  const told = await startDestination(t)
  await client.publish({ url: destination.url, callback: told.url })
  await qstash.idle()
  const bodies = told.arrivals.map(({ body }) => JSON.parse(body.toString()) as { status: number; retried: number })
  t.same(
    bodies.map(({ retried, status }) => [retried, status]),
    [
      [0, 500],
      [1, 200],
    ],
  )
  t.notOk('dlqId' in (bodies[0] ?? {}))
})

t.test('how long a retry waits', t => {
  const now = new Date('2026-10-01T12:00:00Z')
  const wait = (retried: number, headers: Record<string, string[]> = {}, retryDelay?: string): number =>
    retryDelayMs({ retried, headers, now, ...(retryDelay === undefined ? {} : { retryDelay }) })
  t.same(
    [0, 1, 2, 3, 4, 9].map(retried => wait(retried) / 1_000),
    [12, 148, 1_808, 22_026, 86_400, 86_400],
  )
  t.equal(wait(2, {}, 'min(pow(2, retried) * 1000, 3000)'), 3_000)
  t.equal(wait(0, {}, '1000 * (1 + retried)'), 1_000)
  t.equal(wait(0, {}, '-5'), 0)
  t.equal(wait(0, {}, '0 / retried'), 86_400_000, 'what is no number is a day')
  const table: ReadonlyArray<readonly [value: string, seconds: number]> = [
    ['0', 0],
    ['30', 30],
    ['6m5s', 365],
    ['1.5s', 1.5],
    ['Thu, 01 Oct 2026 12:01:00 GMT', 60],
    ['Thu, 01 Oct 2026 11:00:00 GMT', 0],
    ['86400', 86_400],
    ['86401', 12],
    ['25h', 12],
    ['Sat, 03 Oct 2026 12:00:00 GMT', 12],
    ['2026-10-01', 12],
    ['soon', 12],
    ['', 12],
  ]
  for (const [value, seconds] of table) t.equal(wait(0, { 'retry-after': [value] }) / 1_000, seconds, value)
  for (const name of ['x-ratelimit-reset', 'x-ratelimit-reset-requests', 'x-ratelimit-reset-tokens']) {
    t.equal(wait(0, { [name]: ['7'] }), 7_000, name)
  }
  t.equal(wait(0, { 'retry-after': ['5'] }, '1000'), 5_000, 'the answer goes before the expression')
  t.equal(parseDuration('1d10h30m'), 124_200_000)
  for (const bad of ['', '1 +', 'pow(1)', 'pow(1, 2', 'toString(1)', '1 2', 'process', '1;2']) {
    t.throws(() => parseExpression(bad), Error, bad)
  }
  t.end()
})

t.test('virtual time: delays pass faster, tokens follow the given clock', async t => {
  const now = new Date('2026-10-01T12:00:00Z')
  const { client, qstash } = await startWorld(t, { speed: 36_000, clock: () => now, timeoutSpeed: 100 })
  const destination = await startDestination(t, (_, index) => ({ status: index === 0 ? 503 : 200 }))
  const startedAt = performance.now()
  const delayed = await client.publish({ url: destination.url, delay: '1h', retryDelay: '3600000' })
  const first = await client.messages.get(delayed.messageId)
  t.equal(Number(first.notBefore) - now.getTime(), 3_600_000)
  await qstash.idle()
  t.ok(performance.now() - startedAt > 190, 'twice an hour in twice a tenth of a second')
  t.equal(qstash.attempts(delayed.messageId).length, 2)
  for (const arrival of destination.arrivals) t.equal(claimsOf(arrival).iat, now.getTime() / 1_000)
  t.equal(await refusal(client.messages.get(delayed.messageId)), 404, 'a message that has ended is forgotten')

  t.test('not before wins over the delay', async t => {
    const at = now.getTime() / 1_000 + 7_200
    const { messageId } = await client.publish({ url: destination.url, delay: '1h', notBefore: at })
    t.equal((await client.messages.get(messageId)).notBefore, at * 1_000)
    t.same(await client.messages.cancel(messageId), { cancelled: 1 })
  })

  t.test('an attempt ends at its timeout and is retried', async t => {
    const slow = await startDestination(t, (_, index) => (index === 0 ? 'never' : { status: 200 }))
    const { messageId } = await client.publish({ url: slow.url, timeout: 40, retries: 1, retryDelay: '0' })
    t.match(await qstash.attempted(messageId), { status: undefined, error: 'no answer within 400 ms' })
    t.match(await qstash.attempted(messageId, 2), { status: 200, retried: 1 })
  })
})

t.test('crons fire by themselves, in their zone, each slot once, and never while paused', async t => {
  // 2026-10-24 23:59:30 in Lisbon, which is one hour ahead of UTC until that night.
  const start = new Date('2026-10-24T22:59:30Z')
  const { client, qstash } = await startWorld(t, { speed: 6_000, clock: () => start, upsertResumes: false })
  const destination = await startDestination(t)
  await client.schedules.create({ destination: `${destination.url}/minute`, cron: '* * * * *', scheduleId: 'minute' })
  const paused = { destination: `${destination.url}/paused`, scheduleId: 'paused' }
  await client.schedules.create({ ...paused, cron: '0 0 1 1 *' })
  await client.schedules.pause({ schedule: 'paused' })
  await client.schedules.create({ ...paused, cron: '* * * * *' })
  t.equal((await client.schedules.get('paused')).isPaused, true, 'the other thing that production may do on an upsert')
  await client.schedules.create({
    destination: `${destination.url}/lisbon`,
    cron: 'CRON_TZ=Europe/Lisbon 0 0 * * *',
    scheduleId: 'lisbon',
  })
  const fired = async (path: string, times: number): Promise<void> => {
    while (destination.arrivals.filter(arrival => arrival.path === path).length < times) {
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  await fired('/minute', 3)
  await fired('/lisbon', 1)
  const minute = await client.schedules.get('minute')
  t.ok(Number(minute.lastScheduleTime) >= Date.parse('2026-10-24T23:02:00Z'), 'slots go on although the clock stands')
  t.same(
    destination.arrivals.filter(({ path }) => path === '/paused'),
    [],
  )
  const triggers = qstash.messages().filter(({ scheduleId }) => scheduleId === 'lisbon')
  t.equal(triggers.length, 1)
})

t.test('a schedule that was replaced or deleted leaves no trigger behind', async t => {
  const { client } = await startWorld(t, { speed: 6_000, clock: () => new Date('2026-10-24T22:30:00Z') })
  const destination = await startDestination(t)
  const create = async (path: string, scheduleId: string): Promise<unknown> =>
    await client.schedules.create({ destination: `${destination.url}${path}`, cron: '0 23 * * *', scheduleId })
  await create('/old', 'moved')
  await create('/deleted', 'deleted')
  await client.schedules.delete('deleted')
  await create('/new', 'moved')
  while (destination.arrivals.length < 1) await new Promise(resolve => setImmediate(resolve))
  await client.schedules.list()
  t.same(
    destination.arrivals.map(({ path }) => path),
    ['/new'],
  )
})

t.test('a zone has its own midnight, also over the night of a clock change', async t => {
  let now = new Date('2026-10-24T22:59:30Z')
  const { client } = await startWorld(t, { speed: 1, clock: () => now })
  const destination = 'https://jobs.example.com/x'
  await client.schedules.create({ destination, cron: 'CRON_TZ=Europe/Lisbon 0 0 * * *', scheduleId: 'lisbon' })
  await client.schedules.create({ destination, cron: '0 0 * * *', scheduleId: 'utc' })
  const next = async (id: string): Promise<string> =>
    new Date(Number((await client.schedules.get(id)).nextScheduleTime)).toISOString()
  t.equal(await next('lisbon'), '2026-10-24T23:00:00.000Z')
  t.equal(await next('utc'), '2026-10-25T00:00:00.000Z')
  now = new Date('2026-10-25T12:00:00Z')
  t.equal(await next('lisbon'), '2026-10-26T00:00:00.000Z')
})

t.test('publishing the same twice within ten minutes is one message', async t => {
  let now = new Date('2026-10-01T12:00:00Z')
  const { client, qstash } = await startWorld(t, { ...fast, clock: () => now })
  const { url } = await startDestination(t)
  const first = await client.publish({ url, deduplicationId: 'one' })
  t.match(await client.publish({ url, deduplicationId: 'one' }), { messageId: first.messageId, deduplicated: true })
  const content = { url, body: 'a', contentBasedDeduplication: true }
  const plain = await client.publish(content)
  t.equal((await client.publish(content)).messageId, plain.messageId)
  t.not((await client.publish({ ...content, body: 'b' })).messageId, plain.messageId)
  t.not((await client.publish({ ...content, headers: { 'x-a': '1' } })).messageId, plain.messageId)
  now = new Date(now.getTime() + 599_999)
  t.match(await client.publish({ url, deduplicationId: 'one' }), { deduplicated: true })
  now = new Date(now.getTime() + 1)
  t.not((await client.publish({ url, deduplicationId: 'one' })).messageId, first.messageId)
  await qstash.idle()
  t.equal(qstash.messages().length, 5)
})

t.test('a batch is published whole or not at all', async t => {
  const { client, qstash } = await startWorld(t)
  const destination = await startDestination(t)
  const answers = await client.batchJSON([
    { url: `${destination.url}/1`, body: { n: 1 }, headers: { 'x-n': '1' } },
    { url: `${destination.url}/2`, body: { n: 2 }, label: 'two' },
  ])
  t.equal(answers.length, 2)
  await qstash.idle()
  t.same(destination.arrivals.map(({ body, path }) => `${path} ${body.toString()}`).toSorted(), [
    '/1 {"n":1}',
    '/2 {"n":2}',
  ])
  t.equal(await refusal(client.batch([{ url: destination.url }, { url: 'nowhere' }])), 400)
  t.equal(qstash.messages().length, 2)
})

t.test('messages are cancelled by id, by filter, and all of them without one', async t => {
  const { client, qstash } = await startWorld(t, { speed: 1 })
  const { arrivals, url } = await startDestination(t)
  const ids: string[] = []
  for (const label of ['a', 'a', 'b', 'c', 'd']) {
    ids.push((await client.publish({ url: `${url}/${label}`, label, delay: '1h' })).messageId)
  }
  t.match(await client.messages.get(String(ids[0])), { messageId: ids[0], url: `${url}/a`, label: 'a', maxRetries: 3 })
  t.same(await client.messages.cancel({ filter: { label: 'a' } }), { cancelled: 2 })
  t.same(await client.messages.cancel([String(ids[2])]), { cancelled: 1 })
  t.same(await client.messages.cancel({ filter: { url: `${url}/nothing` } }), { cancelled: 0 })
  t.same(await client.messages.cancel({ filter: { label: undefined } as never }), { cancelled: 2 }, 'as in production')
  await qstash.idle()
  t.same([...new Set(qstash.messages().map(({ state }) => state))], ['CANCELED'])
  t.equal(arrivals.length, 0)
})

t.test('a cancelled message is not sent when its turn comes, nor retried when it was under way', async t => {
  const { client, qstash } = await startWorld(t)
  const gate = Promise.withResolvers<void>()
  const { arrivals, url } = await startDestination(t, async () => {
    await gate.promise
    return { status: 500 }
  })
  const flowControl = { key: 'one', parallelism: 1 }
  const underWay = await client.publish({ url, flowControl, callback: url })
  while (arrivals.length < 1) await new Promise(resolve => setImmediate(resolve))
  const waiting = await client.publish({ url, flowControl })
  while ((await client.flowControl.get('one')).waitListSize < 1) await new Promise(resolve => setImmediate(resolve))
  t.same(await client.messages.cancel([waiting.messageId, underWay.messageId]), { cancelled: 2 })
  gate.resolve()
  await qstash.idle()
  t.match(qstash.attempts(), [{ messageId: underWay.messageId, status: 500 }], 'idle waited for the one in flight')
  t.same(
    qstash.messages().map(({ state }) => state),
    ['CANCELED', 'CANCELED'],
  )
  const last = await client.publish({ url, flowControl, retries: 0 })
  await qstash.attempted(last.messageId)
  t.equal(arrivals.length, 2, 'the one after it in the line was sent, and it was not')
})

t.test('flow control makes messages wait and never drops one', async t => {
  const { client, qstash } = await startWorld(t, { speed: 1e6, parallelism: 50 })
  const gate = Promise.withResolvers<void>()
  let most = 0
  let running = 0
  const destination = await startDestination(t, async () => {
    running += 1
    most = Math.max(most, running)
    await gate.promise
    running -= 1
    return { status: 200 }
  })
  const flowControl = { key: 'stripe', parallelism: 2 }
  for (let n = 0; n < 5; n += 1) await client.publish({ url: destination.url, flowControl })
  let seen = await client.flowControl.get('stripe')
  while (seen.waitListSize < 3 || destination.arrivals.length < 2) seen = await client.flowControl.get('stripe')
  t.match(seen, { flowControlKey: 'stripe', waitListSize: 3, parallelismMax: 2, parallelismCount: 2 })
  t.same(await client.flowControl.getGlobalParallelism(), { parallelismMax: 50, parallelismCount: 2 })
  gate.resolve()
  await qstash.idle()
  t.equal(most, 2)
  t.equal(destination.arrivals.length, 5)

  t.test('a rate starts the rest in later periods', async t => {
    const rated = await startWorld(t, { speed: 1_000 })
    const startedAt = performance.now()
    const limit = { key: 'mail', rate: 2, period: '1m' as const }
    for (let n = 0; n < 5; n += 1) await rated.client.publish({ url: destination.url, flowControl: limit })
    await rated.qstash.idle()
    t.ok(performance.now() - startedAt >= 115, 'the fifth starts in the third minute')
    t.match(await rated.client.flowControl.get('mail'), { rateMax: 2, ratePeriod: 60 })
  })
})

t.test('signing keys: shown, rolled, and signed with the next one on command', async t => {
  const { qstash } = await startWorld(t)
  const destination = await startDestination(t)
  const headers = { authorization: `Bearer ${qstash.token}` }
  const old = qstash.keys
  t.same(await (await fetch(`${qstash.url}/v2/keys`, { headers })).json(), old)
  t.match(old.current, /^sig_[1-9A-HJ-NP-Za-km-z]{28}$/)
  const rolled = await (await fetch(`${qstash.url}/v2/keys/rotate`, { method: 'POST', headers })).json()
  t.same(rolled, qstash.keys)
  t.equal(qstash.keys.current, old.next)
  await qstash.deliverOnce({ url: destination.url, body: 'a' })
  const holder = { ...qstash, keys: old }
  t.equal(
    await accepts(holder, destination.url, single(destination.arrivals)),
    true,
    'one roll: the old pair still knows it',
  )
  qstash.rotateKeys()
  await qstash.deliverOnce({ url: destination.url, body: 'a' })
  t.equal(await accepts(holder, destination.url, destination.arrivals[1] as Arrival), false, 'two rolls: it does not')
  qstash.faults.signWith('next')
  await qstash.deliverOnce({ url: destination.url })
  const newest = { ...qstash, keys: { current: qstash.keys.next, next: 'other' } }
  t.equal(await accepts(newest, destination.url, destination.arrivals[2] as Arrival), true)
})

t.test('faults of deliveries', async t => {
  const { client, qstash } = await startWorld(t)

  t.test('a duplicate has the same message id and the same attempt, at once or afterwards', async t => {
    const both = Promise.withResolvers<void>()
    const together = await startDestination(t, async (_, index) => {
      if (index === 1) both.resolve()
      await both.promise
      return { status: 200 }
    })
    qstash.faults.duplicateNext()
    const { messageId } = await client.publish({ url: together.url })
    await qstash.idle()
    t.equal(together.arrivals.length, 2, 'neither was answered before both had come')
    t.same([...new Set(together.arrivals.map(({ headers }) => headers['upstash-message-id']))], [messageId])
    t.equal(qstash.attempts(messageId).filter(({ isDuplicate }) => isDuplicate).length, 1)
    const later = await startDestination(t)
    qstash.faults.duplicateNext(2, 'afterwards')
    await client.publish({ url: later.url })
    await qstash.idle()
    t.same(
      later.arrivals.map(({ headers }) => headers['upstash-retried']),
      ['0', '0', '0'],
    )
    await client.publish({ url: later.url })
    await qstash.idle()
    t.equal(later.arrivals.length, 4, 'only the next attempt was doubled')
  })

  t.test('a connection is dropped with the answer unread, and the message comes again', async t => {
    const destination = await startDestination(t)
    qstash.faults.dropConnectionAfter(0)
    const { messageId } = await client.publish({ url: destination.url, body: 'whole' })
    t.match(await qstash.attempted(messageId), { status: undefined, error: /dropped on command/ })
    t.match(await qstash.attempted(messageId, 2), { status: 200, retried: 1 })
    await qstash.idle()
    t.equal(destination.arrivals[0]?.body.toString(), 'whole')
  })

  t.test('tokens are dated by a skewed clock, and nbf can be as it was before 2024', async t => {
    const destination = await startDestination(t)
    const ahead = async (skewMs: number): Promise<boolean> => {
      qstash.faults.skew(skewMs)
      await qstash.deliverOnce({ url: destination.url })
      return await accepts(qstash, destination.url, destination.arrivals.at(-1) as Arrival)
    }
    t.equal(await ahead(-290_000), true)
    t.equal(await ahead(-301_000), false, 'expired')
    t.equal(await ahead(60_000), true, 'nbf 0 makes a clock ahead harmless')
    qstash.faults.notBefore('issued-at')
    t.equal(await ahead(60_000), false)
    qstash.faults.clear()
    t.equal(await ahead(0), true)
  })

  t.test('held messages wait until they are let go, and idle does not wait for them', async t => {
    const destination = await startDestination(t)
    qstash.hold()
    const { messageId } = await client.publish({ url: destination.url })
    await qstash.idle()
    t.equal(destination.arrivals.length, 0)
    t.equal(qstash.messages().find(({ id }) => id === messageId)?.state, 'CREATED')
    qstash.resume()
    await qstash.idle()
    t.equal(destination.arrivals.length, 1)
  })

  t.test('one delivery by hand says what it is told to', async t => {
    const destination = await startDestination(t, () => ({ status: 418, body: 'tea' }))
    const attempt = await qstash.deliverOnce({
      url: `${destination.url}/x`,
      method: 'PUT',
      body: 'b',
      headers: { 'Content-Type': 'text/plain' },
      messageId: 'msg_mine',
      scheduleId: 'jobs.mine',
      retried: 2,
    })
    t.match(attempt, { status: 418, messageId: 'msg_mine', scheduleId: 'jobs.mine', retried: 2 })
    t.equal(attempt.responseBody.toString(), 'tea')
    t.match(single(destination.arrivals), {
      method: 'PUT',
      headers: { 'upstash-message-id': 'msg_mine', 'upstash-schedule-id': 'jobs.mine', 'upstash-retried': '2' },
    })
    t.equal(destination.arrivals.length, 1, 'no retry')
  })
})

t.test('faults of the API', async t => {
  const { client, qstash } = await startWorld(t)
  qstash.faults.failNextApiCalls(429)
  await t.rejects(client.schedules.list(), QstashRatelimitError)
  qstash.faults.failNextApiCalls(429, 1, dailyQuotaHeaders)
  await t.rejects(client.schedules.list(), QstashDailyRatelimitError)
  qstash.faults.failNextApiCalls(500, 2)
  t.same(await Promise.all([refusal(client.schedules.list()), refusal(client.schedules.list())]), [500, 500])
  t.same(await client.schedules.list(), [])
  qstash.faults.hangNextApiCalls()
  const hanging = fetch(`${qstash.url}/v2/schedules`, { signal: AbortSignal.timeout(100) })
  await t.rejects(hanging, { name: 'TimeoutError' })
  t.same(await client.schedules.list(), [])
})

t.test('closing ends everything, twice is once', async t => {
  const { client, qstash } = await startWorld(t, { speed: 1 })
  const silent = await startDestination(t, () => 'never')
  await client.schedules.create({ destination: silent.url, cron: '* * * * *', scheduleId: 'x' })
  await client.publish({ url: silent.url, delay: '30d' })
  const { messageId } = await client.publish({ url: silent.url })
  const waiting = qstash.attempted(messageId, 2)
  const refused = t.rejects(waiting, /was closed meanwhile/)
  while (silent.arrivals.length < 1) await new Promise(resolve => setImmediate(resolve))
  await Promise.all([qstash.close(), qstash.close()])
  await refused
  await qstash.close()
  t.match(single(qstash.attempts()), { messageId, error: 'the stand-in was closed' })
  await t.rejects(fetch(qstash.url))
})
