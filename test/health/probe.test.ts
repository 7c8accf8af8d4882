import t from 'tap'
import { createProbe, type Probe, type ProbeFinding, type ProbeOptions } from '../../src/health/probe.ts'
import { createReachabilityProbe } from '../../src/health/reachability-probe.ts'
import type { Reached } from '../../src/providers/reachability.ts'

interface World {
  readonly probe: Probe
  readonly calls: () => number
  readonly lines: { level: string; from: unknown; to: unknown; output: unknown }[]
  readonly pass: (ms: number) => void
  readonly rewind: (ms: number) => void
}

/** A probe on a clock that moves by hand; `random` in the middle means a TTL without jitter. */
function world(
  check: (call: number, signal: AbortSignal) => Promise<ProbeFinding>,
  options: Partial<ProbeOptions> = {},
): World {
  let nowMs = Date.UTC(2026, 0, 5, 12)
  let calls = 0
  const lines: World['lines'] = []
  const write = (level: string) => (fields: object) => {
    const { from, output, to } = fields as World['lines'][number]
    lines.push({ level, from, to, output })
  }
  const probe = createProbe({
    name: 'vendor',
    critical: true,
    ttlMs: 1_000,
    timeoutMs: 5_000,
    clock: () => new Date(nowMs),
    log: { info: write('info'), warn: write('warn') },
    random: () => 0.5,
    check: async signal => {
      calls++
      return await check(calls, signal)
    },
    ...options,
  })
  return {
    probe,
    lines,
    calls: () => calls,
    pass: ms => {
      nowMs += ms
    },
    rewind: ms => {
      nowMs -= ms
    },
  }
}

const up = async (): Promise<ProbeFinding> => ({ state: 'up' })
const hang = async (): Promise<ProbeFinding> => await new Promise(() => {})

t.test('a result is good for its TTL and checked again at its end', async t => {
  const { calls, pass, probe } = world(up)
  t.equal(probe.last(), undefined, 'nothing is known before the first check, and asking starts none')
  t.equal(calls(), 0)
  const first = await probe.read()
  t.match(first, { name: 'vendor', status: 'pass', state: 'up', critical: true, ttlMs: 1_000 })
  t.equal(first.checkedAt.toISOString(), '2026-01-05T12:00:00.000Z')
  t.type(first.latencyMs, 'number')
  pass(999)
  t.equal(await probe.read(), first, 'one millisecond before the end it is the same result')
  t.equal(calls(), 1)
  pass(1)
  await probe.read()
  t.equal(calls(), 2)
})

t.test('the TTL is up to a tenth shorter or longer', async t => {
  const early = world(up, { random: () => 0 })
  await early.probe.read()
  early.pass(900)
  await early.probe.read()
  t.equal(early.calls(), 2)

  const late = world(up, { random: () => 0.999_999 })
  await late.probe.read()
  late.pass(1_099)
  await late.probe.read()
  t.equal(late.calls(), 1)
  late.pass(1)
  await late.probe.read()
  t.equal(late.calls(), 2)
})

t.test('a clock that was set back keeps no result for ever', async t => {
  const { calls, probe, rewind } = world(up)
  await probe.read()
  rewind(3_600_000)
  await probe.read()
  t.equal(calls(), 2)
})

t.test('a thousand readers at once cause one check', async t => {
  const gate = Promise.withResolvers<ProbeFinding>()
  const { calls, probe } = world(async () => await gate.promise)
  const readings = Array.from({ length: 1_000 }, async () => await probe.read())
  gate.resolve({ state: 'up' })
  const results = await Promise.all(readings)
  t.equal(calls(), 1)
  t.equal(new Set(results).size, 1)
})

t.test('nobody waits for a check that hangs', async t => {
  const { calls, probe } = world(hang, { timeoutMs: 400 })
  const startedAt = performance.now()
  const result = await probe.read(20)
  t.ok(performance.now() - startedAt < 300)
  t.match(result, { status: 'fail', state: 'unknown', output: 'no answer in time', critical: true })
  t.equal(probe.last(), undefined, 'not answering yet is no knowledge')
  await probe.read(1)
  t.equal(calls(), 1, 'the check that hangs is waited for, not doubled')
  t.match(await probe.read(2_000), { status: 'fail', state: 'down', output: 'no answer within 400 ms' })
})

t.test('a check that hangs is told to stop, and blocks no later one though it ignores that', async t => {
  const signals: AbortSignal[] = []
  const { calls, pass, probe } = world(
    async (call, signal) => {
      signals.push(signal)
      return call === 1 ? await hang() : { state: 'up' }
    },
    { timeoutMs: 10 },
  )
  t.match(await probe.read(), { state: 'down', status: 'fail' })
  t.equal(signals[0]?.aborted, true)
  pass(250)
  t.match(await probe.read(), { state: 'up', status: 'pass' })
  t.equal(signals[1]?.aborted, false)
  t.equal(calls(), 2)
})

t.test('while the next check hangs the last result is given as stale', async t => {
  const good = world(async call => (call === 1 ? { state: 'up' } : await hang()), { timeoutMs: 50 })
  await good.probe.read()
  good.pass(1_000)
  t.match(await good.probe.read(5), {
    status: 'warn',
    state: 'unknown',
    ttlMs: 0,
    output: 'no answer in time; the last one was up',
  })

  const bad = world(async call => (call === 1 ? { state: 'misconfigured', output: '401' } : await hang()), {
    timeoutMs: 50,
  })
  await bad.probe.read()
  bad.pass(250)
  t.match(await bad.probe.read(5), { status: 'fail', state: 'misconfigured' }, 'silence makes a failure no better')
})

