import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { registerHooks } from 'node:module'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { createClerkReachability } from '../../src/providers/clerk-reachability.ts'
import { createHttp, type Fetch } from '../../src/providers/http.ts'
import { createNovuReachability } from '../../src/providers/novu-reachability.ts'
import { createPosthog } from '../../src/providers/posthog.ts'
import { createQstash } from '../../src/providers/qstash.ts'
import type { Asked } from '../../src/providers/reach.ts'
import type { Reachability, Reached } from '../../src/providers/reachability.ts'
import { createResend } from '../../src/providers/resend.ts'
import { createSite } from '../../src/providers/site.ts'
import { createStripeReachability } from '../../src/providers/stripe-reachability.ts'

const token = 'planted-token-4711'

type Name = 'site' | 'qstash' | 'stripe' | 'clerk' | 'novu' | 'resend' | 'posthog'

/** How each vendor is made, and what the least of its own answers is. */
const vendors: Readonly<
  Record<Name, { own: unknown; create: (url: string, fetch: Fetch, timeoutMs: number) => Reachability }>
> = {
  site: { own: {}, create: (url, fetch, timeoutMs) => createSite({ url, fetch, timeoutMs }) },
  qstash: {
    own: { parallelismMax: 10, parallelismCount: 0 },
    create: (url, fetch, timeoutMs) => createQstash({ url, token, fetch, timeoutMs }),
  },
  stripe: {
    own: { object: 'balance' },
    create: (url, fetch, timeoutMs) => createStripeReachability({ url, secretKey: token, fetch, timeoutMs }),
  },
  clerk: {
    own: { keys: [{}] },
    create: (url, fetch, timeoutMs) => createClerkReachability({ url, secretKey: token, fetch, timeoutMs }),
  },
  novu: {
    own: { data: { workflows: [] } },
    create: (url, fetch, timeoutMs) => createNovuReachability({ url, secretKey: token, fetch, timeoutMs }),
  },
  resend: {
    own: { data: [] },
    create: (url, fetch, timeoutMs) => createResend({ url, apiKey: token, fetch, timeoutMs }),
  },
  posthog: {
    own: { flags: {} },
    create: (url, fetch, timeoutMs) => createPosthog({ url, key: token, fetch, timeoutMs }),
  },
}
const names = Object.keys(vendors) as Name[]

function create(name: Name, url: string, fetch: Fetch, timeoutMs = 1_000): Reachability {
  return vendors[name].create(url, fetch, timeoutMs)
}

function openFetch(t: Test): Fetch {
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
  })
  return http.fetch
}

