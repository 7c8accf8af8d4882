import fc from 'fast-check'
import t from 'tap'
import { type Config, ConfigError, type Environment, heartbeatVariables, loadConfig } from '../src/config.ts'

const strongToken = '8f2c1d7e94ab60f35c1e7d08b2a94f6e'
/** A production environment with nothing to complain of. */
const sound = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://jobs:secret@db.example.com/eleva?sslmode=require',
  PUBLIC_URL: 'https://jobs.example.com',
  APP_URL: 'https://www.example.com',
  QSTASH_CURRENT_SIGNING_KEY: 'sig_FAKEcurrentKeyOfThisTest0001',
  QSTASH_NEXT_SIGNING_KEY: 'sig_FAKEnextKeyOfThisTestAAA0002',
  OPERATOR_TOKEN: strongToken,
  STRIPE_SECRET_KEY: 'sk_test_ofThisTest',
  NOVU_SECRET_KEY: 'novu-key-of-this-test',
} satisfies Environment
const addresses = [
  'QSTASH_URL',
  'CLERK_API_URL',
  'NOVU_BASE_URL',
  'STRIPE_API_BASE_URL',
  'BETTERSTACK_API_BASE_URL',
  'RESEND_BASE_URL',
  'POSTHOG_HOST',
  'PUBLIC_URL',
  'APP_URL',
  ...heartbeatVariables,
]

function load(changes: Environment = {}): Config {
  return loadConfig({ ...sound, ...changes })
}

function problemsOf(changes: Environment): readonly string[] {
  try {
    load(changes)
    return []
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems
    throw thrown
  }
}

t.test('an environment with the required variables alone is enough, and the rest has defaults', async t => {
  const config = load()

  t.match(config, {
    mode: 'production',
    preview: false,
    host: '0.0.0.0',
    port: 10_000,
    logLevel: 'info',
    databaseUrl: sound.DATABASE_URL,
    publicUrl: 'https://jobs.example.com',
    appUrl: 'https://www.example.com',
    qstash: { url: 'https://qstash.upstash.io', token: undefined },
    cronSecret: undefined,
    operators: [{ name: 'operator', token: strongToken }],
    novu: { url: 'https://api.novu.co', secretKey: sound.NOVU_SECRET_KEY, adminSubscriberId: undefined },
    clerk: undefined,
    betterStack: { url: 'https://uptime.betterstack.com', token: undefined },
    resend: undefined,
    posthog: undefined,
    webhookSecrets: { stripe: undefined, stripeConnect: undefined, stripeIdentity: undefined, clerk: undefined },
    stripe: { secretKey: sound.STRIPE_SECRET_KEY, live: false, url: undefined },
    money: { maxSingleCents: 200_000, maxTotalCents: 2_000_000, since: undefined },
    leaseMs: 30_000,
    drainMs: 90_000,
  })
  t.equal(config.heartbeats.size, 0)
})

