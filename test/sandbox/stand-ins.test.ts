import t from 'tap'
import { request } from 'undici'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'
import { startClerk } from '../../src/sandbox/clerk.ts'
import { startPosthog } from '../../src/sandbox/posthog.ts'
import { startQstash } from '../../src/sandbox/qstash.ts'
import { startResend } from '../../src/sandbox/resend.ts'
import { startSite } from '../../src/sandbox/site.ts'
import { listen } from '../../src/sandbox/stand-in.ts'

/** The status of one call, or why there is none. */
async function call(url: string, init: RequestInit = {}, patienceMs = 5_000): Promise<number | string> {
  return await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) }).then(
    async answer => {
      await answer.arrayBuffer()
      return answer.status
    },
    (err: unknown) => (err instanceof Error && err.name === 'TimeoutError' ? 'no answer' : 'broken'),
  )
}

t.test('heartbeats', async t => {
  let now = new Date('2026-10-01T12:00:00Z')
  const betterStack = await startBetterStack({ clock: () => now })
  t.teardown(betterStack.close)
  const url = betterStack.register('tok1', { periodSeconds: 600, graceSeconds: 300 })
  t.equal(url, `${betterStack.url}/api/v1/heartbeat/tok1`)
  t.equal(url, betterStack.heartbeatUrl('tok1'))

  t.test('every form of ping is recorded with what it means', async t => {
    t.equal(betterStack.statusOf('tok1'), 'pending')
    t.equal(await call(url), 200)
    t.equal(betterStack.statusOf('tok1'), 'up')
    t.equal(await call(`${url}/fail`, { method: 'POST', body: 'job x failed: é' }), 200)
    t.equal(betterStack.statusOf('tok1'), 'down')
    t.equal(await call(`${url}/0`), 200)
    t.equal(betterStack.statusOf('tok1'), 'up')
    t.equal(await call(`${url}/3`, { method: 'POST' }), 200)
    t.equal(betterStack.statusOf('tok1'), 'down')
    t.match(betterStack.pings('tok1'), [
      { token: 'tok1', kind: 'success', method: 'GET', body: '', at: now },
      { kind: 'fail', method: 'POST', body: 'job x failed: é', bodyBytes: 16 },
      { kind: 'success', exitCode: 0 },
      { kind: 'fail', exitCode: 3 },
    ])
  })

  t.test('a missed ping turns it down after period and grace, and the next success up again', async t => {
    await call(url)
    now = new Date(now.getTime() + 900_000)
    t.equal(betterStack.statusOf('tok1'), 'up')
    now = new Date(now.getTime() + 1)
    t.equal(betterStack.statusOf('tok1'), 'down')
    await call(url)
    t.equal(betterStack.statusOf('tok1'), 'up')
  })

  t.test('a body over 10,000 bytes is noted and cut', async t => {
    t.equal(await call(`${url}/fail`, { method: 'POST', body: 'x'.repeat(10_001) }), 200)
    const last = betterStack.pings('tok1').at(-1)
    t.equal(last?.bodyBytes, 10_001)
    t.equal(last?.body.length, 10_000)
  })

  t.test('an unknown token is 404 and counts for nothing', async t => {
    t.equal(await call(betterStack.heartbeatUrl('other')), 404)
    t.same(betterStack.pings('other'), [])
    t.equal(betterStack.arrivals('other').length, 1)
  })

  t.test('what is not modelled is 501 with its name', async t => {
    for (const [method, path] of [
      ['GET', '/api/v2/status-pages'],
      ['HEAD', '/api/v1/heartbeat/tok1'],
      ['PUT', '/api/v1/heartbeat/tok1'],
      ['GET', '/api/v1/heartbeat/tok1/success'],
    ] as const) {
      t.equal(await call(`${betterStack.url}${path}`, { method }), 501, `${method} ${path}`)
    }
    const answer = await fetch(`${betterStack.url}/api/v2/incidents`)
    t.same(await answer.json(), { error: 'the Better Stack stand-in does not model GET /api/v2/incidents' })
  })

  t.test('faults keep a ping from counting, except a lost answer', async t => {
    const before = betterStack.pings('tok1').length
    betterStack.setFault({ kind: 'status', status: 429, retryAfter: '7' })
    const limited = await fetch(url)
    t.equal(limited.headers.get('retry-after'), '7')
    t.equal(limited.status, 429)
    betterStack.setFault({ kind: 'status', status: 500 }, 'tok1')
    t.equal(await call(url), 500, 'a fault of one token goes before the one of all')
    betterStack.setFault(undefined, 'tok1')
    t.equal(await call(url), 429)
    betterStack.setFault({ kind: 'reset' })
    t.equal(await call(url), 'broken')
    betterStack.setFault({ kind: 'hang' })
    t.equal(await call(url, {}, 50), 'no answer')
    t.equal(betterStack.pings('tok1').length, before)
    t.same(
      betterStack
        .arrivals('tok1')
        .slice(-5)
        .map(({ accepted }) => accepted),
      Array.from({ length: 5 }, () => false),
    )
    betterStack.setFault({ kind: 'lost-answer' })
    t.equal(await call(url), 'broken')
    t.equal(betterStack.pings('tok1').length, before + 1, 'it counted although the sender cannot know')
    betterStack.setFault({ kind: 'slow', delayMs: 40 })
    const startedAt = performance.now()
    t.equal(await call(url), 200)
    t.ok(performance.now() - startedAt >= 39)
    betterStack.setFault(undefined)
    t.equal(await call(url), 200)
  })
})

