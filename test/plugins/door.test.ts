import { once } from 'node:events'
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import operatorScope from '../../src/plugins/operator-routes.ts'
import qstashSignature, { type Door } from '../../src/plugins/qstash-signature.ts'
import {
  call,
  claimsFor,
  keys,
  mint,
  now,
  openDoor,
  operators,
  publicUrl,
  type RawAnswer,
  sign,
} from '../support/door.ts'

const secret = 'cron-secret-0123456789'
const [ana, rui] = operators as [(typeof operators)[number], (typeof operators)[number]]

t.test('a bearer secret opens the doors that take one, and nothing else does', async t => {
  const { port } = await openDoor(t, { bearerSecret: secret, guarded: everyDoor })
  const knock = async (target: string, ...lines: (readonly [string, string])[]) =>
    (await call(port, { target, headers: lines })).status
  const right = bearer(secret)

  for (const target of ['/either', '/bearer']) {
    t.equal(await knock(target, right), 200)
    t.equal(await knock(target, ['Authorization', `bearer  ${secret}`]), 200, 'the scheme in any case')
    t.equal(await knock(target), 401, 'nothing')
    for (const wrong of [
      '',
      'Bearer',
      'Bearer ',
      secret,
      `Basic ${secret}`,
      `Bearer ${secret}x`,
      `Bearer ${secret} x`,
    ]) {
      t.equal(await knock(target, ['Authorization', wrong]), 401, wrong)
    }
    t.equal(await knock(target, bearer('wrong'), right), 401, 'the first of two counts')
    t.equal(await knock(target, ['X-Authorization', `Bearer ${secret}`]), 401)
  }
  t.equal(await knock('/signature', right), 401, 'a signature cannot be replaced')
})

t.test('an unset secret opens no door', async t => {
  for (const bearerSecret of [undefined, '']) {
    const { port } = await openDoor(t, { bearerSecret, guarded: everyDoor })
    for (const value of ['Bearer', 'Bearer ', 'Bearer undefined', 'Bearer null', 'Bearer ""']) {
      t.equal((await call(port, { target: '/bearer', headers: [['Authorization', value]] })).status, 401, value)
      t.equal((await call(port, { target: '/either', headers: [['Authorization', value]] })).status, 401, value)
    }
  }
})

t.test('a signature that is there alone decides', async t => {
  const { port } = await openDoor(t, { bearerSecret: secret, guarded: everyDoor })
  const knock = async (target: string, signature: string, ...lines: (readonly [string, string])[]) => {
    const answer = await call(port, { target, headers: [['Upstash-Signature', signature], ...lines] })
    return [answer.status, JSON.parse(answer.body).signedBy]
  }

  t.strictSame(await knock('/either', sign('/either')), [200, 'current'])
  t.strictSame(await knock('/either', sign('/either'), bearer('wrong')), [200, 'current'], 'no second verdict')
  t.strictSame(await knock('/either', sign('/either', 'other'), bearer(secret)), [401, undefined], 'no way around')
  t.strictSame(await knock('/either', '', bearer(secret)), [401, undefined], 'an empty one is there, too')
  t.strictSame(await knock('/bearer', sign('/bearer')), [401, undefined], 'a bearer door takes no signature')
  t.strictSame(await knock('/bearer', 'nonsense', bearer(secret)), [200, undefined], 'and does not mind one')
})

t.test('a route that names no door cannot be registered behind it', async t => {
  const naming = (options: object) => (scope: FastifyInstance) => {
    scope.post('/open-by-mistake', options, async () => 'open')
  }
  for (const options of [{}, { config: {} }, { config: { door: 'none' } }, { config: { door: '' } }]) {
    await t.rejects(openDoor(t, { guarded: naming(options) }), {
      message: /open-by-mistake says nothing about its door/,
    })
  }
})

t.test('a route from before the door asks for a signature all the same', async t => {
  const { app, port } = await openDoor(t, { guarded: () => {}, open: early })
  t.equal((await call(port, { target: '/early' })).status, 401)
  t.ok(app.hasRoute({ method: 'POST', url: '/early' }))

  function early(app: FastifyInstance) {
    void app.register(async scope => {
      scope.post('/early', async () => 'open')
      await scope.register(qstashSignature, { keys, expectedUrl: () => '', clock: () => new Date(0) })
    })
  }
})

