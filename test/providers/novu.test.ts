import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { KeyRefusedError } from '../../src/errors.ts'
import { createHttp } from '../../src/providers/http.ts'
import type { Message, SendAnswer } from '../../src/providers/notifications.ts'
import { createNovu, type NovuOptions } from '../../src/providers/novu.ts'
import { type NovuOptions as StandInOptions, startNovu } from '../../src/sandbox/novu.ts'

const signal = (): AbortSignal => new AbortController().signal
const secretKey = 'novu_neverShownAnywhere'
const email = 'ana.private@example.com'

const message = (fields: Partial<Message> = {}): Message => ({
  workflow: 'appointment-universal',
  transactionId: 'appointment-reminder-24h-0001',
  to: { subscriberId: `guest_${email}`, email, firstName: 'Ana', locale: 'pt-PT', timeZone: 'Europe/Lisbon' },
  payload: {
    eventType: 'reminder',
    customerName: 'Ana',
    expertName: 'Inês Carvalho',
    appointmentDate: '22 de novembro de 2026',
    appointmentTime: '10:00',
    locale: 'pt',
  },
  ...fields,
})

const list = (count: number): Message[] =>
  Array.from({ length: count }, (_, index) => message({ transactionId: `reminder-${index}` }))

function create(t: Test, url: string, options: Partial<NovuOptions> = {}) {
  const http = createHttp({ connectTimeoutMs: 1_000 })
  t.teardown(async () => await http.close())
  return createNovu({ url, secretKey, fetch: http.fetch, requestsPerSecond: 10_000, ...options })
}

/** The provider in front of the stand-in. */
async function startWorld(t: Test, options: StandInOptions = {}, provider: Partial<NovuOptions> = {}) {
  const standIn = await startNovu({ secretKey, ...options })
  t.teardown(async () => await standIn.close())
  return { standIn, novu: create(t, standIn.url, provider) }
}

type React = (response: ServerResponse, body: unknown, request: IncomingMessage) => void

/** The provider in front of a server that answers as `react` has it. */
async function startServer(t: Test, react: React, provider: Partial<NovuOptions> = {}) {
  const bodies: unknown[] = []
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString()
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      bodies.push(body)
      react(response, body, request)
    }
    answer().catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { novu: create(t, url, provider), bodies, url }
}

const reply =
  (status: number, body: unknown, headers: Record<string, string> = {}): React =>
  response => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

/** A refusal in Novu's form, with what must never be passed on. */
const refuse = (status: number, text = '', more: object = {}, headers: Record<string, string> = {}): React =>
  reply(status, { statusCode: status, message: text || `${email} ${secretKey}`, ...more }, headers)

const one = (fields: object = {}) => ({
  data: { acknowledged: true, status: 'processed', transactionId: message().transactionId, ...fields },
})

const failureOf = async (work: Promise<unknown>): Promise<Error & { code?: string }> =>
  await work.then(
    () => Promise.reject(new Error('it did not fail')),
    (thrown: unknown) => thrown as Error,
  )

const bulkCalls = (requests: ReadonlyArray<{ readonly path: string }>): number =>
  requests.filter(({ path }) => path === '/v1/events/trigger/bulk').length

t.test('one message goes with its key as transaction id and as idempotency key', async t => {
  const { novu, standIn } = await startWorld(t)
  t.strictSame(await novu.send([message()], signal()), [{ kind: 'accepted' }])
  const [request] = standIn.asked()
  t.match(request, { path: '/v1/events/trigger', idempotencyKey: message().transactionId })
  const [received] = standIn.inbox()
  t.match(received, { workflow: 'appointment-universal', transactionId: message().transactionId, language: 'pt' })
  t.strictSame(received?.to, {
    subscriberId: `guest_${email}`,
    email,
    firstName: 'Ana',
    locale: 'pt-PT',
    timezone: 'Europe/Lisbon',
  })
  t.strictSame(received?.payload, message().payload)
  t.strictSame(await novu.send([], signal()), [])
})