t.test('the site', async t => {
  const site = await startSite({ clock: () => new Date('2026-10-01T12:00:00Z') })
  t.teardown(site.close)
  const url = `${site.url}/api/healthcheck`
  const healthy = await fetch(url)
  t.match(await healthy.json(), {
    status: 'healthy',
    timestamp: '2026-10-01T12:00:00.000Z',
    memory: { percentage: 35 },
  })
  site.setFault({ kind: 'down' })
  const down = await fetch(url)
  t.equal(down.status, 503)
  t.match(await down.json(), { status: 'unhealthy' })
  site.setFault({ kind: 'garbage' })
  const garbage = await fetch(url)
  t.equal(garbage.status, 200)
  await t.rejects(garbage.json())
  site.setFault({ kind: 'hang' })
  t.equal(await call(url, {}, 50), 'no answer')
  site.setFault({ kind: 'slow', delayMs: 200 })
  t.equal(await call(url, {}, 50), 'no answer')
  site.setFault(undefined)
  t.equal(await call(url), 200)
  t.equal(site.asked(), 6)
  t.equal(await call(`${site.url}/api/health/stripe`), 501)
  t.equal(await call(url, { method: 'POST' }), 501)
})

t.test('Clerk', async t => {
  const clerk = await startClerk({ clock: () => new Date('2026-10-01T12:00:00Z') })
  t.teardown(clerk.close)
  const headers = { authorization: `Bearer ${clerk.secretKey}` }
  clerk.setUser('user_connected', 'connected', {
    private_metadata: { a: 1, setup: { google_account: true, other: true } },
  })
  clerk.setUser('user_none', 'none')
  clerk.setUser('user_revoked', 'revoked')
  clerk.setUser('user_hourly', 'without-refresh-token')
  const tokens = (id: string, provider = 'oauth_google'): string =>
    `${clerk.url}/v1/users/${id}/oauth_access_tokens/${provider}`
  const ask = async (url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(url, { headers, ...init })
    return { status: answer.status, body: await answer.json() }
  }

  t.test('tokens are an array, or an object when pages are asked for, under both names of the provider', async t => {
    const plain = await ask(tokens('user_connected'))
    const expected = {
      object: 'oauth_access_token',
      provider: 'oauth_google',
      token: /^ya29\./,
      expires_at: 1790859600000,
    }
    t.match(plain, { status: 200, body: [expected] })
    const paged = await ask(`${tokens('user_connected', 'google')}?paginated=true`)
    t.match(paged, { status: 200, body: { data: [expected], total_count: 1 } })
    t.equal(clerk.refreshesOf('user_connected'), 2)
    t.same(await ask(tokens('user_none')), { status: 200, body: [] })
    t.same(await ask(`${tokens('user_none')}?paginated=true`), { status: 200, body: { data: [], total_count: 0 } })
  })

  t.test("refusals have the vendor's codes", async t => {
    const table: ReadonlyArray<readonly [url: string, status: number, code: string]> = [
      [tokens('user_unknown'), 404, 'resource_not_found'],
      [tokens('user_connected', 'oauth_github'), 404, 'oauth_token_provider_not_enabled'],
      [tokens('user_revoked'), 400, 'oauth_token_retrieval_error'],
      [tokens('user_hourly'), 400, 'oauth_missing_refresh_token'],
    ]
    for (const [url, status, code] of table) t.match(await ask(url), { status, body: { errors: [{ code }] } }, code)
    const stranger = await ask(tokens('user_connected'), { headers: { authorization: 'Bearer sk_test_other' } })
    t.match(stranger, { status: 401, body: { errors: [{ code: 'secret_key_invalid' }] } })
    t.equal(await call(tokens('user_connected')), 401)
    t.equal(clerk.refreshesOf('user_connected'), 2, 'nobody got a token')
  })

  t.test('metadata are merged at every depth, null removes, and each change is recorded', async t => {
    const url = `${clerk.url}/v1/users/user_connected/metadata`
    const patch = async (body: string): Promise<{ status: number; body: unknown }> =>
      await ask(url, { method: 'PATCH', headers, body })
    const changes = { private_metadata: { setup: { google_account: false }, a: null }, public_metadata: { b: 2 } }
    t.match(await patch(JSON.stringify(changes)), { status: 200, body: { id: 'user_connected', object: 'user' } })
    t.same(clerk.metadataOf('user_connected'), {
      public_metadata: { b: 2 },
      private_metadata: { setup: { google_account: false, other: true } },
      unsafe_metadata: {},
    })
    t.same(clerk.writes(), [{ userId: 'user_connected', changes }])
    for (const bad of ['', 'null', '[]', '{"public_metadata":1}']) t.equal((await patch(bad)).status, 422, bad)
    t.equal(await call(`${clerk.url}/v1/users/user_unknown/metadata`, { method: 'PATCH', headers, body: '{}' }), 404)
    t.equal(clerk.writes().length, 1)
  })

  t.test('a probe gets keys', async t => {
    t.match(await ask(`${clerk.url}/v1/jwks`), {
      status: 200,
      body: { keys: [{ kty: 'RSA', use: 'sig', alg: 'RS256' }] },
    })
    t.equal(await call(`${clerk.url}/v1/jwks`), 401)
  })

  t.test('faults apply to all calls or to one kind, and the rest is 501', async t => {
    clerk.setFault({ kind: 'status', status: 429, retryAfter: '3' }, 'tokens')
    const limited = await fetch(tokens('user_connected'), { headers })
    t.equal(limited.status, 429)
    t.equal(limited.headers.get('retry-after'), '3')
    t.equal(await call(`${clerk.url}/v1/jwks`, { headers }), 200)
    clerk.setFault({ kind: 'status', status: 503 })
    t.equal(await call(`${clerk.url}/v1/jwks`, { headers }), 503)
    clerk.setFault(undefined)
    t.equal(await call(tokens('user_connected'), { headers }), 200)
    t.equal(await call(`${clerk.url}/v1/users`, { headers }), 501)
    t.equal(await call(`${clerk.url}/v1/users/user_connected`, { method: 'DELETE', headers }), 501)
  })
})

