import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { startResend } from '../../src/sandbox/resend.ts'
import { publicUrl, type TestApp, testApp } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'
import { openCable } from '../support/health.ts'
import { readTable } from '../support/sources.ts'
import {
  retryAfterSeconds,
  startVendors,
  type Trouble,
  type Vendor,
  type VendorName,
  vendorNames,
} from '../support/vendors.ts'

const names = ['neon-database', ...vendorNames]
const critical = ['neon-database', 'stripe', 'qstash']
const ttlSeconds: Readonly<Record<VendorName, number>> = {
  stripe: 60,
  qstash: 120,
  clerk: 120,
  novu: 300,
  resend: 300,
  posthog: 300,
}
/** Longer than any result is good for, jitter and Retry-After included. */
const longMs = 1_000_000

interface Seen {
  readonly status: string
  readonly state: string
  readonly observedValue: number
  readonly output?: string
}

/** What an operator sees of each service in one answer, and how long that took. */
async function look({ operate }: TestApp) {
  const startedAt = performance.now()
  const { json, statusCode } = await operate('GET', '/health?services=true')
  const checks = json['checks'] as Record<string, [Seen]>
  const seen = Object.fromEntries(names.map(name => [name, checks[`${name}:responseTime`]?.[0]]))
  return { statusCode, status: json['status'], seen, tookMs: performance.now() - startedAt }
}

function countCalls(vendors: Record<VendorName, Vendor>): number[] {
  return vendorNames.map(name => vendors[name].asked())
}

async function openWorld(t: Test) {
  const world = await startVendors(t)
  return { ...world, app: await testApp(t, { env: world.env }) }
}

t.test('each trouble of each vendor has its state, in time, at the cost of one call', async t => {
  const { app, secrets, vendors } = await openWorld(t)
  const expected: Readonly<Record<Trouble, { state: string; status: string; output?: RegExp }>> = {
    none: { state: 'up', status: 'pass' },
    slow: { state: 'slow', status: 'warn', output: /^answered after 1\d\d\d ms$/ },
    hanging: { state: 'down', status: 'fail', output: /^no answer within 2200 ms$/ },
    '401': { state: 'misconfigured', status: 'fail', output: /\(401\): is [A-Z_]+ / },
    '403': { state: 'misconfigured', status: 'warn', output: /\(403\)/ },
    '429': { state: 'up', status: 'warn', output: /^answered 429/ },
    '500': { state: 'down', status: 'fail', output: /^answered 500$/ },
    reset: { state: 'down', status: 'fail', output: /^no answer \([A-Z_]+\)$/ },
    garbage: { state: 'down', status: 'fail', output: /^answered 200 with something that is not its own$/ },
  }
  for (const [trouble, { output, state, status }] of Object.entries(expected)) {
    for (const name of vendorNames) vendors[name].trouble(trouble as Trouble)
    app.clock.advance(longMs)
    const before = countCalls(vendors)
    const { seen, status: whole, statusCode, tookMs } = await look(app)
    t.ok(tookMs < 2_500, `${trouble}: the whole answer took ${Math.round(tookMs)} ms`)
    t.equal(whole, status, trouble)
    t.equal(statusCode, status === 'fail' ? 503 : 200, trouble)
    t.match(seen['neon-database'], { state: 'up', status: 'pass' })
    for (const [index, name] of vendorNames.entries()) {
      const calls = vendors[name].asked() - (before[index] ?? 0)
      const result = seen[name]
      t.comment(
        `${trouble} | ${name} | ${result?.state} | ${result?.status} | ${result?.observedValue} ms | ${calls} | ${result?.output ?? ''}`,
      )
      // There a wrong key is 403, and what is optional only warns.
      const own = trouble === '403' && name === 'resend' ? 'fail' : status
      t.match(result, { state, status: own }, `${trouble}: ${name}`)
      t.equal(calls, 1, `${trouble}: ${name} is asked once`)
      if (output === undefined) t.equal(result?.output, undefined)
      else t.match(result?.output, output, `${trouble}: ${name}`)
    }
  }
  for (const line of app.logs().map(entry => JSON.stringify(entry))) {
    for (const secret of secrets) t.notMatch(line, secret)
  }
})