t.test('several messages go in one call and are answered one by one, in their order', async t => {
  const { novu, standIn } = await startWorld(t)
  standIn.setWorkflow('expert-management', { active: false })
  standIn.inject({ kind: 'failOne', index: 3 })
  standIn.setWorkflow('reservation-expired', { validatePayload: true })
  const messages = [
    message({ transactionId: 'a' }),
    message({ transactionId: 'b', workflow: 'nowhere' }),
    message({ transactionId: 'c', workflow: 'expert-management' }),
    message({ transactionId: 'd' }),
    message({ transactionId: 'e', workflow: 'reservation-expired' }),
    message({ transactionId: 'f' }),
  ]
  t.strictSame(await novu.send(messages, signal()), [
    { kind: 'accepted' },
    { kind: 'unready', code: 'workflow_not_found' },
    { kind: 'unready', code: 'trigger_not_active' },
    { kind: 'unknown', code: 'event_error' },
    { kind: 'refused', code: 'payload_validation_error' },
    { kind: 'accepted' },
  ])
  t.equal(standIn.asked().length, 1)
  t.strictSame(
    standIn.inbox().map(({ transactionId }) => transactionId),
    ['a', 'f'],
  )
  await t.rejects(novu.send(list(101), signal()), { message: '101 messages are too many for one call' })
  t.equal(standIn.asked().length, 1, 'and nothing of them was sent')
})

t.test('every answer about one message means what the vendor did with it', async t => {
  const cases: ReadonlyArray<readonly [name: string, React, SendAnswer]> = [
    ['not acknowledged', reply(201, one({ acknowledged: false })), { kind: 'unknown', code: 'not_acknowledged' }],
    ['of another message', reply(201, one({ transactionId: 'x' })), { kind: 'unknown', code: 'unmatched_answer' }],
    [
      'without an id',
      reply(201, { data: { acknowledged: true, status: 'processed' } }),
      { kind: 'unknown', code: 'not_acknowledged' },
    ],
    ['without an envelope', reply(201, one().data), { kind: 'accepted' }],
    ['with fields unknown to the SDK', reply(201, one({ error: 7, more: {} })), { kind: 'accepted' }],
    ['inactive', reply(201, one({ status: 'trigger_not_active' })), { kind: 'unready', code: 'trigger_not_active' }],
    [
      'no active steps',
      reply(201, one({ status: 'no_workflow_active_steps_defined' })),
      { kind: 'unready', code: 'no_workflow_active_steps_defined' },
    ],
    [
      'no steps',
      reply(201, one({ status: 'no_workflow_steps_defined' })),
      { kind: 'unready', code: 'no_workflow_steps_defined' },
    ],
    [
      'invalid recipients',
      reply(201, one({ status: 'invalid_recipients' })),
      { kind: 'refused', code: 'invalid_recipients' },
    ],
    ['error', reply(201, one({ status: 'error', error: [email] })), { kind: 'unknown', code: 'event_error' }],
    ['a status of tomorrow', reply(201, one({ status: 'parked' })), { kind: 'unknown', code: 'unreadable_answer' }],
    ['400', refuse(400), { kind: 'refused', code: 'http_400' }],
    [
      '400 for the payload',
      refuse(400, '', { type: 'PAYLOAD_VALIDATION_ERROR' }),
      { kind: 'refused', code: 'payload_validation_error' },
    ],
    [
      '401',
      reply(401, { message: 'API Key not found', error: 'Unauthorized', statusCode: 401 }),
      { kind: 'keyRefused', code: 'http_401' },
    ],
    ['403', reply(403, '<html>'), { kind: 'keyRefused', code: 'http_403' }],
    ['404', refuse(404), { kind: 'unready', code: 'workflow_not_found' }],
    ['404 of somebody else', reply(404, '<html>'), { kind: 'unknown', code: 'http_404' }],
    ['409', refuse(409, '', {}, { 'retry-after': '1' }), { kind: 'unknown', code: 'in_flight' }],
    ['413', reply(413, '<html>'), { kind: 'refused', code: 'too_large' }],
    ['422', refuse(422, 'Validation Error'), { kind: 'refused', code: 'http_422' }],
    ['422 for the workflow', refuse(422, 'workflow_not_found'), { kind: 'unready', code: 'workflow_not_found' }],
    ['429', refuse(429), { kind: 'later', code: 'rate_limited' }],
    [
      '429 with a time',
      refuse(429, '', {}, { 'retry-after': '7' }),
      { kind: 'later', code: 'rate_limited', retryAfterMs: 7_000 },
    ],
    [
      '429 with a long time',
      refuse(429, '', {}, { 'retry-after': '999999' }),
      { kind: 'later', code: 'rate_limited', retryAfterMs: 3_600_000 },
    ],
    ['405', refuse(405), { kind: 'unknown', code: 'http_405' }],
    ['500', refuse(500), { kind: 'unknown', code: 'http_500' }],
    ['503', reply(503, '<html>', { 'retry-after': '9' }), { kind: 'unknown', code: 'http_503' }],
    ['a redirect', reply(302, '', { location: 'http://127.0.0.1:9/' }), { kind: 'unknown', code: 'http_302' }],
    ['no JSON', reply(201, '<html>', { 'content-type': 'text/html' }), { kind: 'unknown', code: 'unreadable_answer' }],
    ['nothing', reply(201, ''), { kind: 'unknown', code: 'unreadable_answer' }],
    [
      'half an answer',
      response => response.writeHead(201, { 'content-length': 90 }).write('{"data":', () => response.destroy()),
      { kind: 'unknown', code: 'unreadable_answer' },
    ],
    ['a reset', response => response.socket?.resetAndDestroy(), { kind: 'unknown', code: 'no_answer' }],
  ]
  for (const [name, react, expected] of cases) {
    const { bodies, novu } = await startServer(t, react)
    t.strictSame(await novu.send([message()], signal()), [expected], name)
    t.equal(bodies.length, 1, `${name}: one request`)
  }
})