t.test('Resend tells keys apart as it does, and knows domains alone', async t => {
  const resend = await startResend({ apiKey: 're_key' })
  t.teardown(resend.close)
  const url = `${resend.url}/domains?limit=1`
  const refusalOf = async (authorization?: string): Promise<unknown> => {
    const answer = await fetch(url, { headers: authorization === undefined ? {} : { authorization } })
    return [answer.status, ((await answer.json()) as { name?: string }).name]
  }
  t.strictSame(await refusalOf(), [401, 'missing_api_key'])
  t.strictSame(await refusalOf('Bearer re_other'), [403, 'invalid_api_key'])
  t.strictSame(await refusalOf('Bearer re_key'), [401, 'restricted_api_key'])
  const nameless = await request(url, { headers: { authorization: 'Bearer re_key' } })
  t.equal(nameless.statusCode, 403, 'who does not say who they are is turned away')
  t.equal(await nameless.body.text(), 'error code: 1010')

  resend.setAccess('full')
  const headers = { authorization: 'Bearer re_key' }
  const list = await fetch(url, { headers })
  t.match(await list.json(), { object: 'list', data: [{ status: 'verified' }] })
  t.equal(await call(`${resend.url}/emails`, { method: 'POST', headers }), 501)
  resend.setFault({ kind: 'reset' })
  t.equal(await call(url, { headers }), 'broken')
  t.equal(resend.asked(), 7)
})

