import t, { type Test } from 'tap'
import { KeyRefusedError } from '../../src/errors.ts'
import { createBetterStack } from '../../src/providers/betterstack.ts'
import { createHttp } from '../../src/providers/http.ts'
import { type ApiFault, startBetterStack } from '../../src/sandbox/betterstack.ts'

const { signal } = new AbortController()

interface Options {
  readonly timeoutMs?: number
  readonly silenceTimeoutMs?: number
  readonly token?: string
  readonly team?: string
  readonly callsPerSecond?: number
}

async function open(
  t: Test,
  { callsPerSecond = 1_000, silenceTimeoutMs, team, timeoutMs = 5_000, token }: Options = {},
) {
  const standIn = await startBetterStack()
  t.teardown(standIn.close)
  const http = createHttp(silenceTimeoutMs === undefined ? {} : { silenceTimeoutMs })
  t.teardown(async () => {
    await http.close()
  })
  const waits: number[] = []
  const told: string[] = []
  let count = 0
  const betterStack = createBetterStack({
    url: standIn.url,
    token: token ?? standIn.apiToken,
    fetch: async (input, init) => {
      count += 1
      return await http.fetch(input, init)
    },
    timeoutMs,
    callsPerSecond,
    ...(team === undefined ? {} : { team }),
    wait: async ms => {
      waits.push(ms)
    },
    onWait: text => {
      told.push(text)
    },
  })
  return { betterStack, standIn, told, waits, sent: () => count, calls: () => standIn.apiCalls().length }
}

const fine = { name: '[jobs] x', period: 60, grace: 30 }

t.test('every page of a list is read, once each', async t => {
  const { betterStack, calls, standIn } = await open(t)
  for (let count = 0; count < 260; count += 1) standIn.add('heartbeats', { ...fine, name: `h${count}` })
  const found = await betterStack.list('heartbeat', signal)
  t.equal(found.length, 260)
  t.equal(new Set(found.map(({ id }) => id)).size, 260)
  t.equal(calls(), 2)
  t.strictSame(await betterStack.list('monitor', signal), [])
  standIn.add('policies', { name: ' [jobs] x ' })
  t.match(await betterStack.list('policy', signal), [{ name: '[jobs] x' }], 'a blank that nobody sees is no other name')
})

t.test('a list that is not whole is an error, and no link leads elsewhere', async t => {
  const { betterStack, standIn } = await open(t)
  const answers: readonly (readonly [RegExp, unknown])[] = [
    [
      /goes on at another address/,
      { data: [], pagination: { next: 'https://elsewhere.test/api/v2/heartbeats?page=2' } },
    ],
    [/goes on at another address/, { data: [], pagination: { next: '//elsewhere.test/' } }],
    [/cannot be read/, { data: Array.from({ length: 50 }, (_, id) => ({ id, attributes: {} })) }],
    [/cannot be read/, { data: [{ id: '1' }], pagination: { next: null } }],
    [/cannot be read/, { data: 'nothing' }],
    [/cannot be read/, 'garbage'],
    [/cannot be read/, { data: [], pagination: { next: 7 } }],
  ]
  for (const [error, body] of answers) {
    standIn.setApiFault({ kind: 'answer', status: 200, body })
    await t.rejects(betterStack.list('heartbeat', signal), error, JSON.stringify(body).slice(0, 80))
    standIn.setApiFault(undefined)
  }
})

t.test('an endless list ends', async t => {
  const { betterStack, calls, standIn } = await open(t, { callsPerSecond: 8 })
  standIn.setApiFault({
    kind: 'answer',
    status: 200,
    body: { data: [], pagination: { next: `${standIn.url}/api/v2/policies?page=2` } },
  })
  const startedAt = performance.now()
  await t.rejects(betterStack.list('policy', signal), /more than 40 pages/)
  t.equal(calls(), 40)
  // 40 calls, of which 8 may go in each second.
  t.ok(performance.now() - startedAt >= 3_900, 'at most 8 calls in a second')
})