t.test('a bulk answer that does not fit leaves unknown what it does not name', async t => {
  const answer = (...ids: readonly string[]): object => ({
    data: ids.map(transactionId => ({ acknowledged: true, status: 'processed', transactionId })),
  })
  const unmatched = { kind: 'unknown', code: 'unmatched_answer' }
  const shorter = await startServer(t, reply(201, answer('reminder-2')))
  t.strictSame(await shorter.novu.send(list(3), signal()), [unmatched, unmatched, { kind: 'accepted' }])
  const error = { acknowledged: true, status: 'error', error: ['workflow_not_found'] }
  const misplaced = await startServer(t, reply(201, { data: [error, ...(answer('reminder-2') as { data: [] }).data] }))
  t.strictSame(await misplaced.novu.send(list(3), signal()), [unmatched, unmatched, { kind: 'accepted' }])
  const other = await startServer(t, reply(201, answer('reminder-0', 'strange')))
  t.strictSame(await other.novu.send(list(2), signal()), [{ kind: 'accepted' }, unmatched])
  const swapped = await startServer(t, reply(201, answer('reminder-1', 'reminder-0')))
  t.strictSame(await swapped.novu.send(list(2), signal()), [{ kind: 'accepted' }, { kind: 'accepted' }])
  const nameless = await startServer(t, reply(201, { data: [error, ...(answer('reminder-1') as { data: [] }).data] }))
  t.strictSame(await nameless.novu.send(list(2), signal()), [
    { kind: 'unready', code: 'workflow_not_found' },
    { kind: 'accepted' },
  ])
  const garbage = await startServer(t, reply(201, { data: {} }))
  t.strictSame(await garbage.novu.send(list(2), signal()), [
    { kind: 'unknown', code: 'unreadable_answer' },
    { kind: 'unknown', code: 'unreadable_answer' },
  ])
})

t.test('one bad message of a refused bulk does not take the others with it', async t => {
  const { bodies, novu } = await startServer(t, (response, body, request) => {
    const { events, transactionId } = body as { events?: unknown; transactionId?: string }
    if (events !== undefined || transactionId === 'reminder-1') refuse(422, 'Validation Error')(response, body, request)
    else reply(201, one({ transactionId }))(response, body, request)
  })
  t.strictSame(await novu.send(list(3), signal()), [
    { kind: 'accepted' },
    { kind: 'refused', code: 'http_422' },
    { kind: 'accepted' },
  ])
  t.equal(bodies.length, 4)
})

t.test('a lost bulk answer is unknown for every message in it', async t => {
  const { novu, standIn } = await startWorld(t)
  standIn.inject({ kind: 'reset', taken: true })
  const unknown = { kind: 'unknown', code: 'no_answer' }
  t.strictSame(await novu.send(list(2), signal()), [unknown, unknown])
  t.equal(standIn.inbox().length, 2)
  t.equal(bulkCalls(standIn.asked()), 1)
})