t.test('everything that is set is taken', async t => {
  const config = load({
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'debug',
    QSTASH_URL: 'http://127.0.0.1:8080',
    QSTASH_TOKEN: 'qstash-token',
    CRON_SECRET: '0123456789abcdef',
    CLERK_SECRET_KEY: 'sk_test_clerk',
    NOVU_BASE_URL: 'https://eu.api.novu.co/',
    NOVU_ADMIN_SUBSCRIBER_ID: 'admin_1',
    STRIPE_API_BASE_URL: 'http://127.0.0.1:8081/',
    STRIPE_WEBHOOK_SECRET: 'whsec_one',
    STRIPE_CONNECT_WEBHOOK_SECRET: 'whsec_two',
    STRIPE_IDENTITY_WEBHOOK_SECRET: 'whsec_three',
    CLERK_WEBHOOK_SIGNING_SECRET: 'whsec_four',
    BETTERSTACK_API_TOKEN: 'better-stack-token',
    BETTERSTACK_API_BASE_URL: 'http://127.0.0.1:8082/',
    RESEND_API_KEY: 're_key',
    RESEND_BASE_URL: 'http://127.0.0.1:8083',
    POSTHOG_KEY: 'phc_key',
    POSTHOG_HOST: 'https://eu.i.posthog.com/',
    MONEY_MAX_SINGLE: '0',
    MONEY_MAX_TOTAL: '500',
    MONEY_SINCE: '2026-03-01',
    LEASE_SECONDS: '2',
    DRAIN_SECONDS: '0',
    IS_PULL_REQUEST: 'true',
    RENDER_GIT_COMMIT: 'abc123',
    RENDER_INSTANCE_ID: 'srv-1',
  })

  t.match(config, {
    preview: true,
    release: 'abc123',
    instance: 'srv-1',
    host: '127.0.0.1',
    port: 0,
    logLevel: 'debug',
    qstash: { url: 'http://127.0.0.1:8080', token: 'qstash-token' },
    cronSecret: '0123456789abcdef',
    clerk: { url: 'https://api.clerk.com', secretKey: 'sk_test_clerk' },
    novu: { url: 'https://eu.api.novu.co', secretKey: sound.NOVU_SECRET_KEY, adminSubscriberId: 'admin_1' },
    stripe: { secretKey: sound.STRIPE_SECRET_KEY, live: false, url: 'http://127.0.0.1:8081' },
    webhookSecrets: {
      stripe: 'whsec_one',
      stripeConnect: 'whsec_two',
      stripeIdentity: 'whsec_three',
      clerk: 'whsec_four',
    },
    betterStack: { url: 'http://127.0.0.1:8082', token: 'better-stack-token' },
    resend: { url: 'http://127.0.0.1:8083', apiKey: 're_key' },
    posthog: { url: 'https://eu.i.posthog.com', key: 'phc_key' },
    money: { maxSingleCents: 0, maxTotalCents: 500, since: new Date('2026-03-01T00:00:00Z') },
    leaseMs: 2_000,
    drainMs: 0,
  })
})

t.test('every problem is reported at once, a missing variable with what to do about it', async t => {
  const problems = problemsOf({
    DATABASE_URL: undefined,
    PUBLIC_URL: '  ',
    APP_URL: '',
    QSTASH_CURRENT_SIGNING_KEY: undefined,
    QSTASH_NEXT_SIGNING_KEY: undefined,
    OPERATOR_TOKEN: undefined,
    STRIPE_SECRET_KEY: undefined,
    NOVU_SECRET_KEY: undefined,
    MONEY_SINCE: 'yesterday',
    MONEY_MAX_SINGLE: '-1',
    MONEY_MAX_TOTAL: '10.5',
    PORT: 'eighty',
    LOG_LEVEL: 'loud',
    LEASE_SECONDS: '1',
    DRAIN_SECONDS: '291',
    CLERK_API_URL: 'ftp://clerk.example.com',
    BETTERSTACK_API_BASE_URL: 'uptime.betterstack.com',
    RESEND_BASE_URL: 'http://resend.example.com',
    POSTHOG_HOST: 'https://eu.i.posthog.com/?key=x',
    QSTASH_DEV: 'false',
  })

  t.strictSame(
    problems.map(problem => problem.split(' ')[0]),
    [
      'PORT',
      'LOG_LEVEL',
      'LEASE_SECONDS',
      'DRAIN_SECONDS',
      'DATABASE_URL',
      'PUBLIC_URL',
      'APP_URL',
      'QSTASH_DEV',
      'QSTASH_CURRENT_SIGNING_KEY',
      'QSTASH_NEXT_SIGNING_KEY',
      'STRIPE_SECRET_KEY',
      'NOVU_SECRET_KEY',
      'CLERK_API_URL',
      'BETTERSTACK_API_BASE_URL',
      'RESEND_BASE_URL',
      'POSTHOG_HOST',
      'OPERATOR_TOKEN',
      'MONEY_MAX_SINGLE',
      'MONEY_MAX_TOTAL',
      'MONEY_SINCE',
    ],
  )
  for (const problem of problems.filter(text => text.includes('is missing'))) t.match(problem, /is missing: .{10,}/)
  t.match(new ConfigError(problems).message, /20 problems \(PORT, .*\):\n {2}- PORT/, 'and the message lists them')
})

t.test('anything that is not development or test is production', async t => {
  for (const NODE_ENV of [undefined, '', 'prod', 'staging', 'Development']) {
    t.equal(load({ NODE_ENV }).mode, 'production', `NODE_ENV=${NODE_ENV}`)
  }
  for (const NODE_ENV of ['development', 'test']) t.equal(load({ NODE_ENV }).mode, NODE_ENV)
})