async function listen(t: Test, server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    if ('closeAllConnections' in server) (server as { closeAllConnections: () => void }).closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function openVendor(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = []
  const url = await listen(
    t,
    createServer((request, response) => {
      requests.push(request)
      answer(request, response)
    }),
  )
  return { url, requests }
}

const never = new AbortController().signal
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(code, headers).end('{"secret":"body"}')

t.test('what a vendor answers decides the state, at the cost of one call', async t => {
  const fetch = openFetch(t)
  const answers: [string, (request: IncomingMessage, response: ServerResponse) => void, Reached['state']][] = [
    ['204', (_request, response) => response.writeHead(204).end(), 'down'],
    ['400', status(400), 'misconfigured'],
    ['401', status(401), 'misconfigured'],
    ['402', status(402), 'misconfigured'],
    ['403', status(403), 'misconfigured'],
    ['404', status(404), 'misconfigured'],
    ['408', status(408), 'down'],
    ['429', status(429), 'up'],
    ['500', status(500), 'down'],
    ['503', status(503, { 'retry-after': '9' }), 'down'],
    ['a reset', request => request.socket.resetAndDestroy(), 'down'],
    ['no HTTP', request => request.socket.end('garbage\r\n\r\n'), 'down'],
    ['a page', (_request, response) => response.end('<html>Sign in'), 'down'],
    ['a list', (_request, response) => response.end('[]'), 'down'],
    ['an empty object', (_request, response) => response.end('{}'), 'down'],
    ['a portal', (_request, response) => response.end('{"error":"log in","data":{}}'), 'down'],
    ['silence', () => {}, 'down'],
    ['a body that stops', (_request, response) => response.writeHead(200).write('{'), 'down'],
    ['a body cut off', cutOff, 'down'],
  ]
  const silences = ['silence', 'a body that stops']
  const tolerated = ['204', 'a page', 'a list', 'an empty object', 'a portal']
  for (const name of names) {
    const { requests, url } = await openVendor(t, (_request, response) =>
      response.end(JSON.stringify(vendors[name].own)),
    )
    t.match(await create(name, url, fetch).check(never), { state: 'up', detail: '' }, `${name}: 200`)
    t.equal(requests.length, 1)
    for (const [what, answer, expected] of answers) {
      const { requests, url } = await openVendor(t, answer)
      const reached = await create(name, url, fetch, silences.includes(what) ? 150 : 5_000).check(never)
      // The site says what it likes: any success will do.
      const isUp = name === 'site' && tolerated.includes(what)
      t.equal(reached.state, isUp ? 'up' : expected, `${name}: ${what}: ${reached.detail}`)
      // A wrong key of Resend's is 403, and the site has no key.
      const lacksScope = what === '403' && name !== 'site' && name !== 'resend'
      t.equal(reached.scopeOnly === true, lacksScope, `${name}: ${what}`)
      t.equal(reached.detail === '', isUp, `${name}: ${what} says why it is not simply up`)
      t.notMatch(reached.detail, /planted|127\.0\.0\.1|http:|body/, `${name}: ${what} gives nothing away`)
      t.equal(requests.length, 1, `${name}: ${what} is one call`)
    }
  }
})

function cutOff(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': '100' })
  response.write('{', () => {
    request.socket.destroy()
  })
}

t.test('each vendor is asked at its harmless address, by somebody with a name', async t => {
  const fetch = openFetch(t)
  const { requests, url } = await openVendor(t, status(200))
  for (const name of names) await create(name, url, fetch).check(never)
  t.strictSame(
    requests.map(request => [request.method, request.url, request.headers.authorization]),
    [
      ['GET', '/api/healthcheck', undefined],
      ['GET', '/v2/globalParallelism', `Bearer ${token}`],
      ['GET', '/v1/balance', `Bearer ${token}`],
      ['GET', '/v1/jwks', `Bearer ${token}`],
      ['GET', '/v2/workflows?limit=1', `ApiKey ${token}`],
      ['GET', '/domains?limit=1', `Bearer ${token}`],
      ['POST', '/flags?v=2', undefined],
    ],
  )
  for (const request of requests) t.equal(request.headers['user-agent'], 'eleva-jobs')
  t.match(requests[2]?.headers['stripe-version'], /^\d{4}-\d\d-\d\d\.\w+$/)
})

t.test('asking loads nothing: no SDK is behind it', async t => {
  const fetch = openFetch(t)
  const loaded: string[] = []
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      loaded.push(specifier)
      return next(specifier, context)
    },
  })
  t.teardown(() => {
    hooks.deregister()
  })
  const { url } = await openVendor(t, status(200))
  for (const name of names) await create(name, url, fetch).check(never)
  t.strictSame(loaded, [])
})

t.test('a key of Resend that may only send is fine, and nothing else with 401 is', async t => {
  const fetch = openFetch(t)
  const refusals: [string, Reached['state']][] = [
    ['{"statusCode":401,"name":"restricted_api_key"}', 'up'],
    ['{"statusCode":401,"name":"missing_api_key"}', 'misconfigured'],
    ['restricted_api_key', 'misconfigured'],
    [`{"name":"restricted_api_key","more":"${'x'.repeat(70_000)}"}`, 'misconfigured'],
  ]
  for (const [body, state] of refusals) {
    const { url } = await openVendor(t, (_request, response) => response.writeHead(401).end(body))
    t.equal((await create('resend', url, fetch).check(never)).state, state, body.slice(0, 60))
  }
})

t.test('a redirect is not followed: the address is wrong', async t => {
  const fetch = openFetch(t)
  const target = await openVendor(t, status(200))
  for (const code of [301, 302, 307]) {
    const { requests, url } = await openVendor(t, status(code, { location: `${target.url}/login` }))
    for (const name of names) {
      t.equal((await create(name, url, fetch).check(never)).state, 'misconfigured', `${name}: ${code}`)
    }
    t.equal(requests.length, names.length)
  }
  t.equal(target.requests.length, 0, 'nobody came to where it points')
})

t.test('a closed port is down', async t => {
  const fetch = openFetch(t)
  const server = createTcpServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  for (const name of names) {
    const reached = await create(name, `http://127.0.0.1:${port}`, fetch).check(never)
    t.match(reached, { state: 'down', detail: 'no answer (ECONNREFUSED)' })
  }
})