t.test('only what never reached the vendor is for later', async t => {
  const closed = createTcpServer()
  await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise(resolve => closed.close(resolve))
  const later = [{ kind: 'later', code: 'no_connection' }]
  t.strictSame(await create(t, `http://127.0.0.1:${port}`).send([message()], signal()), later, 'refused')
  t.strictSame(
    await create(t, `http://localhost:${port}`).send([message()], signal()),
    later,
    'refused on each address',
  )
  t.strictSame(await create(t, 'http://novu.invalid').send([message()], signal()), later, 'no such host')

  const rude = createTcpServer(socket => socket.on('error', () => {}).once('data', () => socket.resetAndDestroy()))
  await new Promise<void>(resolve => rude.listen(0, '127.0.0.1', resolve))
  t.teardown(() => rude.close())
  const address = `127.0.0.1:${(rude.address() as AddressInfo).port}`
  const unknown = [{ kind: 'unknown', code: 'no_answer' }]
  t.strictSame(
    await create(t, `http://${address}`).send([message()], signal()),
    unknown,
    'it broke after the first byte',
  )
  const plain = await startServer(t, () => {})
  const tls = create(t, plain.url.replace('http:', 'https:'))
  t.strictSame(await tls.send([message()], signal()), later, 'no encryption, so nothing was said')
})

t.test(
  'a call ends within its time, also when only the body does not come, and whatever is collected meanwhile',
  async t => {
    const timeout = [{ kind: 'unknown', code: 'timeout' }]
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const collecting = setInterval(collect, 20)
    t.teardown(() => clearInterval(collecting))
    const silent = await startServer(t, () => {}, { timeoutMs: 200 })
    t.strictSame(await silent.novu.send([message()], signal()), timeout)
    const slow = await startServer(t, response => response.writeHead(201).write('{'), { timeoutMs: 200 })
    t.match(await slow.novu.send([message()], signal()), [{ kind: 'unknown' }])
  },
)

t.test('a signal before the request leaves means later, and after it unknown', async t => {
  const { novu, standIn } = await startWorld(t)
  t.strictSame(await novu.send([message()], AbortSignal.abort()), [{ kind: 'later', code: 'not_sent' }])
  t.equal(standIn.asked().length, 0)
  const stop = new AbortController()
  standIn.inject({ kind: 'hang', taken: true })
  const sending = novu.send([message()], stop.signal)
  while (standIn.asked().length === 0) await new Promise(resolve => setImmediate(resolve))
  stop.abort()
  t.strictSame(await sending, [{ kind: 'unknown', code: 'no_answer' }])

  const crowded = await startWorld(t, {}, { requestsPerSecond: 1 })
  await crowded.novu.send([message()], signal())
  const impatient = new AbortController()
  const waiting = crowded.novu.send([message({ transactionId: 'second' })], impatient.signal)
  impatient.abort()
  t.strictSame(await waiting, [{ kind: 'later', code: 'not_sent' }], 'nothing left while it waited for its turn')
  t.equal(crowded.standIn.asked().length, 1)
})

t.test('an answer kept under the idempotency key does not hold a message up for a day', async t => {
  const { novu, standIn } = await startWorld(t)
  standIn.setDedupe({ idempotencyKey: true })
  standIn.inject({ kind: 'error', taken: false })
  t.strictSame(await novu.send([message()], signal()), [{ kind: 'unknown', code: 'http_500' }])
  t.strictSame(await novu.send([message()], signal()), [{ kind: 'accepted' }], 'the failure was not repeated')
  t.equal(standIn.asked().length, 3)
  t.equal(new Set(standIn.asked().map(({ idempotencyKey }) => idempotencyKey)).size, 2)
  const reworded = message({ payload: { ...message().payload, timeUntilAppointment: 'amanhã' } })
  t.strictSame(await novu.send([reworded], signal()), [{ kind: 'accepted' }], 'nor another wording refused')
  t.equal(standIn.inbox().length, 1, 'and the transaction id still tells duplicates')

  const twice = message({ transactionId: 'twice' })
  t.strictSame(await novu.send([twice], signal()), [{ kind: 'accepted' }])
  t.strictSame(await novu.send([twice], signal()), [{ kind: 'accepted' }])
  standIn.setDedupe({ transactionId: false })
  t.strictSame(await novu.send([twice], signal()), [{ kind: 'accepted' }], 'a repeated success is one')
  t.equal(standIn.inbox().length, 2)
})