t.test(
  'when everything hangs at once, the database too, the answer comes within 2.5 seconds and names them',
  async t => {
    const { env, vendors } = await startVendors(t)
    const cable = await openCable(t, (await testDatabase(t)).url)
    const app = await testApp(t, { env: { ...env, DATABASE_URL: cable.url } })
    t.equal((await look(app)).status, 'pass')
    for (const name of vendorNames) vendors[name].trouble('hanging')
    cable.set('silent')
    app.clock.advance(longMs)
    const before = countCalls(vendors)
    const all = await Promise.all(Array.from({ length: 20 }, async () => await look(app)))
    for (const { seen, statusCode, tookMs } of all) {
      t.ok(tookMs < 2_500, `took ${Math.round(tookMs)} ms`)
      t.equal(statusCode, 503)
      t.ok(names.every(name => seen[name]?.status === 'fail' && seen[name].state === 'down'))
    }
    t.strictSame(
      countCalls(vendors).map((calls, index) => calls - (before[index] ?? 0)),
      [1, 1, 1, 1, 1, 1],
    )
    t.equal((await app.call('GET', '/livez')).statusCode, 200)
    cable.set('whole')
  },
)

t.test('what a job needs is critical: its failure fails the whole, any other warns', async t => {
  const { app, vendors } = await openWorld(t)
  for (const name of vendorNames) {
    vendors[name].trouble('500')
    app.clock.advance(longMs)
    const { seen, status, statusCode } = await look(app)
    t.equal(status, critical.includes(name) ? 'fail' : 'warn', name)
    t.equal(statusCode, critical.includes(name) ? 503 : 200, name)
    t.strictSame(
      names.filter(other => seen[other]?.status === 'fail'),
      [name],
      `${name} alone`,
    )
    t.equal((await app.call('GET', `/health/${name}`)).statusCode, 503, `${name} fails at its own address`)
    vendors[name].trouble('none')
  }
})

t.test('a hundred callers cause one call to each vendor, and nobody another one before its time', async t => {
  const { app, posthog, vendors } = await openWorld(t)
  const paths = ['/health?services=true', '/api/health?services=true', ...vendorNames.map(name => `/health/${name}`)]
  const ask = async (): Promise<void> => {
    const replies = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => await app.call('GET', paths[index % paths.length] ?? '')),
    )
    t.ok(replies.every(reply => reply.statusCode === 200))
  }
  await ask()
  t.strictSame(countCalls(vendors), [1, 1, 1, 1, 1, 1])
  for (const name of vendorNames)
    t.equal((await app.call('GET', `/health/${name}`)).headers['cache-control'], `private, max-age=${ttlSeconds[name]}`)

  // Nine tenths of a TTL is the least, eleven tenths the most.
  const countAfter = async (ms: number): Promise<number[]> => {
    app.clock.advance(ms)
    await ask()
    return countCalls(vendors)
  }
  t.strictSame(await countAfter(53_000), [1, 1, 1, 1, 1, 1])
  t.strictSame(await countAfter(14_000), [2, 1, 1, 1, 1, 1])
  t.strictSame(await countAfter(66_000), [3, 2, 2, 1, 1, 1])
  t.strictSame(await countAfter(200_000), [4, 3, 3, 2, 2, 2])
  t.equal(posthog.billed(), 0, 'and PostHog bills none of it')
})

t.test('who asks for peace gets it: it is up, and left alone until then', async t => {
  const { app, vendors } = await openWorld(t)
  for (const name of vendorNames) vendors[name].trouble('429')
  const first = await look(app)
  t.equal(first.statusCode, 200)
  t.match(first.seen, Object.fromEntries(vendorNames.map(name => [name, { state: 'up', status: 'warn' }])))

  for (const name of vendorNames) vendors[name].trouble('none')
  app.clock.advance(retryAfterSeconds * 1000 - 1)
  t.match((await look(app)).seen, {
    clerk: { status: 'warn' },
    posthog: { status: 'warn' },
    stripe: { status: 'pass' },
  })
  // Stripe says of no limit how long it lasts.
  t.strictSame(countCalls(vendors), [2, 1, 1, 1, 1, 1])
  app.clock.advance(1)
  t.equal((await look(app)).status, 'pass')
  t.strictSame(countCalls(vendors), [2, 2, 2, 2, 2, 2])
})