t.test('PostHog checks the key, bills flags that it evaluates, and knows nothing else', async t => {
  const posthog = await startPosthog({ key: 'phc_key' })
  t.teardown(posthog.close)
  const ask = async (body: unknown, path = '/flags?v=2'): Promise<number | string> =>
    await call(`${posthog.url}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  t.equal(await ask({ api_key: 'phc_key', disable_flags: true }), 200)
  t.equal(posthog.billed(), 0)
  t.equal(await ask({ token: 'phc_key', distinct_id: 'somebody' }), 200)
  t.equal(posthog.billed(), 1)
  t.equal(await ask({ api_key: 'phc_key' }), 400)
  t.equal(await ask({ api_key: 'phc_other', disable_flags: true }), 401)
  t.equal(await ask({ disable_flags: true }), 401)
  t.equal(await ask('{'), 400)
  t.equal(await ask({ api_key: 'phc_key', event: 'x' }, '/capture'), 501)
  t.equal(await call(`${posthog.url}/flags?v=2`), 501)
  posthog.setFault({ kind: 'status', status: 503 })
  t.equal(await ask({ api_key: 'phc_key', disable_flags: true }), 503)
  t.equal(posthog.asked(), 9)
})

t.test('the plain stand-ins fail on command of another process, until it is taken back', async t => {
  const [betterStack, clerk, posthog, resend, qstash] = await Promise.all([
    startBetterStack(),
    startClerk(),
    startPosthog(),
    startResend(),
    startQstash(),
  ])
  for (const { close } of [betterStack, clerk, posthog, resend, qstash]) t.teardown(close)
  const order = async (at: string, body: string): Promise<[number, unknown]> => {
    const answer = await fetch(at, { method: 'POST', body })
    return [answer.status, await answer.json()]
  }
  const calls = {
    [betterStack.url]: async () => await call(`${betterStack.url}/api/v2/heartbeats`),
    [clerk.url]: async () => await call(`${clerk.url}/v1/jwks`),
    [posthog.url]: async () => await call(`${posthog.url}/flags?v=2`, { method: 'POST' }),
    [resend.url]: async () => await call(`${resend.url}/domains`),
  }
  for (const [url, ask] of Object.entries(calls)) {
    const at = `${url}/_control/setFault`
    const usual = await ask()
    t.same(await order(at, '{"kind":"status","status":418}'), [200, {}])
    t.same([await ask(), await ask()], [418, 418])
    t.same(await order(at, ''), [200, {}])
    t.equal(await ask(), usual)
    for (const [fault, error] of [
      ['{"kind":"statsu"}', 'kind must be one of hang, reset, status, slow, garbage'],
      ['{"kind":"status"}', /^status: .*status/],
      ['{"kind":"hang","delay":3}', 'hang: delay is nothing it takes'],
    ] as const) {
      t.match(await order(at, fault), [400, { error }])
    }
    t.match(await order(`${url}/_control/nothing`, ''), [501, { error: /does not model POST \/_control\/nothing/ }])
  }
  t.same(await order(`${qstash.url}/_control/failNextApiCalls`, '[503, 1]'), [200, {}])
  const headers = { authorization: `Bearer ${qstash.token}` }
  const list = async () => await call(`${qstash.url}/v2/schedules`, { headers })
  t.same([await list(), await list()], [503, 200])
})

t.test('closing drops hanging callers and frees the port, twice is once', async t => {
  const site = await startSite()
  site.setFault({ kind: 'hang' })
  const hanging = call(`${site.url}/api/healthcheck`)
  while (site.asked() < 1) await new Promise(resolve => setImmediate(resolve))
  await Promise.all([site.close(), site.close()])
  t.equal(await hanging, 'broken')
  const again = await startSite({ port: Number(new URL(site.url).port) })
  t.teardown(again.close)
  t.equal(again.url, site.url)
})

t.test('a bug in a stand-in is a 500 that says so', async t => {
  const broken = await listen({
    maxBodyBytes: 1,
    answer: () => {
      throw new Error('oh')
    },
  })
  t.teardown(broken.close)
  const answer = await fetch(broken.url)
  t.equal(answer.status, 500)
  t.same(await answer.json(), { error: 'the stand-in failed: oh' })
})