t.test('requests keep well below the limits of the smallest plan', async t => {
  const { novu, standIn } = await startWorld(t, {}, { requestsPerSecond: 20 })
  const startedAt = performance.now()
  await Promise.all(list(21).map(async one => await novu.send([one], signal())))
  t.ok(performance.now() - startedAt >= 1_000)
  t.equal(standIn.inbox().length, 21)
})

t.test('a message is taken when the list of its transaction id has it', async t => {
  const clock = { at: Date.parse('2026-11-21T10:00:00Z') }
  const { novu, standIn } = await startWorld(t, { clock: () => new Date(clock.at) })
  standIn.setDelay(30_000)
  await novu.send([message()], signal())
  t.equal(await novu.isTaken(message().transactionId, signal()), false, 'not before the vendor has worked on it')
  clock.at += 30_000
  t.equal(await novu.isTaken(message().transactionId, signal()), true)
  t.equal(await novu.isTaken('another', signal()), false)
  standIn.inject({ kind: 'unauthorized' })
  t.ok((await failureOf(novu.isTaken('x', signal()))) instanceof KeyRefusedError)
  standIn.inject({ kind: 'limit' })
  t.match(await failureOf(novu.isTaken('x', signal())), { code: 'rate_limited' })
  for (const kind of ['garbage', 'reset', 'error'] as const) {
    standIn.inject({ kind, taken: true })
    await t.rejects(novu.isTaken('x', signal()), `${kind} is no answer`)
  }
  const unfiltered = await startServer(
    t,
    reply(200, { page: 0, pageSize: 10, hasMore: true, data: [{ transactionId: 'y' }] }),
  )
  t.match(await failureOf(unfiltered.novu.isTaken('x', signal())), { code: 'unreadable_answer' })
  await t.rejects(novu.isTaken('x', AbortSignal.abort(new Error('stopped'))), { message: 'stopped' })
})

t.test('all workflows are listed with their schemas, page by page', async t => {
  const { novu, standIn } = await startWorld(t)
  standIn.setWorkflow('system-health', { active: false })
  const workflows = await novu.listWorkflows(signal())
  t.strictSame(
    workflows.map(({ active, id }) => [id, active]),
    [
      ['appointment-universal', true],
      ['expert-management', true],
      ['expert-payout-notification', true],
      ['multibanco-payment-reminder', true],
      ['reservation-expired', true],
      ['system-health', false],
    ],
  )
  t.match(workflows[0]?.payloadSchema, { required: ['eventType', 'customerName', 'expertName'], type: 'object' })
  const many = Array.from({ length: 120 }, (_, index) => ({
    id: `w-${index}`,
    name: 'W',
    active: true,
    steps: 1,
    validatePayload: false,
  }))
  const large = await startWorld(t, { workflows: many })
  const all = await large.novu.listWorkflows(signal())
  t.equal(all.length, 120)
  t.equal(all[119]?.payloadSchema, undefined)
  t.equal(large.standIn.asked().length, 3 + 120)
  const some = await large.novu.getWorkflows(['w-7', 'gone', 'w-1'], signal())
  t.strictSame(
    some.map(({ id }) => id),
    ['w-7', 'w-1'],
  )
  t.equal(large.standIn.asked().length, 3 + 120 + 3, 'one call each, however many there are')
  standIn.inject({ kind: 'error', taken: false, call: 'workflows', after: 2 })
  t.match(await failureOf(novu.listWorkflows(signal())), {
    message: /^novu did not tell about workflow .* \(http_500\)$/,
  })
})

t.test('nothing secret or personal is in an answer or an error', async t => {
  const { novu } = await startServer(t, refuse(400, `${email} ${secretKey}`, { type: email }))
  const said = JSON.stringify([
    await novu.send([message()], signal()),
    await novu.send(list(2), signal()),
    describe(await failureOf(novu.isTaken('x', signal()))),
    describe(await failureOf(novu.listWorkflows(signal()))),
  ])
  for (const hidden of [secretKey, email, 'Ana']) t.notMatch(said, hidden)
})

function describe(error: Error): unknown[] {
  return [error.message, error.name, Object.entries(error), error.cause instanceof Error ? describe(error.cause) : []]
}
