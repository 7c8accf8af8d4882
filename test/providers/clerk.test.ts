import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { KeyRefusedError, RetryLaterError } from '../../src/errors.ts'
import { createClerk } from '../../src/providers/clerk.ts'
import { createHttp } from '../../src/providers/http.ts'

interface Call {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly authorization: string | undefined
  readonly body: string
}

const secretKey = 'sk_test_neverShownAnywhere'
const token = 'ya29.neverKept'

/** Clerk as `react` has it, on a real socket, with every call it got. */
async function startClerk(t: Test, react: (response: ServerResponse, call: Call) => void, timeoutMs?: number) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const { headers, method, url } = request
      const call = { method, url, authorization: headers.authorization, body: await readBody(request) }
      calls.push(call)
      react(response, call)
    }
    answer().catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clerk = createClerk({ url, secretKey, fetch: http.fetch, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  return { clerk, calls, server }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const send =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

const refusal = (status: number, code: string, meta?: Record<string, string>) =>
  send(status, { errors: [{ message: 'no', long_message: 'no', code, ...(meta === undefined ? {} : { meta }) }] })

const signal = (): AbortSignal => new AbortController().signal

const failureOf = async (work: Promise<unknown>): Promise<Error> =>
  await work.then(
    () => {
      throw new Error('it did not fail')
    },
    (err: unknown) => err as Error,
  )

t.test('a refresh asks for the Google token of that user, with our key, and tells only that there is one', async t => {
  const { calls, clerk } = await startClerk(t, send(200, [{ object: 'oauth_access_token', token, scopes: ['email'] }]))
  t.equal(await clerk.refresh('user_2ab', signal()), 'refreshed')
  t.match(calls, [
    {
      method: 'GET',
      url: '/v1/users/user_2ab/oauth_access_tokens/oauth_google',
      authorization: `Bearer ${secretKey}`,
      body: '',
    },
  ])
})

t.test('an id from the database cannot lead to another address', async t => {
  const { calls, clerk } = await startClerk(t, send(200, []))
  await clerk.refresh('../organizations?x=1#/y', signal())
  t.equal(calls[0]?.url, '/v1/users/..%2Forganizations%3Fx%3D1%23%2Fy/oauth_access_tokens/oauth_google')
})

t.test('Clerk has several ways to say that there is no token, and one that there is no such user', async t => {
  const answers = [
    ['missing', send(200, [])],
    ['missing', send(200, { data: [], total_count: 0 })],
    ['missing', refusal(422, 'oauth_missing_refresh_token')],
    ['missing', refusal(400, 'oauth_missing_refresh_token')],
    ['missing', refusal(422, 'oauth_missing_access_token')],
    [
      'missing',
      refusal(400, 'oauth_token_retrieval_error', {
        provider_error: 'oauth2: "invalid_grant" "Token has been expired or revoked."',
      }),
    ],
    ['refreshed', send(200, { data: [{ token }], total_count: 1 })],
    ['unknown-user', refusal(404, 'resource_not_found')],
  ] as const
  for (const [wanted, answer] of answers) {
    const { clerk } = await startClerk(t, answer)
    t.equal(await clerk.refresh('user_1', signal()), wanted)
  }
})

t.test('nothing else ever passes for a missing token', async t => {
  const answers = [
    ['500', send(500, { errors: [] })],
    ['502 page', send(502, '<html>bad gateway')],
    ['503', refusal(503, 'oauth_missing_refresh_token')],
    ['404 no refresh token', refusal(404, 'oauth_missing_refresh_token')],
    ['500 revoked', refusal(500, 'oauth_token_retrieval_error', { provider_error: 'invalid_grant' })],
    ['200 page', send(200, '<html>welcome')],
    ['200 empty', send(200, '')],
    ['200 object', send(200, {})],
    ['200 null', send(200, 'null')],
    ['204', (response: ServerResponse) => response.writeHead(204).end()],
    ['302', (response: ServerResponse) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['400', refusal(400, 'oauth_token_retrieval_error')],
    [
      '400 provider down',
      refusal(400, 'oauth_token_retrieval_error', { provider_error: 'oauth2: "temporarily_unavailable"' }),
    ],
    ['404 provider off', refusal(404, 'oauth_token_provider_not_enabled')],
    ['404 page', send(404, '<html>not here')],
    ['422', refusal(422, 'form_param_value_invalid')],
  ] as const
  for (const [name, answer] of answers) {
    const { calls, clerk } = await startClerk(t, answer)
    const err = await failureOf(clerk.refresh('user_1', signal()))
    t.equal(err.constructor, Error, `${name}: ${err.message}`)
    t.equal(calls.length, 1, 'asked once')
  }
})

t.test('a refused key stops the run, and too many calls make it wait', async t => {
  for (const status of [401, 403]) {
    const { clerk } = await startClerk(t, refusal(status, 'authentication_invalid'))
    t.type(await failureOf(clerk.refresh('user_1', signal())), KeyRefusedError)
    t.type(await failureOf(clerk.markDisconnected('user_1', signal())), KeyRefusedError)
  }
  const waits = [
    ['37', 37],
    ['0', 1],
    ['86400', 900],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 60],
    ['', 60],
  ] as const
  for (const [retryAfter, delaySeconds] of waits) {
    const { clerk } = await startClerk(t, send(429, {}, { 'retry-after': retryAfter }))
    const err = await failureOf(clerk.refresh('user_1', signal()))
    t.type(err, RetryLaterError)
    t.match(err, { delaySeconds })
  }
})

t.test('disconnecting writes one nested key and nothing else', async t => {
  const { calls, clerk } = await startClerk(t, send(200, { id: 'user_1' }))
  await clerk.markDisconnected('user_1', signal())
  t.match(calls, [{ method: 'PATCH', url: '/v1/users/user_1/metadata' }])
  t.same(JSON.parse(calls[0]?.body ?? ''), { unsafe_metadata: { expertSetup: { google_account: false } } })
  for (const answer of [send(500, {}), refusal(404, 'resource_not_found'), send(202, {})]) {
    const refused = await startClerk(t, answer)
    t.equal((await failureOf(refused.clerk.markDisconnected('user_1', signal()))).constructor, Error)
  }
})

t.test('a silent, a cut-off and an absent Clerk are plain errors', async t => {
  const silent = await startClerk(t, () => {}, 80)
  t.match(await failureOf(silent.clerk.refresh('user_1', signal())), { message: /within 80 ms/ })

  const half = await startClerk(
    t,
    response => {
      response.writeHead(200, { 'content-length': '900' })
      response.write('[')
    },
    80,
  )
  t.match(await failureOf(half.clerk.refresh('user_1', signal())), { message: /within 80 ms/ }, 'the body counts too')

  const cut = await startClerk(t, response => response.socket?.resetAndDestroy())
  t.match(await failureOf(cut.clerk.refresh('user_1', signal())), { message: 'clerk did not answer' })
})

t.test("the run's own signal ends a call with its own reason", async t => {
  const stop = new AbortController()
  const reason = new Error('the deadline')
  const { calls, clerk } = await startClerk(t, () => {
    stop.abort(reason)
  })
  t.equal(await failureOf(clerk.refresh('user_1', stop.signal)), reason)
  t.equal(await failureOf(clerk.refresh('user_1', stop.signal)), reason)
  t.equal(calls.length, 1, 'and a call after it is not even made')
})

t.test('no error shows the key or a token', async t => {
  const answers = [
    send(500, [{ token }]),
    send(200, { token }),
    refusal(401, secretKey),
    refusal(400, token),
    refusal(429, token),
    (response: ServerResponse) => response.socket?.resetAndDestroy(),
  ]
  for (const answer of answers) {
    const { clerk } = await startClerk(t, answer)
    const err = await failureOf(clerk.refresh('user_1', signal()))
    const shown = JSON.stringify(flatten(err))
    t.notMatch(shown, secretKey)
    t.notMatch(shown, token)
  }
})

function flatten(err: unknown): unknown[] {
  if (!(err instanceof Error)) return [err]
  return [err.message, err.stack, Object.entries(err), ...flatten(err.cause)]
}
