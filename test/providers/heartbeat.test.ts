import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createHeartbeatSender, type SendResult } from '../../src/providers/heartbeat.ts'
import { createHttp, type HttpOptions } from '../../src/providers/http.ts'

const token = 'k7Qp2XvN8rTz4LmWc9Ya3bUd'
const delivered: SendResult = { outcome: 'delivered' }

type Received = Pick<IncomingMessage, 'method' | 'url' | 'headers'> & { readonly body: Buffer }

/** A heartbeat monitor that notes what it gets and answers as told; its address ends in a secret token. */
async function startMonitor(t: Test, answer: RequestListener = (_, response) => response.end('ok')) {
  const received: Received[] = []
  let connections = 0
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { headers, method, url } = request
      received.push({ method, url, headers, body: Buffer.concat(chunks) })
      answer(request, response)
    })
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/heartbeat/${token}`
  return { url, received, connections: () => connections }
}

function testSender(t: Test, options: HttpOptions = {}) {
  const outside = createHttp(options)
  t.teardown(async () => await outside.close())
  const sender = createHeartbeatSender(outside)
  return async (url: string, ping: { kind?: 'success' | 'fail'; body?: string; timeoutMs?: number } = {}) => {
    const { kind = 'success', body = null, timeoutMs = 5_000 } = ping
    const result = await sender.send({ url, kind, body, timeoutMs })
    t.notMatch(JSON.stringify(result), token, 'the result does not name the token')
    return result
  }
}

t.test('a success is a GET, a failure is a POST with its text, and any 2xx is delivered', async t => {
  const monitor = await startMonitor(t, (request, response) => {
    response.statusCode = request.method === 'GET' ? 204 : 202
    response.end()
  })
  const send = testSender(t)
  t.strictSame(await send(monitor.url), delivered)
  t.strictSame(await send(`${monitor.url}/`, { kind: 'fail', body: 'attempt 1 of 4: não correu' }), delivered)
  t.strictSame(await send(monitor.url, { kind: 'fail' }), delivered)

  const url = `/api/v1/heartbeat/${token}`
  t.match(monitor.received, [
    { method: 'GET', url },
    { method: 'POST', url: `${url}/fail`, headers: { 'content-type': 'text/plain; charset=utf-8' } },
    { method: 'GET', url: `${url}/fail` },
  ])
  t.equal(monitor.received[1]?.body.toString(), 'attempt 1 of 4: não correu')
})

t.test('each status has its verdict', async t => {
  let status = 0
  const monitor = await startMonitor(t, (_, response) => {
    response.statusCode = status
    response.end(token)
  })
  const send = testSender(t)
  for (status of [400, 401, 403, 404, 405, 410, 413, 422]) {
    t.strictSame(await send(monitor.url), { outcome: 'permanent', reason: `status ${status}` })
  }
  for (status of [408, 425, 429, 500, 502, 503, 504, 522]) {
    t.strictSame(await send(monitor.url), { outcome: 'retryable', reason: `status ${status}`, retryAfterMs: null })
  }
})

t.test('Retry-After is honoured in seconds and as a date, and never beyond five minutes', async t => {
  let headers: Record<string, string> = {}
  const monitor = await startMonitor(t, (_, response) => {
    response.writeHead(429, headers).end()
  })
  const send = testSender(t)
  const date = 'Sat, 21 Nov 2026 12:00:00 GMT'
  const cases: [Record<string, string>, number | null][] = [
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '86400' }, 300_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:42 GMT', date }, 42_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT', date }, 0],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '-5' }, null],
  ]
  for (const [given, retryAfterMs] of cases) {
    headers = given
    t.strictSame(await send(monitor.url), { outcome: 'retryable', reason: 'status 429', retryAfterMs })
  }
})

t.test('a redirect is refused, and the secret address goes nowhere else', async t => {
  const elsewhere = await startMonitor(t)
  const send = testSender(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const monitor = await startMonitor(t, (_, response) => {
      response.writeHead(status, { location: elsewhere.url }).end()
    })
    t.strictSame(await send(monitor.url), { outcome: 'permanent', reason: `status ${status}` })
  }
  t.strictSame(elsewhere.received, [])
  const outside = createHttp()
  t.teardown(async () => await outside.close())
  const mover = await startMonitor(t, (_, response) => {
    response.writeHead(302, { location: elsewhere.url }).end()
  })
  const response = await outside.fetch(mover.url)
  t.equal(response.status, 302, 'no caller of the shared fetch follows one by accident')
})

t.test('whatever the network does is retryable, in its time, and names no address', async t => {
  const send = testSender(t, { connectTimeoutMs: 1_000 })
  const retryable = (reason: string) => ({ outcome: 'retryable', reason, retryAfterMs: null })

  const silent = await startMonitor(t, () => {})
  const startedAt = performance.now()
  t.strictSame(await send(silent.url, { timeoutMs: 200 }), retryable('no answer in time'))
  t.ok(performance.now() - startedAt < 1_000, 'a hanging host costs its time limit and no more')

  const resetting = await startMonitor(t, request => request.socket.resetAndDestroy())
  t.match(await send(resetting.url), { outcome: 'retryable', reason: /^network error (ECONNRESET|UND_ERR_SOCKET)$/ })

  const hangingUp = await startMonitor(t, request => request.socket.destroy())
  t.strictSame(await send(hangingUp.url), retryable('network error UND_ERR_SOCKET'))

  const babbling = net.createServer(socket => socket.end('SSH-2.0-OpenSSH\r\n'))
  babbling.listen(0, '127.0.0.1')
  await once(babbling, 'listening')
  t.teardown(() => babbling.close())
  const { port } = babbling.address() as AddressInfo
  t.match(await send(`http://127.0.0.1:${port}/${token}`), {
    outcome: 'retryable',
    reason: /^network error (HTTPParserError|HPE_\w+)$/,
  })

  const closed = net.createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const freed = (closed.address() as AddressInfo).port
  closed.close()
  await once(closed, 'close')
  t.strictSame(await send(`http://127.0.0.1:${freed}/${token}`), retryable('network error ECONNREFUSED'))

  t.match(await send(`http://monitor.invalid/${token}`, { timeoutMs: 5_000 }), {
    outcome: 'retryable',
    reason: /^network error (ENOTFOUND|EAI_AGAIN)$|^no answer in time$/,
  })
  t.strictSame(await send(`no address ${token}`), retryable('network error ERR_INVALID_URL'))
})