t.test('production refuses QSTASH_DEV and each public development key, on either side', async t => {
  const publicKeys = [
    'sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r',
    'sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs',
    'sig_7GVPjvuwsfqF65iC8fSrs1dfYruM',
    'sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua',
    'sig_6jWGaWRxHsw4vMSPJprXadyvrybF',
    'sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx',
    'sig_5T8FcSsynBjn9mMLBsXhpacRovJf',
    'sig_7GFR4YaDshFcqsxWRZpRB161jguD',
  ]

  for (const name of ['QSTASH_CURRENT_SIGNING_KEY', 'QSTASH_NEXT_SIGNING_KEY']) {
    for (const [index, key] of publicKeys.entries()) {
      t.match(problemsOf({ [name]: key }), [new RegExp(`^${name} is a key of the public`)], `${name}, key ${index + 1}`)
      t.strictSame(problemsOf({ [name]: key, NODE_ENV: 'development' }), [])
    }
  }
  for (const QSTASH_DEV of ['true', '1', 'false']) t.match(problemsOf({ QSTASH_DEV }), [/^QSTASH_DEV is set/])
  t.strictSame(problemsOf({ QSTASH_DEV: 'true', NODE_ENV: 'development' }), [])
})

t.test('every address must be https, or plain http on loopback, and nothing but an address', async t => {
  const refused = [
    'http://vendor.example.com',
    'http://10.0.0.5:8080',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1@example.com',
    'ftp://vendor.example.com',
    'https://user:password@vendor.example.com',
    'https://vendor.example.com/?to=elsewhere',
    'https://vendor.example.com/#part',
    'vendor.example.com/path',
  ]
  const accepted = ['https://vendor.example.com', 'http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]']
  const withPath = 'https://vendor.example.com/path'
  // A heartbeat is at its vendor alone.
  const at = (name: string, value: string): string =>
    name.endsWith('_HEARTBEAT') ? value.replace('vendor.example.com', 'uptime.betterstack.com') : value

  for (const name of addresses) {
    for (const value of refused) t.match(problemsOf({ [name]: value }), [new RegExp(`^${name} `)], `${name}=${value}`)
    for (const value of accepted) t.strictSame(problemsOf({ [name]: at(name, value) }), [], `${name}=${value}`)
    if (name !== 'STRIPE_API_BASE_URL')
      t.strictSame(problemsOf({ [name]: at(name, withPath) }), [], `${name} with a path`)
  }
  // The SDK takes scheme, host and port: a path would be dropped without a word.
  t.match(problemsOf({ STRIPE_API_BASE_URL: withPath }), [/^STRIPE_API_BASE_URL must have no path/])
  t.match(problemsOf({ DATABASE_URL: 'mysql://db.example.com/eleva' }), [/^DATABASE_URL is no postgres/])
})

t.test('slashes at the end of an address are dropped', async t => {
  const config = load({ PUBLIC_URL: 'https://jobs.example.com//', APP_URL: 'https://www.example.com/site/' })

  t.equal(config.publicUrl, 'https://jobs.example.com')
  t.equal(config.appUrl, 'https://www.example.com/site')
})

t.test("the platform's own address stands in for PUBLIC_URL, and is checked as well", async t => {
  const RENDER_EXTERNAL_URL = 'https://eleva-jobs.onrender.com'

  t.equal(load({ PUBLIC_URL: undefined, RENDER_EXTERNAL_URL }).publicUrl, RENDER_EXTERNAL_URL)
  t.equal(load({ RENDER_EXTERNAL_URL }).publicUrl, sound.PUBLIC_URL, 'PUBLIC_URL wins')
  t.match(problemsOf({ PUBLIC_URL: undefined, RENDER_EXTERNAL_URL: 'http://elsewhere.example.com' }), [/^PUBLIC_URL/])
})

t.test('production refuses secrets that are short or hardly vary', async t => {
  for (const OPERATOR_TOKEN of ['letmein', 'a'.repeat(64), 'abcabcabcabcabcabcabcabcabc', strongToken.slice(0, 23)]) {
    t.match(problemsOf({ OPERATOR_TOKEN }), [/^OPERATOR_TOKEN is too easy to guess/], OPERATOR_TOKEN)
    t.strictSame(problemsOf({ OPERATOR_TOKEN, NODE_ENV: 'development' }), [])
  }
  for (const CRON_SECRET of ['cron', '0'.repeat(40), strongToken.slice(0, 15)]) {
    t.match(problemsOf({ CRON_SECRET }), [/^CRON_SECRET is too easy to guess/], CRON_SECRET)
    t.strictSame(problemsOf({ CRON_SECRET, NODE_ENV: 'development' }), [])
  }
})