t.test('an answer may take until the limit, and a caller may give up sooner', async t => {
  const fetch = openFetch(t)
  const waiting: ServerResponse[] = []
  const { url } = await openVendor(t, (_request, response) => waiting.push(response))
  const timed = await create('site', url, fetch, 60).check(never)
  t.match(timed, { state: 'down', detail: 'no answer within 60 ms' })
  t.ok(timed.latencyMs >= 55 && timed.latencyMs < 1_000, `took ${timed.latencyMs} ms`)

  const slow = await openVendor(t, (_request, response) => setTimeout(() => response.end('{}'), 60))
  const reached = await create('site', slow.url, fetch, 5_000).check(never)
  t.match(reached, { state: 'up', detail: '' })
  t.ok(reached.latencyMs >= 55, `took ${reached.latencyMs} ms`)

  const controller = new AbortController()
  const asked = create('qstash', url, fetch, 5_000).check(controller.signal)
  controller.abort()
  t.match(await asked, { state: 'down', detail: 'no answer before the caller gave up' })
})

t.test('of an endless body only the beginning is read', async t => {
  const fetch = openFetch(t)
  let sent = 0
  let closed: Promise<void> | undefined
  const { url } = await openVendor(t, (_request, response) => {
    closed = new Promise(resolve => response.once('close', resolve))
    const chunk = Buffer.alloc(16_384)
    const write = (): void => {
      while (response.write(chunk)) sent += chunk.length
      response.once('drain', write)
    }
    write()
  })
  t.equal((await create('site', url, fetch, 5_000).check(never)).state, 'up')
  await closed
  t.ok(sent < 16 * 1024 * 1024, `the vendor could send ${sent} bytes`)
})

t.test('a vendor may say for how long it wants to be left alone', async t => {
  const fetch = openFetch(t)
  const table: [string | undefined, number | undefined][] = [
    ['7', 7_000],
    ['86400', 900_000],
    [undefined, undefined],
    ['Wed, 21 Oct 2026 07:28:09 GMT', 9_000],
    ['Wed, 21 Oct 2026 07:27:59 GMT', undefined],
    ['Thu, 22 Oct 2026 07:28:00 GMT', 900_000],
    ['soon', undefined],
    ['-1', undefined],
  ]
  for (const name of ['burst-ratelimit-reset', 'ratelimit-reset', 'x-ratelimit-reset']) {
    const date = 'Wed, 21 Oct 2026 07:28:00 GMT'
    const moment = Date.parse(date) / 1000 + 9
    for (const [value, retryAfterMs] of [
      ['9', 9_000],
      [String(moment), 9_000],
      [`${moment}000`, 9_000],
      [String(moment - 20), 0],
    ] as const) {
      const { url } = await openVendor(t, status(429, { date, 'retry-after': 'soon', [name]: value }))
      const asked: Asked = await create('novu', url, fetch).check(never)
      t.equal(asked.retryAfterMs, retryAfterMs, `${name}: ${value}`)
    }
  }
  for (const [value, retryAfterMs] of table) {
    const date = 'Wed, 21 Oct 2026 07:28:00 GMT'
    const headers: Record<string, string> = value === undefined ? { date } : { date, 'retry-after': value }
    const { url } = await openVendor(t, status(429, headers))
    const asked: Asked = await create('qstash', url, fetch).check(never)
    t.equal(asked.retryAfterMs, retryAfterMs, value ?? 'no header')
  }
})

t.test("Stripe's balance is of the mode of our key, or is not Stripe's", async t => {
  const fetch = openFetch(t)
  const cases = [
    ['sk_live_planted', true, 'up'],
    ['rk_live_planted', false, 'down'],
    ['sk_live_planted', undefined, 'down'],
    ['rk_test_planted', false, 'up'],
    ['sk_test_planted', true, 'down'],
  ] as const
  for (const [secretKey, livemode, state] of cases) {
    const { url } = await openVendor(t, (_request, response) =>
      response.end(JSON.stringify({ object: 'balance', livemode })),
    )
    const reached = await createStripeReachability({ url, secretKey, fetch }).check(never)
    t.equal(reached.state, state, `${secretKey.slice(0, 7)} and ${livemode}`)
  }
})

t.test('a token that cannot be sent is down and stays secret', async t => {
  const fetch = openFetch(t)
  const { requests, url } = await openVendor(t, status(200))
  const reached = await createQstash({ url, token: `${token}\u0000`, fetch, timeoutMs: 1_000 }).check(never)
  t.equal(reached.state, 'down')
  t.notMatch(reached.detail, token)
  t.equal(requests.length, 0)
})