t.test('what may pass is tried again, except a create', async t => {
  const faults: readonly (readonly [ApiFault, number[], outcome: string])[] = [
    [{ kind: 'status', status: 500 }, [1_000, 2_000, 4_000], 'unknown'],
    [{ kind: 'status', status: 504 }, [1_000, 2_000, 4_000], 'unknown'],
    [{ kind: 'status', status: 429, retryAfter: '7' }, [7_000, 7_000, 7_000], 'not now'],
    [{ kind: 'status', status: 429 }, [10_000, 20_000, 40_000], 'not now'],
    [{ kind: 'reset' }, [1_000, 2_000, 4_000], 'unknown'],
  ]
  for (const [fault, expected, outcome] of faults) {
    const { betterStack, calls, standIn, told, waits } = await open(t)
    const { id } = standIn.add('heartbeats', fine)
    standIn.setApiFault(fault)
    await t.rejects(betterStack.list('heartbeat', signal), /did not list its heartbeats/)
    t.strictSame(waits.splice(0), expected)
    t.match(told[0], /^Better Stack: .*; trying again in \d+ s$/)
    t.match(await betterStack.update('heartbeat', id, { grace: 60 }, signal), { outcome })
    t.strictSame(waits.splice(0), expected)
    t.match(await betterStack.remove('heartbeat', id, signal), { outcome })
    t.strictSame(waits.splice(0), expected)
    const before = calls()
    t.match(await betterStack.create('heartbeat', fine, signal), { outcome })
    t.equal(calls() - before, 1, 'once')
    t.strictSame(waits, [])
    standIn.setApiFault(undefined)
    t.match(await betterStack.remove('heartbeat', id, signal), { outcome: 'done' })
    t.match(await betterStack.remove('heartbeat', id, signal), { outcome: 'done' }, 'what is gone is gone')
  }
})

t.test('silence is waited out twice, and all waits together end', async t => {
  const { betterStack, calls, standIn, waits } = await open(t, { timeoutMs: 20 })
  standIn.setApiFault({ kind: 'hang' })
  await t.rejects(betterStack.list('heartbeat', signal), /no answer in time/)
  t.equal(calls(), 2)
  t.strictSame(waits.splice(0), [1_000])
  standIn.setApiFault(undefined)
  standIn.setApiFault({ kind: 'status', status: 429, retryAfter: '200' })
  await t.rejects(betterStack.list('heartbeat', signal), /429/)
  t.strictSame(waits, [200_000], 'a second one would be more than five minutes')
})

t.test('a create of which nobody knows is unknown, whoever gave up first, and what reached nobody is not', async t => {
  for (const options of [{ timeoutMs: 50 }, { silenceTimeoutMs: 50 }]) {
    const { betterStack, standIn } = await open(t, options)
    standIn.setApiFault({ kind: 'silent' })
    t.match(await betterStack.create('heartbeat', fine, signal), { outcome: 'unknown', reason: 'no answer in time' })
    t.equal(standIn.items('heartbeats').length, 1)
  }
  const { betterStack, standIn } = await open(t)
  await standIn.close()
  t.match(await betterStack.create('heartbeat', fine, signal), { outcome: 'not now', reason: /ECONNREFUSED/ })
})

t.test('a write that was sent is not cut off by whoever stops us, a read is', async t => {
  const { betterStack, sent, standIn } = await open(t)
  const stopping = new AbortController()
  standIn.setApiFault({ kind: 'slow', delayMs: 100 })
  const written = betterStack.create('heartbeat', fine, stopping.signal)
  const stopped = t.rejects(betterStack.list('heartbeat', stopping.signal), { name: 'AbortError' })
  while (sent() < 2) await new Promise(resolve => setImmediate(resolve))
  stopping.abort()
  t.match(await written, { outcome: 'done' })
  await stopped
  await t.rejects(betterStack.create('heartbeat', fine, stopping.signal), { name: 'AbortError' })
  t.equal(standIn.items('heartbeats').length, 1)
})

