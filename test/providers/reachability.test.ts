import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { createHttp, type Fetch } from '../../src/providers/http.ts'
import { createQstash } from '../../src/providers/qstash.ts'
import type { Asked } from '../../src/providers/reach.ts'
import type { Reachability } from '../../src/providers/reachability.ts'
import { createSite } from '../../src/providers/site.ts'

const token = 'planted-token-4711'

const providers = {
  site: (url: string, fetch: Fetch, timeoutMs: number): Reachability => createSite({ url, fetch, timeoutMs }),
  qstash: (url: string, fetch: Fetch, timeoutMs: number): Reachability =>
    createQstash({ url, token, fetch, timeoutMs }),
} as const

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
  const answers: [
    string,
    (request: IncomingMessage, response: ServerResponse) => void,
    { site: string; qstash: string },
  ][] = [
    ['200', status(200), { site: 'up', qstash: 'up' }],
    ['204', (_request, response) => response.writeHead(204).end(), { site: 'up', qstash: 'up' }],
    ['401', status(401), { site: 'misconfigured', qstash: 'misconfigured' }],
    ['403', status(403), { site: 'misconfigured', qstash: 'misconfigured' }],
    ['404', status(404), { site: 'misconfigured', qstash: 'misconfigured' }],
    ['408', status(408), { site: 'down', qstash: 'down' }],
    ['429', status(429), { site: 'up', qstash: 'up' }],
    ['500', status(500), { site: 'down', qstash: 'down' }],
    ['503', status(503, { 'retry-after': '9' }), { site: 'down', qstash: 'down' }],
    ['a reset', request => request.socket.resetAndDestroy(), { site: 'down', qstash: 'down' }],
    ['garbage', request => request.socket.end('garbage\r\n\r\n'), { site: 'down', qstash: 'down' }],
    ['silence', () => {}, { site: 'down', qstash: 'down' }],
    ['a body that stops', (_request, response) => response.writeHead(200).write('{'), { site: 'down', qstash: 'down' }],
    ['a body cut off', cutOff, { site: 'down', qstash: 'down' }],
  ]
  for (const [what, answer, expected] of answers) {
    for (const name of ['site', 'qstash'] as const) {
      const { requests, url } = await openVendor(t, answer)
      const reached = await providers[name](url, fetch, 150).check(never)
      t.equal(reached.state, expected[name], `${name}: ${what}: ${reached.detail}`)
      t.equal(reached.detail === '', what === '200' || what === '204', `${name}: ${what} says why it is not simply up`)
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

t.test('each vendor is asked at its harmless address', async t => {
  const fetch = openFetch(t)
  const { requests, url } = await openVendor(t, status(200))
  await providers.site(url, fetch, 1_000).check(never)
  await providers.qstash(url, fetch, 1_000).check(never)
  const [site, qstash] = requests
  t.match(site, { method: 'GET', url: '/api/healthcheck' })
  t.equal(site?.headers.authorization, undefined)
  t.match(qstash, { method: 'GET', url: '/v2/globalParallelism', headers: { authorization: `Bearer ${token}` } })
})

t.test('a redirect is not followed: the address is wrong', async t => {
  const fetch = openFetch(t)
  const target = await openVendor(t, status(200))
  for (const code of [301, 302, 307]) {
    const { requests, url } = await openVendor(t, status(code, { location: `${target.url}/login` }))
    for (const name of ['site', 'qstash'] as const) {
      t.equal((await providers[name](url, fetch, 1_000).check(never)).state, 'misconfigured', `${name}: ${code}`)
    }
    t.equal(requests.length, 2)
  }
  t.equal(target.requests.length, 0, 'nobody came to where it points')
})

t.test('a closed port is down', async t => {
  const fetch = openFetch(t)
  const server = createTcpServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  for (const name of ['site', 'qstash'] as const) {
    const reached = await providers[name](`http://127.0.0.1:${port}`, fetch, 1_000).check(never)
    t.match(reached, { state: 'down', detail: 'no answer (ECONNREFUSED)' })
  }
})

t.test('an answer may take until the limit, and a caller may give up sooner', async t => {
  const fetch = openFetch(t)
  const waiting: ServerResponse[] = []
  const { url } = await openVendor(t, (_request, response) => waiting.push(response))
  const timed = await providers.site(url, fetch, 60).check(never)
  t.match(timed, { state: 'down', detail: 'no answer within 60 ms' })
  t.ok(timed.latencyMs >= 55 && timed.latencyMs < 1_000, `took ${timed.latencyMs} ms`)

  const slow = await openVendor(t, (_request, response) => setTimeout(() => response.end('{}'), 60))
  const reached = await providers.site(slow.url, fetch, 5_000).check(never)
  t.match(reached, { state: 'up', detail: '' })
  t.ok(reached.latencyMs >= 55, `took ${reached.latencyMs} ms`)

  const controller = new AbortController()
  const asked = providers.qstash(url, fetch, 5_000).check(controller.signal)
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
  t.equal((await providers.site(url, fetch, 5_000).check(never)).state, 'up')
  await closed
  t.ok(sent < 16 * 1024 * 1024, `the vendor could send ${sent} bytes`)
})

t.test('a vendor may say for how long it wants to be left alone', async t => {
  const fetch = openFetch(t)
  const table: [string | undefined, number | undefined][] = [
    ['7', 7_000],
    ['86400', 900_000],
    [undefined, undefined],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    ['-1', undefined],
  ]
  for (const [value, retryAfterMs] of table) {
    const headers: Record<string, string> = value === undefined ? {} : { 'retry-after': value }
    const { url } = await openVendor(t, status(429, headers))
    const asked: Asked = await providers.qstash(url, fetch, 1_000).check(never)
    t.equal(asked.retryAfterMs, retryAfterMs, value ?? 'no header')
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