t.test('a failing result is good for a shorter time', async t => {
  const { calls, pass, probe } = world(async call => ({ state: call === 1 ? 'down' : 'up' }))
  t.equal((await probe.read()).ttlMs, 250)
  pass(249)
  t.equal((await probe.read()).status, 'fail')
  pass(1)
  t.equal((await probe.read()).status, 'pass')
  t.equal(calls(), 2)

  const own = world(async () => ({ state: 'misconfigured' }), { failureTtlMs: 40 })
  t.equal((await own.probe.read()).ttlMs, 40)
})

t.test('who asks to be left alone is left alone, and that is a warning', async t => {
  const { calls, pass, probe } = world(async () => ({ state: 'up', retryAfterMs: 60_000 }))
  t.match(await probe.read(), { state: 'up', status: 'warn' })
  pass(59_999)
  await probe.read()
  t.equal(calls(), 1)
  t.match(probe.last(), { status: 'warn' })
  pass(1)
  await probe.read()
  t.equal(calls(), 2)
})

t.test('each state has its status', async t => {
  const expected = { up: 'pass', slow: 'warn', down: 'fail', misconfigured: 'fail', disabled: 'pass' } as const
  for (const [state, status] of Object.entries(expected)) {
    const { probe } = world(async () => ({ state: state as keyof typeof expected, observed: { figure: 1 } }))
    t.match(await probe.read(), { state, status, observed: { figure: 1 } })
  }
  const remarked = world(async () => ({ state: 'up', output: 'answered 429' }))
  t.match(await remarked.probe.read(), { state: 'up', status: 'warn', output: 'answered 429' })
})

t.test('a check that throws is down, by its code and without its message', async t => {
  const refused = Object.assign(new Error('connect to postgres://app:hunter2@db'), { code: 'ECONNREFUSED' })
  const result = await world(() => Promise.reject(refused)).probe.read()
  t.match(result, { state: 'down', output: 'the check failed (ECONNREFUSED)' })

  const sly = Object.assign(new Error('x'), { code: 'https://token@host' })
  t.match(await world(() => Promise.reject(sly)).probe.read(), { output: 'the check failed (no error code)' })

  const sync = world(() => {
    throw new TypeError('hunter2')
  })
  t.match(await sync.probe.read(), { state: 'down', output: 'the check failed (TypeError)' })
})

t.test('changes are logged once, not samples', async t => {
  const states = ['up', 'up', 'down', 'down', 'misconfigured', 'up', 'slow'] as const
  const { lines, pass, probe } = world(async call => ({ state: states[call - 1] ?? 'up' }))
  for (const state of states) {
    t.equal((await probe.read()).state, state)
    await probe.read()
    pass(1_000)
  }
  t.match(lines, [
    { level: 'warn', from: 'up', to: 'down' },
    { level: 'warn', from: 'down', to: 'misconfigured' },
    { level: 'info', from: 'misconfigured', to: 'up' },
    { level: 'info', from: 'up', to: 'slow' },
  ])
  t.equal(lines.length, 4)

  const broken = world(async () => ({ state: 'down', output: 'answered 500' }))
  await broken.probe.read()
  t.same(broken.lines, [{ level: 'warn', from: undefined, to: 'down', output: 'answered 500' }])
})

t.test('what was known long ago is not known', async t => {
  const { calls, pass, probe } = world(async () => ({ state: 'down' }))
  await probe.read()
  pass(2_999)
  t.match(probe.last(), { state: 'down' })
  pass(1)
  t.equal(probe.last(), undefined)
  t.equal(calls(), 1)
})

t.test('a vendor service is up, slow, down, misconfigured or disabled', async t => {
  const read = async (reached: Reached & { retryAfterMs?: number }) => {
    const log = { info: () => {}, warn: () => {} }
    const options = { name: 'qstash', critical: true, ttlMs: 1_000, timeoutMs: 100, clock: () => new Date(0), log }
    return await createReachabilityProbe({ ...options, target: { check: async () => reached }, slowMs: 500 }).read()
  }
  t.match(await read({ state: 'up', latencyMs: 500, detail: '' }), { state: 'up', status: 'pass' })
  t.match(await read({ state: 'up', latencyMs: 501, detail: '' }), {
    state: 'slow',
    status: 'warn',
    output: 'answered after 501 ms',
  })
  t.match(await read({ state: 'up', latencyMs: 1, detail: 'answered 429', retryAfterMs: 1 }), {
    state: 'up',
    status: 'warn',
  })
  t.match(await read({ state: 'down', latencyMs: 900, detail: 'answered 500' }), {
    state: 'down',
    output: 'answered 500',
  })
  t.match(await read({ state: 'misconfigured', latencyMs: 1, detail: 'refused (401)' }), {
    state: 'misconfigured',
    status: 'fail',
  })
  t.match(await read({ state: 'misconfigured', scopeOnly: true, latencyMs: 1, detail: 'may not (403)' }), {
    state: 'misconfigured',
    status: 'warn',
    output: 'may not (403)',
  })

  const unset = createReachabilityProbe({
    name: 'qstash',
    critical: true,
    ttlMs: 1_000,
    timeoutMs: 100,
    clock: () => new Date(0),
    log: { info: () => t.fail('a service that is not configured is no news'), warn: () => {} },
    target: undefined,
  })
  t.match(await unset.read(), { state: 'disabled', status: 'pass', output: 'not configured' })
})
