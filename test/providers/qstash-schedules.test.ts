import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { KeyRefusedError, PermanentError, RetryLaterError } from '../../src/errors.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createQstashSchedules } from '../../src/providers/qstash-schedules.ts'
import type { Schedules } from '../../src/providers/schedules.ts'
import { realSchedule } from '../support/schedules.ts'

interface Call {
  readonly line: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A vendor that answers as told, with what was asked of it. */
async function openVendor(t: Test, answer: (response: ServerResponse, call: Call) => void) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const call = { line: `${request.method} ${request.url}`, headers: request.headers, body }
      calls.push(call)
      answer(response, call)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const http = createHttp()
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await http.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clock = (): Date => new Date('2026-03-10T12:00:00Z')
  const schedules = createQstashSchedules({ url, token: 'planted', fetch: http.fetch, clock, timeoutMs: 300 })
  return { schedules, calls, url }
}

const { signal } = new AbortController()
const printed = ['error', 'warn', 'log'].map(name => t.capture(console, name as 'error'))

async function listing(t: Test, status: number, body: string, headers: Record<string, string> = {}) {
  const vendor = await openVendor(t, response => response.writeHead(status, headers).end(body))
  return { ...vendor, listed: vendor.schedules.list(signal) }
}

t.test('a schedule is written with everything that it is made of', async t => {
  const { calls, schedules } = await openVendor(t, response => response.end('{"scheduleId":"jobs.a"}'))
  const settings = realSchedule('a', { timeZone: 'Europe/Lisbon', body: '{"ä":1}', retries: 0 })
  await schedules.put(settings, { keptPaused: true }, signal)
  t.equal(calls[0]?.line, 'POST /v2/schedules/https://jobs.example.test/jobs/a')
  t.equal(calls[0]?.body, '{"ä":1}')
  t.match(calls[0]?.headers, {
    authorization: 'Bearer planted',
    'content-type': 'application/json',
    'upstash-schedule-id': 'jobs.a',
    'upstash-cron': 'CRON_TZ=Europe/Lisbon 0 4 * * *',
    'upstash-method': 'POST',
    'upstash-retries': '0',
    'upstash-timeout': '120s',
    'upstash-failure-callback': 'https://jobs.example.test/qstash/failure',
    'upstash-label': 'timeout-120s,kept-paused',
  })
  t.strictSame(
    Object.keys(calls[0]?.headers ?? {}).filter(name => name.includes('telemetry')),
    [],
  )
})

t.test('a listed schedule is read as it is shown, and as loosely as that is written down', async t => {
  const full = {
    scheduleId: 'jobs.a',
    cron: '  CRON_TZ=Europe/Lisbon   0 4 * * * ',
    destination: 'https://x.test/a',
    method: 'PUT',
    retries: 2,
    delay: 5,
    callback: 'https://x.test/c',
    header: { 'Content-Type': ['text/plain'], 'Upstash-Forward-X-Qstash-Target-Url': ['https://x.test/t'], 'X-B': 'b' },
    failureCallback: 'https://x.test/f',
    isPaused: true,
    queueName: 'q',
    flowControlKey: 'k',
    parallelism: 2,
    rate: 0,
    period: 1,
    retryDelayExpression: '1000',
    label: 'timeout-90s,kept-paused',
    bodyBase64: '/w==',
    lastScheduleTime: 1_773_100_800_000,
    lastScheduleStates: { msg_1: 'SUCCESS', msg_2: 'FAIL' },
  }
  const bare = {
    scheduleId: 'scd_1',
    cron: '* * * * *',
    destination: 'group',
    labels: ['timeout-x'],
    body: '',
    callback: null,
  }
  const { listed } = await listing(t, 200, JSON.stringify([full, bare]))
  t.match(await listed, [
    {
      cron: '0 4 * * *',
      timeZone: 'Europe/Lisbon',
      method: 'PUT',
      retries: 2,
      timeoutSeconds: 90,
      delaySeconds: 5,
      queue: 'q',
      headers: { 'x-qstash-target-url': 'https://x.test/t', 'x-b': 'b' },
      flowControl: { key: 'k', parallelism: 2 },
      body: 'base64:/w==',
      paused: true,
      keptPaused: true,
      lastState: 'failed',
      lastDueAt: new Date('2026-03-10T00:00:00Z'),
    },
    {
      cron: '* * * * *',
      timeZone: 'UTC',
      method: 'POST',
      retries: 0,
      timeoutSeconds: undefined,
      body: undefined,
      paused: false,
    },
  ])
})