t.test('operators are one token or name:token pairs', async t => {
  const other = strongToken.split('').toReversed().join('')

  t.strictSame(load({ OPERATOR_TOKEN: `ana:${strongToken}, rui@eleva:${other}` }).operators, [
    { name: 'ana', token: strongToken },
    { name: 'rui@eleva', token: other },
  ])
  t.match(problemsOf({ OPERATOR_TOKEN: `ana:${strongToken},ana:${other}` }), [/names an operator twice/])
  t.match(problemsOf({ OPERATOR_TOKEN: `${strongToken},${other}` }), [/names an operator twice/])
  t.match(problemsOf({ OPERATOR_TOKEN: `ana:${strongToken},rui:${strongToken}` }), [/the same token/])
  t.match(problemsOf({ OPERATOR_TOKEN: `ana maria:${strongToken}` }), [/whose name is not/])
  t.match(problemsOf({ OPERATOR_TOKEN: `ana:${strongToken},rui:` }), [/entry 2, has an empty token/])
  t.match(problemsOf({ OPERATOR_TOKEN: `ana:${strongToken},rui:weak` }), [/entry 2, is too easy to guess/])
  t.match(problemsOf({ OPERATOR_TOKEN: ',' }), [/whose name|twice|same token|empty token/])
})

t.test('a heartbeat is a whole address or its bare token', async t => {
  const config = load({
    BETTERSTACK_KEEP_ALIVE_HEARTBEAT: 'aBc123-_XyZ',
    BETTERSTACK_TASKS_HEARTBEAT: 'https://uptime.betterstack.com/api/v1/heartbeat/other',
  })

  t.strictSame(Object.fromEntries(config.heartbeats), {
    BETTERSTACK_KEEP_ALIVE_HEARTBEAT: 'https://uptime.betterstack.com/api/v1/heartbeat/aBc123-_XyZ',
    BETTERSTACK_TASKS_HEARTBEAT: 'https://uptime.betterstack.com/api/v1/heartbeat/other',
  })
})

t.test("a heartbeat is at one of Better Stack's addresses in production, or on loopback", async t => {
  for (const host of ['uptime.betterstack.com', 'betteruptime.com', 'incidents.betterstack.com', '127.0.0.1:81']) {
    const address = `https://${host}/api/v1/heartbeat/token`
    t.equal(load({ BETTERSTACK_TASKS_HEARTBEAT: address }).heartbeats.get('BETTERSTACK_TASKS_HEARTBEAT'), address)
  }
  for (const host of ['evil.example.com', 'betterstack.com', 'uptime.betterstack.com.example.com']) {
    t.match(problemsOf({ BETTERSTACK_TASKS_HEARTBEAT: `https://${host}/api/v1/heartbeat/token` }), [
      /^BETTERSTACK_TASKS_HEARTBEAT must be at uptime\.betterstack\.com, /,
    ])
    t.strictSame(problemsOf({ BETTERSTACK_TASKS_HEARTBEAT: `https://${host}/x`, NODE_ENV: 'test' }), [])
  }
})

t.test('the key of Stripe is a secret or restricted one, and a live one talks to Stripe alone', async t => {
  const url = 'http://127.0.0.1:8081'
  for (const [prefix, live] of Object.entries({ sk_test: false, rk_test: false, sk_live: true, rk_live: true })) {
    const STRIPE_SECRET_KEY = `${prefix}_51Hx`
    t.match(load({ STRIPE_SECRET_KEY }).stripe, { secretKey: STRIPE_SECRET_KEY, live, url: undefined })
    for (const NODE_ENV of ['production', 'development', 'test']) {
      const problems = problemsOf({ STRIPE_SECRET_KEY, STRIPE_API_BASE_URL: url, NODE_ENV })
      t.match(problems, live ? [/^STRIPE_API_BASE_URL is set while STRIPE_SECRET_KEY is a live key/] : [])
      t.equal(problems.length, live ? 1 : 0, `${prefix} in ${NODE_ENV}`)
    }
  }
  for (const STRIPE_SECRET_KEY of [
    'pk_live_51Hx',
    'whsec_51Hx',
    'sk_51Hx',
    'sk_live_',
    'sk_test_51 Hx',
    ' x sk_test_1',
  ]) {
    t.match(problemsOf({ STRIPE_SECRET_KEY }), [/^STRIPE_SECRET_KEY is no secret or restricted key/], STRIPE_SECRET_KEY)
  }
  t.match(problemsOf({ STRIPE_SECRET_KEY: 'sk_test_changeMe' }), [/^STRIPE_SECRET_KEY is the one of .env.example/])
})