t.test('a ping that is given up ends at once, also when it was given up before it began', async t => {
  const arrived = Promise.withResolvers<void>()
  const silent = await startMonitor(t, () => arrived.resolve())
  const outside = createHttp()
  t.teardown(async () => await outside.close())
  const sender = createHeartbeatSender(outside)
  const stop = new AbortController()
  const ping = { url: silent.url, kind: 'success', body: null, timeoutMs: 60_000, signal: stop.signal } as const
  const sending = sender.send(ping)
  await arrived.promise
  stop.abort()
  t.match(await sending, { outcome: 'retryable', reason: 'given up' })
  t.match(await sender.send(ping), { outcome: 'retryable', reason: 'given up' })
})

t.test('a long body keeps its end, is cut between characters and says that it was cut', async t => {
  const monitor = await startMonitor(t)
  const send = testSender(t)
  for (const filler of ['x', 'é', '€', '😀', 'x😀', 'xx€']) {
    const text = `begin ${filler.repeat(12_000)} the end`
    await send(monitor.url, { kind: 'fail', body: text })
    const { body = Buffer.of() } = monitor.received.at(-1) ?? {}
    t.ok(body.length <= 10_000 && body.length > 9_990, `${body.length} bytes of ${filler}`)
    const [notice = '', ...rest] = body.toString().split('\n')
    t.equal(notice, `[cut: the end of ${Buffer.byteLength(text)} bytes]`)
    t.ok(text.endsWith(rest.join('\n')), 'nothing but whole characters of the end')
  }
  await send(monitor.url, { kind: 'fail', body: 'y'.repeat(10_000) })
  t.equal(monitor.received.at(-1)?.body.toString(), 'y'.repeat(10_000), 'what fits is sent as it is')
})

t.test('answers are read, so connections are used again; an endless answer is cut off', async t => {
  const monitor = await startMonitor(t, (_, response) => response.end('x'.repeat(5_000)))
  const send = testSender(t)
  for (let count = 0; count < 10; count += 1) t.strictSame(await send(monitor.url), delivered)
  t.ok(monitor.connections() <= 2, `${monitor.connections()} connections`)

  const endless = await startMonitor(t, (_, response) => {
    const more = (): void => {
      while (response.write('x'.repeat(8_192)));
    }
    response.on('drain', more)
    more()
  })
  const sendByOne = testSender(t, { connectionsPerOrigin: 1 })
  const startedAt = performance.now()
  for (let count = 0; count < 3; count += 1) {
    t.strictSame(await sendByOne(endless.url), delivered, 'no answer keeps the only connection')
  }
  t.ok(performance.now() - startedAt < 4_000, 'nor is it read until the time limit')

  const stalling = await startMonitor(t, (_, response) => response.write('o'))
  t.strictSame(await send(stalling.url, { timeoutMs: 200 }), delivered, 'the status had arrived')
})

t.test('connections to one host are bounded, and close is prompt, final and safe to repeat', async t => {
  let open = 0
  let most = 0
  const monitor = await startMonitor(t, (_, response) => {
    most = Math.max(most, ++open)
    setImmediate(() => {
      open -= 1
      response.end()
    })
  })
  const outside = createHttp({ connectionsPerOrigin: 3 })
  const sender = createHeartbeatSender(outside)
  const ping = { url: monitor.url, kind: 'success', body: null, timeoutMs: 5_000 } as const
  const results = await Promise.all(Array.from({ length: 30 }, () => sender.send(ping)))
  t.ok(results.every(result => result.outcome === 'delivered'))
  t.ok(monitor.connections() <= 3 && most <= 3, `${monitor.connections()} connections`)

  const arrived = Promise.withResolvers<void>()
  const silent = await startMonitor(t, () => arrived.resolve())
  const hanging = sender.send({ ...ping, url: silent.url, timeoutMs: 60_000 })
  await arrived.promise
  await Promise.all([outside.close(), outside.close()])
  await outside.close()
  t.match(await hanging, { outcome: 'retryable' }, 'what hangs is cut off')
  t.match(await sender.send(ping), { outcome: 'retryable', reason: /^network error UND_ERR_/ })
})

t.test('a log shows a heartbeat as host and last four characters, a short token not at all', t => {
  const sender = createHeartbeatSender({ fetch: async () => await Promise.reject(new Error('not asked')) })
  t.equal(sender.describe(`https://uptime.betterstack.com/api/v1/heartbeat/${token}`), 'uptime.betterstack.com …3bUd')
  t.equal(sender.describe('http://user:secret@127.0.0.1:4000/short?key=secret'), '127.0.0.1:4000')
  t.equal(sender.describe(token), 'unreadable address')
  t.end()
})