t.test('every wrong answer is an error of its kind, which shows no secret and follows nothing', async t => {
  const json = '{"error":"said so"}'
  const cases: readonly (readonly [number, string, new (...args: never[]) => Error, RegExp])[] = [
    [401, json, KeyRefusedError, /QSTASH_TOKEN/],
    [403, '', KeyRefusedError, /\(403\)/],
    [400, json, PermanentError, /^QStash answered 400: said so$/],
    [404, 'not found', PermanentError, /^QStash knows no schedules there \(404\): is QSTASH_URL right\?$/],
    [412, json, PermanentError, /412: said so/],
    [400, '{"error":"no: Bearer planted"}', PermanentError, /: no: Bearer \(our token\)$/],
    [307, '', PermanentError, /307/],
    [408, '', Error, /408/],
    [500, '<html>', Error, /^QStash answered 500$/],
    [200, '<html>', Error, /no JSON/],
    [200, 'null', Error, /no list of schedules/],
    [200, '[null]', Error, /no schedule/],
    [200, '[{"scheduleId":"jobs.a"}]', Error, /no schedule/],
  ]
  for (const [status, body, kind, message] of cases) {
    const { calls, listed } = await listing(t, status, body, { location: '/elsewhere' })
    const thrown = await listed.catch((err: unknown) => err)
    t.type(thrown, kind, String(status))
    t.match((thrown as Error).message, message)
    t.notMatch((thrown as Error).message, /planted/)
    t.equal(calls.length, 1, `${status}: asked once`)
  }
})

t.test('silence, a reset and a caller who gives up end the call', async t => {
  const silent = await openVendor(t, () => {})
  await t.rejects(silent.schedules.list(signal), { message: 'QStash did not answer within 300 ms' })
  const halting = await openVendor(t, response => response.writeHead(200).write('['))
  await t.rejects(halting.schedules.list(signal), { message: 'QStash did not answer within 300 ms' })
  const resetting = await openVendor(t, response => response.socket?.resetAndDestroy())
  await t.rejects(resetting.schedules.list(signal), /^QStash did not answer \(\w+\)$/)
  await t.rejects(silent.schedules.list(AbortSignal.abort()), /not waited for any longer/)
})

t.test(
  'a 429 is waited for as long as it says, in whatever form, and given up when that is long or never ends',
  async t => {
    const now = Date.parse('2026-03-10T12:00:00Z')
    const soon = ['0', String(now / 1000), String(now + 5)]
    for (const reset of soon) {
      let asked = 0
      const { calls, schedules } = await openVendor(t, response => {
        asked += 1
        if (asked === 2) response.end('[]')
        else response.writeHead(429, { 'burst-ratelimit-reset': reset }).end()
      })
      t.strictSame(await schedules.list(signal), [])
      t.equal(calls.length, 2, reset)
    }
    for (const [headers, tried] of [
      [{ 'ratelimit-reset': '3600' }, 1],
      [{ 'retry-after': '0' }, 4],
    ] as const) {
      const { calls, listed } = await listing(t, 429, '', headers)
      t.type(await listed.catch((err: unknown) => err), RetryLaterError)
      t.equal(calls.length, tried)
    }
  },
)

t.test('who has no time to wait is told of a limit at once, and a wait is told before and can be ended', async t => {
  const { calls, url } = await openVendor(t, response =>
    response.writeHead(429, { 'burst-ratelimit-reset': '5' }).end(),
  )
  const http = createHttp()
  t.teardown(async () => await http.close())
  const waits: number[] = []
  const stop = new AbortController()
  const shared = { url, token: 'planted', fetch: http.fetch, clock: () => new Date('2026-03-10T12:00:00Z') }
  const hurried = createQstashSchedules({ ...shared, longestWaitMs: 0 })
  const over = await openVendor(t, response => response.writeHead(429, { 'burst-ratelimit-reset': '0' }).end())
  await t.rejects(createQstashSchedules({ ...shared, url: over.url, longestWaitMs: 0 }).list(signal), {
    name: 'RetryLaterError',
    delaySeconds: 1,
  })
  t.equal(over.calls.length, 1, 'not even at once')
  await t.rejects(hurried.list(signal), { name: 'RetryLaterError', delaySeconds: 5 })
  t.equal(calls.length, 1)
  const patient = createQstashSchedules({
    ...shared,
    onWait: waitMs => {
      waits.push(waitMs)
      stop.abort()
    },
  })
  await t.rejects(patient.list(stop.signal), { message: 'QStash was not waited for any longer' })
  t.strictSame(waits, [5_000])
})

t.test('an id that would name something else is refused before anything is sent', async t => {
  const { calls, schedules } = await openVendor(t, response => response.end('{}'))
  const attempts: ((to: Schedules, id: string) => Promise<void>)[] = [
    async (to, id) => await to.pause(id, signal),
    async (to, id) => await to.remove(id, signal),
    async (to, id) => await to.put(realSchedule('a', { id }), { keptPaused: false }, signal),
  ]
  for (const id of ['', '.', '..', 'jobs.a/../b', 'jobs.a?x', 'jobs a']) {
    for (const attempt of attempts) await t.rejects(attempt(schedules, id), PermanentError)
  }
  t.equal(calls.length, 0)
})

t.test(
  'a schedule that is gone is removed; dead letters are counted, and nothing was printed past the log',
  async t => {
    const { schedules } = await openVendor(t, (response, { line }) =>
      line.startsWith('GET /v2/dlq?count=100')
        ? response.end('{"messages":[{},{}]}')
        : response.writeHead(404).end('{"error":"schedule jobs.a not found"}'),
    )
    await schedules.remove('jobs.a', signal)
    t.equal(await schedules.countDeadLetters(signal), 2)
    t.strictSame(
      printed.flatMap(each => each()),
      [],
    )
  },
)