t.test('MONEY_SINCE means one moment, wherever it is read', async t => {
  const moments = {
    '2026-03-01': '2026-03-01T00:00:00.000Z',
    '2026-03-01T09:30Z': '2026-03-01T09:30:00.000Z',
    '2026-03-01T09:30:15+01:00': '2026-03-01T08:30:15.000Z',
    '2028-02-29T00:00:00.123Z': '2028-02-29T00:00:00.123Z',
  }
  for (const [MONEY_SINCE, moment] of Object.entries(moments)) {
    t.equal(load({ MONEY_SINCE }).money.since?.toISOString(), moment)
  }
  const none = [
    '2026-02-29',
    '2026-02-31T00:00:00Z',
    '2026-13-01',
    '2026-03-01T25:00Z',
    '2026-03-01T09:30',
    '1772000000',
  ]
  for (const MONEY_SINCE of [...none, '01.03.2026', '2026-03-01 09:30Z']) {
    t.match(problemsOf({ MONEY_SINCE }), [/^MONEY_SINCE must be a date/], MONEY_SINCE)
  }
})

t.test('no message shows a value, whatever is planted and wherever', async t => {
  const others =
    'RENDER_EXTERNAL_URL QSTASH_DEV QSTASH_TOKEN CRON_SECRET CLERK_SECRET_KEY NOVU_ADMIN_SUBSCRIBER_ID HOST PORT LOG_LEVEL MONEY_SINCE'
  const vendors =
    'STRIPE_WEBHOOK_SECRET STRIPE_CONNECT_WEBHOOK_SECRET STRIPE_IDENTITY_WEBHOOK_SECRET CLERK_WEBHOOK_SIGNING_SECRET BETTERSTACK_API_TOKEN RESEND_API_KEY POSTHOG_KEY'
  const numbers = 'LEASE_SECONDS DRAIN_SECONDS MONEY_MAX_SINGLE MONEY_MAX_TOTAL'
  const required = Object.keys(sound).filter(name => name !== 'NODE_ENV')
  const names = [...required, ...addresses, ...others.split(' '), ...vendors.split(' '), ...numbers.split(' ')]
  const secret = fc.bigInt({ min: 2n ** 60n, max: 2n ** 160n }).map(value => value.toString(16))
  const shape = fc.constantFrom<(value: string) => string>(
    value => value,
    value => ` ${value}\n`,
    value => `${value}:`,
    value => `${value}:name`,
    value => `name:${value}`,
    value => `${value}:name,${value}:other,,name:${value}`,
    value => `http://${value}.example.com`,
    value => `https://user:${value}@example.com/`,
    value => `https://example.com/${value}?key=${value}`,
    value => `postgres://user:${value}@[broken/db`,
    value => `mysql://user:${value}@db/eleva`,
    value => `https://[${value}`,
  )
  const environment = fc.record(Object.fromEntries(names.map(name => [name, shape])), { requiredKeys: [] })
  const mode = fc.constantFrom('production', 'development')

  const property = fc.property(secret, environment, mode, (value, shapes, NODE_ENV) => {
    const planted = Object.fromEntries(Object.entries(shapes).map(([name, toValue]) => [name, toValue?.(value)]))
    return !describeProblems({ ...planted, NODE_ENV }).includes(value)
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2_000 }))
})

/** Everything that somebody might print of a configuration that was refused. */
function describeProblems(changes: Environment): string {
  try {
    load(changes)
    return ''
  } catch (thrown) {
    if (thrown instanceof ConfigError) return `${thrown.message} ${thrown.stack} ${JSON.stringify(thrown)}`
    throw thrown
  }
}