t.test(
  'what is not configured is disabled and asked nothing; the address of a stand-in does not switch it on',
  async t => {
    const { env, vendors } = await startVendors(t)
    const {
      CLERK_SECRET_KEY: _clerk,
      POSTHOG_KEY: _posthog,
      QSTASH_TOKEN: _qstash,
      RESEND_API_KEY: _resend,
      ...rest
    } = env
    const app = await testApp(t, { env: rest })
    const { seen, status } = await look(app)
    t.equal(status, 'pass')
    for (const name of ['qstash', 'clerk', 'resend', 'posthog'] as const) {
      t.match(seen[name], { state: 'disabled', status: 'pass', output: 'not configured' })
      t.equal(vendors[name].asked(), 0)
      const { json } = await app.call('GET', `/health/${name}`)
      t.strictSame(json, { status: 'pass', notes: ['disabled'], checks: { [name]: [{ status: 'pass' }] } })
    }
    t.match([seen['stripe'], seen['novu']], [{ state: 'up' }, { state: 'up' }])
  },
)

t.test('the services are named where somebody asks for another, at both addresses, to everybody', async t => {
  const { app } = await openWorld(t)
  for (const prefix of ['/health', '/api/health']) {
    for (const name of names) t.equal((await app.call('GET', `${prefix}/${name}`)).statusCode, 200, name)
    for (const name of ['better-stack', 'site', 'Stripe', '_list']) {
      const { json, statusCode } = await app.call('GET', `${prefix}/${name}`)
      t.equal(statusCode, 404)
      t.equal(json['message'], `no such service; there are ${names.join(', ')}`)
    }
  }
  const open = await app.call('GET', '/api/healthcheck?services=true')
  t.strictSame(open.json, {
    status: 'pass',
    checks: Object.fromEntries(names.map(name => [name, [{ status: 'pass' }]])),
  })
})

t.test('shallow answers ask no vendor anything', async t => {
  const { app, vendors } = await openWorld(t)
  for (const path of ['/livez', '/healthz', '/readyz', '/health', '/api/health', '/api/healthcheck']) {
    t.equal((await app.call('GET', path)).statusCode, 200)
    t.equal((await app.operate('GET', path)).statusCode, 200)
  }
  t.strictSame(countCalls(vendors), [0, 0, 0, 0, 0, 0])
})

t.test('no answer and no line of the log shows a key or an address, whatever a vendor says back', async t => {
  const { app, env, secrets, vendors } = await openWorld(t)
  const hidden = [...secrets, ...Object.values(env), publicUrl].map(text => text.replace(/^https?:\/\//, ''))
  const texts: string[] = []
  for (const trouble of ['none', '401', '403', '429', '500', 'reset', 'garbage'] as const) {
    for (const name of vendorNames) vendors[name].trouble(trouble)
    app.clock.advance(longMs)
    for (const path of ['/health?services=true', '/health', ...names.map(name => `/health/${name}`)]) {
      for (const { headers, text } of [await app.call('GET', path), await app.operate('GET', path)])
        texts.push(text, JSON.stringify(headers))
    }
  }
  const all = [...texts, ...app.logs().map(line => JSON.stringify(line))].join('\n')
  t.strictSame(
    hidden.filter(text => all.includes(text)),
    [],
  )
  const logged = app.logs().filter(line => line['msg'] === 'probe changed')
  t.equal(logged.length > vendorNames.length, true, 'changes are logged')
  t.notMatch(all, /eleva\.example|integrity|"kid"|amount/, 'nor what vendors answered')
})

t.test('a key of Resend is told apart: genuine with either access, wrong, and absent', async t => {
  const { env, resend } = await startVendors(t)
  const app = await testApp(t, { env })
  t.match((await look(app)).seen['resend'], { state: 'up', status: 'pass' }, 'sending alone')
  resend.setAccess('full')
  app.clock.advance(longMs)
  t.match((await look(app)).seen['resend'], { state: 'up', status: 'pass' })

  const other = await startResend({ apiKey: 're_another' })
  t.teardown(async () => await other.close())
  const mistaken = await testApp(t, { env: { ...env, RESEND_BASE_URL: other.url } })
  t.match((await look(mistaken)).seen['resend'], {
    state: 'misconfigured',
    output: 'refused our key (403): is RESEND_API_KEY right?',
  })
})

t.test('the README has the services, how they count and how often they are asked', async t => {
  const { app } = await openWorld(t)
  const served = await Promise.all(
    names.map(async name => {
      const age = /max-age=(\d+)/.exec(String((await app.call('GET', `/health/${name}`)).headers['cache-control']))?.[1]
      return [`\`${name}\``, critical.includes(name) ? 'critical' : 'warns', `${age} s`]
    }),
  )
  t.strictSame(
    readTable(readFileSync('README.md', 'utf8'), 'Service').map(([name, counts, , age]) => [name, counts, age]),
    served,
  )
})