t.test('a token of the whole organisation sees and makes things of one team alone', async t => {
  const { betterStack, standIn } = await open(t, { token: 'betterstack-token-of-the-organisation' })
  standIn.add('heartbeats', { ...fine, team_name: 'Staging' })
  t.equal((await betterStack.list('heartbeat', signal)).length, 1)
  standIn.add('heartbeats', { ...fine, team_name: 'Production' })
  await t.rejects(betterStack.list('heartbeat', signal), /several teams \(Production, Staging\): say whose with --team/)
  t.match(await betterStack.create('heartbeat', fine, signal), { outcome: 'refused', reason: /team_name/ })
  const ours = await open(t, { token: 'betterstack-token-of-the-organisation', team: 'Production' })
  ours.standIn.add('heartbeats', { ...fine, team_name: 'Staging' })
  t.match(await ours.betterStack.create('heartbeat', fine, signal), { outcome: 'done' })
  t.match(await ours.betterStack.list('heartbeat', signal), [{ attributes: { team_name: 'Production' } }])
})

t.test('a redirect is not followed', async t => {
  const { betterStack, standIn } = await open(t)
  standIn.setApiFault({ kind: 'answer', status: 302, body: '' })
  await t.rejects(betterStack.list('heartbeat', signal), /did not list/)
})

t.test('a refused token stops at once', async t => {
  const { betterStack, calls } = await open(t, { token: 'planted-token' })
  await t.rejects(betterStack.list('heartbeat', signal), KeyRefusedError)
  t.equal(calls(), 1)
  const { betterStack: reader, standIn } = await open(t, { token: 'betterstack-token-that-only-reads' })
  t.strictSame(await reader.list('heartbeat', signal), [])
  await t.rejects(reader.create('heartbeat', fine, signal), /403.*this token may only read.*may only read/)
  t.equal(standIn.items('heartbeats').length, 0)
})

t.test('a refusal is told in each of its forms, without a secret', async t => {
  const { betterStack, standIn } = await open(t, {})
  const forms: readonly (readonly [unknown, RegExp])[] = [
    [{ errors: 'some text' }, /^status 422: some text$/],
    [{ errors: { period: ['too small', 'not good'] } }, /^status 422: period too small; period not good$/],
    [{ errors: { base: ['URL is invalid.'] } }, /^status 422: URL is invalid\.$/],
    [{ errors: [{ title: 'Bad', detail: 'very' }] }, /^status 422: Bad: very$/],
    [{ error: 'some text' }, /^status 422: some text$/],
    [{ message: 'some text' }, /^status 422: some text$/],
    ['', /^status 422$/],
    ['<html>no', /^status 422$/],
    [{ errors: { x: `Bearer planted-header and ${standIn.apiToken}` } }, /^status 422: x \(secret\) and \(secret\)$/],
    [{ error: `${standIn.url}/api/v1/heartbeat/abcdef taken` }, /\/api\/v1\/heartbeat\/\(secret\) taken$/],
  ]
  for (const [body, reason] of forms) {
    standIn.setApiFault({ kind: 'answer', status: 422, body })
    const request_headers = [{ name: 'Authorization', value: 'Bearer planted-header' }]
    t.match(await betterStack.create('monitor', { request_headers }, signal), { outcome: 'refused', reason })
    standIn.setApiFault(undefined)
  }
  t.match(await betterStack.create('heartbeat', { name: 'x', period: 1, grace: 0 }, signal), {
    outcome: 'refused',
    reason: 'status 422: period must be greater than or equal to 30',
  })
  t.match(await betterStack.update('heartbeat', '99999', { grace: 1 }, signal), {
    outcome: 'refused',
    reason: /^status 404: Resource/,
  })
})