t.test('what counts is the public address and the request line, whatever the headers claim', async t => {
  const { port } = await openDoor(t)
  const knock = async (target: string, signedUrl: string, ...lines: (readonly [string, string])[]) => {
    const signature = mint(claimsFor(signedUrl, ''))
    return (await call(port, { target, headers: [['Upstash-Signature', signature], ...lines] })).status
  }
  const liars: [string, string][] = [
    ['Host', 'evil.example'],
    ['X-Forwarded-Host', 'evil.example'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Prefix', '/evil'],
    ['Forwarded', 'host=evil.example;proto=http'],
  ]

  t.equal(await knock('/jobs/x?a=1&b=%2F', `${publicUrl}/jobs/x?a=1&b=%2F`, ...liars), 200)
  t.equal(await knock('/jobs/x', 'http://evil.example/jobs/x', ...liars), 401)
  t.equal(await knock('/jobs/x', 'https://evil.example/jobs/x', ...liars), 401)
  t.equal(await knock('http://evil.example/jobs/x?a=1', `${publicUrl}/jobs/x?a=1`), 200, 'absolute form')
  t.equal(await knock('http://evil.example/jobs/x', 'http://evil.example/jobs/x'), 401)
  t.equal(await knock('/jobs/%78', `${publicUrl}/jobs/x`), 401, 'as written, not as decoded')
  t.equal(await knock('/jobs/x?', `${publicUrl}/jobs/x`), 401)
})

t.test('a path prefix that a proxy strips belongs to the public address', async t => {
  const { port } = await openDoor(t, { publicUrl: `${publicUrl}/prefix/` })
  const knock = async (url: string) =>
    (await call(port, { target: '/jobs/x', headers: [['Upstash-Signature', mint(claimsFor(url, ''))]] })).status
  t.equal(await knock(`${publicUrl}/prefix/jobs/x`), 200)
  t.equal(await knock(`${publicUrl}/jobs/x`), 401)
})

t.test('bodies arrive as the bytes they are, whatever they are said to be', async t => {
  const { port } = await openDoor(t, { open: swallowBodies })
  const body = '{"a": 1e0, "__proto__": 1}'
  for (const type of [
    undefined,
    '',
    'application/json',
    'text/plain; charset=latin1',
    'garbage',
    ';',
    '/',
    'a/b; c="',
  ]) {
    for (const sent of [body, '']) {
      const headers = [['Upstash-Signature', sign('/x', sent)], ...(type === undefined ? [] : [['Content-Type', type]])]
      const answer = await call(port, { target: '/x', headers: headers as [string, string][], body: sent })
      t.equal(answer.status, 200, `${type}, ${sent.length} bytes`)
      t.equal(Buffer.from(JSON.parse(answer.body).bytes, 'base64').toString(), sent)
    }
  }
})

t.test('a body of one MiB is taken and one byte more is refused', async t => {
  const { port } = await openDoor(t)
  for (const [size, status] of [
    [1_048_576, 200],
    [1_048_577, 413],
  ] as const) {
    const body = Buffer.alloc(size, 'a')
    const answer = await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x', body)]], body })
    t.equal(answer.status, status)
    if (status === 413) assertShape(t, answer, 413, 'Payload Too Large')
  }
})

t.test('what cannot be a credential is refused before the body is read', async t => {
  const { port } = await openDoor(t, { bearerSecret: secret, guarded: everyDoor })
  const slow = { method: 'POST', contentLength: 100 }
  const lines: [string, [string, string][]][] = [
    ['/signature', []],
    ['/signature', [['Upstash-Signature', 'a.b.c']]],
    [
      '/signature',
      [
        ['Upstash-Signature', sign('/signature')],
        ['Upstash-Signature', sign('/signature')],
      ],
    ],
    ['/signature', [['Upstash-Signature', mint({ jti: 'x'.repeat(9000) })]]],
    ['/bearer', [bearer('wrong')]],
    ['/either', []],
  ]
  const answers = await Promise.all(lines.map(([target, headers]) => call(port, { ...slow, target, headers })))
  t.strictSame(new Set(answers.map(answer => answer.status)), new Set([401]))
  t.equal(
    (await call(port, { target: '/signature', headers: [['Upstash-Signature', 'x'.repeat(20_000)]] })).status,
    431,
  )
})

t.test('a slow body holds up nobody else', async t => {
  const { port } = await openDoor(t)
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const body = 'ab'
  socket.write(
    `POST /slow HTTP/1.1\r\nHost: x\r\nUpstash-Signature: ${sign('/slow', body)}\r\nContent-Length: 2\r\n\r\na`,
  )
  t.equal((await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x')]] })).status, 200)
  socket.write('b')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  t.match(chunk.toString(), /^HTTP\/1.1 200/)
})

t.test('every refusal is the same answer but for its request id', async t => {
  const { port } = await openDoor(t, { bearerSecret: secret, guarded: everyDoor })
  const reasons: [string, string, string][] = [
    ['/signature', 'Upstash-Signature', 'nonsense'],
    ['/signature', 'Upstash-Signature', mint(claimsFor(`${publicUrl}/signature`, ''), { key: 'wrong' })],
    ['/signature', 'Upstash-Signature', mint(claimsFor(`${publicUrl}/signature`, '', { exp: now - 1 }))],
    ['/signature', 'Upstash-Signature', sign('/other')],
    ['/signature', 'Upstash-Signature', sign('/signature', 'other')],
    ['/either', 'Authorization', 'Bearer wrong'],
  ]
  const seen = new Set<string>()
  const ids = new Set<string | undefined>()
  for (const [target, name, value] of reasons) {
    const { body, headers, status } = await call(port, { target, headers: [[name, value]] })
    ids.add(headers.get('x-request-id'))
    const constant = [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
    seen.add(JSON.stringify([status, body, constant]))
  }
  t.equal(seen.size, 1)
  t.equal(ids.size, reasons.length)
  t.match([...seen][0], 'application/json; charset=utf-8')
})

t.test('ten thousand forgeries leave the door answering, and a few lines in the log', async t => {
  let seconds = now
  const { app, lines, port } = await openDoor(t, { clock: () => new Date(seconds * 1000) })
  const forged = mint(claimsFor(`${publicUrl}/x`, '{}'), { key: 'forged' })
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  t.teardown(() => agent.destroy())
  const forge = async () => await post(agent, port, forged)
  const startedAt = performance.now()
  const burst = Promise.all(Array.from({ length: 10_000 }, forge))
  const good = await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x')]] })
  t.equal(good.status, 200, 'a good call in the middle of it')
  t.strictSame(new Set(await burst), new Set([401]))
  t.comment(`10,000 forgeries in ${Math.round(performance.now() - startedAt)} ms`)
  t.equal(
    (await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x')]] })).status,
    200,
    'and after it',
  )

  t.strictSame(
    lines.map(line => [line['refused'], line['reasons']]),
    [[1, { mac: 1 }]],
  )
  seconds += 11
  await forge()
  await call(port, { target: '/x' })
  await app.close()
  t.strictSame(
    lines.slice(1).map(line => [line['refused'], line['reasons']]),
    [
      [10_000, { mac: 10_000 }],
      [1, { missing: 1 }],
    ],
  )
})

t.test('a stale pair of keys is told once a minute', async t => {
  let seconds = now
  const { lines, port } = await openDoor(t, { clock: () => new Date(seconds * 1000) })
  const deliver = async (key: string) => {
    const headers = [['Upstash-Signature', sign('/x', '', { key })] as const]
    return JSON.parse((await call(port, { target: '/x', headers })).body).key
  }

  t.equal(await deliver(keys.current), 'current')
  t.equal(lines.length, 0)
  t.equal(await deliver(keys.next), 'next')
  await deliver(keys.next)
  seconds += 59
  await deliver(keys.next)
  t.equal(lines.length, 1)
  t.match(lines[0], { level: 40, msg: /signed with the next key/ })
  seconds += 1
  await deliver(keys.next)
  t.equal(lines.length, 2)
})

t.test('an operator is known by the token and nobody else is', async t => {
  const { app, port } = await openDoor(t, { open: operatorRoutes })
  const ask = async (target: string, authorization?: string) =>
    await call(port, {
      method: 'GET',
      target,
      headers: authorization === undefined ? [] : [['Authorization', authorization]],
    })

  for (const { name, token } of operators) {
    t.equal((await ask('/op', `Bearer ${token}`)).body, name)
    t.equal((await ask('/open', `Bearer ${token}`)).body, name)
  }
  for (const wrong of [
    undefined,
    '',
    'Bearer ',
    `Bearer ${ana.token}x`,
    `Bearer ${ana.name}`,
    ana.token,
    'Bearer undefined',
  ]) {
    const answer = await ask('/op', wrong)
    assertShape(t, answer, 401, 'Unauthorized')
    t.equal(answer.headers.get('www-authenticate'), 'Bearer')
    t.equal((await ask('/open', wrong)).body, 'nobody')
  }
  t.equal(app.identifyOperator({ headers: {} } as never), undefined)
})

t.test('an operator with an empty token is nobody', async t => {
  const { port } = await openDoor(t, { open: operatorRoutes, operators: [{ name: 'void', token: '' }] })
  for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer  ']) {
    const headers = [['Authorization', authorization]] as const
    t.equal((await call(port, { method: 'GET', target: '/op', headers })).status, 401)
    t.equal((await call(port, { method: 'GET', target: '/open', headers })).body, 'nobody')
  }
})

t.test('a known address by another method is 405 with what it allows, an unknown one 404', async t => {
  const ran: string[] = []
  const { port } = await openDoor(t, { open: app => routesOfMany(app, ran), guarded: () => {} })
  const allowed = async (method: string, target: string) => {
    const answer = await call(port, { method, target })
    if (method === 'HEAD') return [answer.status, answer.headers.get('allow')]
    assertShape(t, answer, answer.status, answer.status === 405 ? 'Method Not Allowed' : 'Not Found')
    return [answer.status, answer.headers.get('allow')]
  }

  t.strictSame(await allowed('HEAD', '/fixed'), [405, 'GET'])
  t.strictSame(ran, [], 'a HEAD ran nothing')
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE']) {
    t.strictSame(await allowed(method, '/fixed?a=1'), [405, 'GET'], method)
  }
  t.strictSame(await allowed('DELETE', '/cron/known'), [405, 'GET, POST'])
  t.strictSame(await allowed('DELETE', '/cron/k%6eown'), [405, 'GET, POST'])
  t.strictSame(await allowed('DELETE', 'http://evil.example/cron/known'), [405, 'GET, POST'])
  t.strictSame(await allowed('DELETE', '/cron/unknown'), [404, undefined], 'what does not exist has no methods')
  t.strictSame(await allowed('DELETE', '/cron/'), [404, undefined])
  t.strictSame(await allowed('DELETE', '/cron/known/more'), [404, undefined])
  t.strictSame(await allowed('GET', '/health/any'), [405, 'POST'])
  t.strictSame(await allowed('DELETE', '/health/jobs'), [405, 'GET, POST'])
  t.strictSame(await allowed('DELETE', '/health/'), [405, 'POST'], 'an empty parameter is one to the router')
  t.strictSame(await allowed('GET', '/files/a/b'), [405, 'PUT'])
  for (const target of ['/', '/fixe', '/fixed/', '/FIXED', '//fixed', '/cron']) {
    t.strictSame((await allowed('POST', target))[1], undefined, target)
  }
  t.equal((await call(port, { method: 'GET', target: '/fixed' })).status, 200)
  for (const target of ['/%zz', '/%ff']) assertShape(t, await call(port, { method: 'GET', target }), 400, 'Bad Request')
  await t.rejects(
    openDoor(t, { open: app => void app.get('/:a-:b', async () => '') }),
    /form that the 405 answers cannot read/,
  )
})

t.test('errors keep one shape, and from 500 up they tell nothing', async t => {
  const planted = 'postgres://user:planted-secret@host'
  const { lines, port } = await openDoor(t, { open: app => failingRoutes(app, planted) })
  const ask = async (target: string) => await call(port, { method: 'GET', target })

  for (const target of ['/plain', '/text', '/nothing', '/vendor', '/vendor-gone', '/http-500']) {
    const answer = await ask(target)
    assertShape(t, answer, 500, 'Internal Server Error')
    t.notMatch(`${answer.body}${JSON.stringify([...answer.headers])}`, /planted|cus_1/, target)
    const line = lines.at(-1)
    t.match(line, { level: 50, msg: 'request failed', reqId: answer.headers.get('x-request-id') }, target)
  }
  t.equal(lines.length, 6)

  const putOff = await ask('/http-503')
  assertShape(t, putOff, 503, 'Service Unavailable')
  t.equal(putOff.headers.get('retry-after'), '7')
  t.notMatch(putOff.body, /planted/)
  t.match(lines.at(-1), { level: 40 })

  const conflict = await ask('/http-409')
  assertShape(t, conflict, 409, 'Conflict')
  t.equal(JSON.parse(conflict.body).message, 'the lease is taken')
  t.equal(conflict.headers.get('retry-after'), '3')
  assertShape(t, await ask('/checked?limit=x'), 400, 'Bad Request')
  assertShape(
    t,
    await call(port, { target: '/json', headers: [['Content-Type', 'application/json']], body: '{' }),
    400,
    'Bad Request',
  )
  assertShape(
    t,
    await call(port, { target: '/json', headers: [['Content-Type', 'garbage']], body: 'x' }),
    415,
    'Unsupported Media Type',
  )
  assertShape(
    t,
    await call(port, { target: '/json', headers: [['Content-Type', 'application/json']], body: 'x'.repeat(2e6) }),
    413,
    'Payload Too Large',
  )
  t.equal(lines.length, 7, 'what callers did wrong is no news')
})

t.test('every answer carries its request id, and none that the caller made up', async t => {
  const { port } = await openDoor(t, { open: operatorRoutes })
  const ids = new Set<string | undefined>()
  for (const target of ['/open', '/op', '/x', '/%zz']) {
    const { headers } = await call(port, {
      method: 'GET',
      target,
      headers: [
        ['X-Request-Id', 'made-up'],
        ['Request-Id', 'made-up'],
      ],
    })
    ids.add(headers.get('x-request-id'))
  }
  t.equal(ids.size, 4)
  t.notOk(ids.has(undefined))
  t.notOk(ids.has('made-up'))
})

t.test('a caller who hangs up in the middle of a body is no failure of ours', async t => {
  const { app, lines, port } = await openDoor(t)
  const [server] = (await Promise.all([once(app.server, 'connection'), hangUp(port)]))[0] as [Socket]
  await new Promise<unknown>(resolve => (server.closed ? resolve(server) : server.once('close', resolve)))
  t.equal((await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x')]] })).status, 200)
  t.strictSame(lines, [])
})

async function hangUp(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const head = `POST /slow HTTP/1.1\r\nHost: x\r\nUpstash-Signature: ${sign('/slow', 'ab')}\r\nContent-Length: 2\r\n\r\na`
  await new Promise<unknown>(resolve => socket.write(head, resolve))
  socket.destroy()
}

t.test('limited routes share one limit for each caller, told in the usual shape', async t => {
  const { port } = await openDoor(t, { limit: { max: 3, timeWindowMs: 60_000 }, open: limitedRoutes })
  const ask = async (target: string, token?: string) =>
    await call(port, { method: 'GET', target, headers: token === undefined ? [] : [bearer(token)] })

  t.equal((await ask('/limited')).status, 200)
  t.equal((await ask('/op', 'a guess')).status, 401, 'a guess counts')
  t.equal((await ask('/also-limited')).status, 200)
  for (const target of ['/limited', '/also-limited', '/op']) {
    const answer = await ask(target, 'another guess')
    assertShape(t, answer, 429, 'Too Many Requests')
    const seconds = Number(answer.headers.get('retry-after'))
    t.ok(seconds >= 1 && seconds <= 60)
  }
  t.equal((await ask('/op', ana.token)).status, 200, 'an operator has a limit of their own')
  t.equal((await ask('/limited', ana.token)).status, 200)
  t.equal((await ask('/limited', ana.token)).status, 200)
  t.equal((await ask('/limited', ana.token)).status, 429)
  t.equal((await ask('/limited', rui.token)).status, 200)
  t.equal((await ask('/unlimited')).status, 200)
  t.equal((await call(port, { target: '/x', headers: [['Upstash-Signature', sign('/x')]] })).status, 200)
})

t.test('a window that has passed is forgotten', async t => {
  const { port } = await openDoor(t, { limit: { max: 1, timeWindowMs: 100 }, open: limitedRoutes })
  const ask = async () => (await call(port, { method: 'GET', target: '/limited' })).status
  t.equal(await ask(), 200)
  let refusals = 0
  while ((await ask()) === 429) refusals += 1
  t.ok(refusals > 0)
})

function bearer(token: string): [string, string] {
  return ['Authorization', `Bearer ${token}`]
}

/** `/signature`, `/bearer` and `/either`, each behind its door. */
function everyDoor(scope: FastifyInstance): void {
  const doors: [string, Door][] = [
    ['/signature', 'signature'],
    ['/bearer', 'bearer'],
    ['/either', 'signature-or-bearer'],
  ]
  for (const [url, door] of doors) {
    scope.post(url, { config: { door } }, async request => ({ signedBy: request.signed?.key }))
  }
}

/** What the rest of an app may do to bodies. */
function swallowBodies(app: FastifyInstance): void {
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => {
    payload.resume().on('end', () => done(null, 'swallowed'))
  })
}

function operatorRoutes(app: FastifyInstance): void {
  app.get('/op', { onRequest: async request => await app.requireOperator(request) }, async request => request.operator)
  app.get('/open', async request => app.identifyOperator(request) ?? 'nobody')
}

function limitedRoutes(app: FastifyInstance): void {
  app.get('/limited', { onRequest: app.limitCalls }, async () => '')
  app.get('/also-limited', { onRequest: app.limitCalls }, async () => '')
  app.get('/unlimited', async () => '')
  void app.register(async scope => {
    await scope.register(operatorScope, { isBooted: () => true })
    scope.get('/op', async () => '')
  })
}

function routesOfMany(app: FastifyInstance, ran: string[]): void {
  const exists = (request: FastifyRequest) => (request.params as { name: string }).name === 'known'
  const run = async (request: FastifyRequest) => ran.push(request.url)
  app.get('/fixed', run)
  app.get('/cron/:name', { config: { exists } }, run)
  app.post('/cron/:name', { config: { exists } }, run)
  app.get('/health/jobs', run)
  app.post('/health/:name', run)
  app.put('/files/*', run)
}

function failingRoutes(app: FastifyInstance, planted: string): void {
  const fail = (url: string, make: () => unknown) => {
    app.get(url, async () => {
      throw make()
    })
  }
  const vendor = (statusCode: number) =>
    Object.assign(new Error(planted), { statusCode, headers: { 'x-customer': 'cus_1' }, code: 'resource_missing' })
  fail('/plain', () => new Error(planted))
  fail('/text', () => planted)
  fail('/nothing', () => undefined)
  fail('/vendor', () => vendor(401))
  fail('/vendor-gone', () => vendor(404))
  fail('/http-500', () => app.httpErrors.internalServerError(planted))
  fail('/http-503', () => app.httpErrors.createError(503, planted, { headers: { 'retry-after': '7' } }))
  fail('/http-409', () => app.httpErrors.createError(409, 'the lease is taken', { headers: { 'retry-after': '3' } }))
  const querystring = { type: 'object', properties: { limit: { type: 'integer' } } }
  app.get('/checked', { schema: { querystring } }, async () => '')
  app.post('/json', async () => '')
}

function assertShape(t: Test, answer: RawAnswer, status: number, error: string): void {
  t.equal(answer.status, status)
  const { message, ...body } = JSON.parse(answer.body)
  t.strictSame(body, { statusCode: status, error, requestId: answer.headers.get('x-request-id') })
  t.type(message, 'string')
  t.match(answer.headers.get('content-type'), /^application\/json/)
}

async function post(agent: Agent, port: number, signature: string): Promise<number | undefined> {
  const headers = { 'upstash-signature': signature, 'content-type': 'application/json' }
  const request = httpRequest({ agent, port, host: '127.0.0.1', method: 'POST', path: '/x', headers })
  request.end('{}')
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response.statusCode
}
