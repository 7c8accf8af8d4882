import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import {
  findFiles,
  findLines,
  layerOf,
  listImports,
  listLocalImports,
  listPackages,
  listVariablesRead,
  readAll,
  readTable,
} from './support/sources.ts'
import { listStripeBreaches } from './support/stripe-writes.ts'

interface Layer {
  /** What its files may import; a name that ends in a slash is a folder of src/. Its own folder is always allowed. */
  readonly may: readonly string[]
  /** What its files may import with `import type` only. */
  readonly asTypes?: readonly string[]
  readonly because: string
}

const edge = [
  'app.ts',
  'config.ts',
  'database/',
  'diagnostics/',
  'errors.ts',
  'health/',
  'jobs/',
  'notices/',
  'providers/',
  'provision/',
  'runner/',
]

/** Who may import whom. Imports go one way, so that each folder can be read, tested and changed without those above it. */
const layers: Readonly<Record<string, Layer>> = {
  'server.ts': { may: ['app.ts', 'config.ts'], because: 'an edge decides the outside world, and nothing imports it' },
  'cli/': {
    may: [...edge, 'money/', 'package.json'],
    because: 'an edge builds the app and does not listen; it adds no rule',
  },
  'sandbox/': { may: edge, because: 'an edge for demonstrations and tests; it stays outside of production' },
  'app.ts': {
    may: [
      'boot.ts',
      'wire-diagnostics.ts',
      'wire-health.ts',
      'wire-money.ts',
      'wire-notices.ts',
      'wire-schedules.ts',
      'wiring.ts',
      'package.json',
      'plugins/',
      'routes/',
      ...edge.filter(part => part !== 'app.ts'),
    ],
    because: 'the one place where parts meet knows all parts and no edge',
  },
  'wiring.ts': {
    may: ['providers/', 'runner/'],
    asTypes: ['config.ts', 'database/'],
    because: 'the second page of app.ts: it makes parts from a configuration, and decides nothing',
  },
  'wire-health.ts': {
    may: ['health/', 'providers/', 'runner/'],
    asTypes: ['config.ts', 'database/'],
    because: 'the page of app.ts that is about probes: which there are, how critical and how rare each is',
  },
  'wire-diagnostics.ts': {
    may: ['diagnostics/', 'package.json', 'providers/', 'provision/', 'runner/', 'wire-health.ts'],
    asTypes: ['config.ts', 'database/'],
    because: 'the page of app.ts that is about diagnostics: what each component asks, and where secrets end',
  },
  'wire-notices.ts': {
    may: ['notices/', 'providers/'],
    asTypes: ['config.ts', 'database/'],
    because: 'the page of app.ts that is about notices: the vendor, and who sends through it',
  },
  'wire-money.ts': {
    may: ['ledger/', 'providers/'],
    asTypes: ['config.ts', 'database/'],
    because: 'the one place that holds what writes to Stripe; it gives it to the ledger and to nobody else',
  },
  'wire-schedules.ts': {
    may: ['health/', 'providers/', 'provision/'],
    asTypes: ['config.ts', 'runner/'],
    because: 'the page of app.ts that is about schedules: it compares them, and changes none',
  },
  'boot.ts': {
    may: ['database/', 'errors.ts', 'time-limit.ts'],
    asTypes: ['providers/'],
    because: 'being ready is a question to the database alone',
  },
  'routes/': {
    may: ['database/', 'diagnostics/', 'errors.ts', 'health/', 'money/', 'plugins/', 'runner/'],
    because: 'a route translates HTTP; it knows no provider and no job',
  },
  'plugins/': {
    may: ['database/', 'errors.ts', 'providers/', 'runner/'],
    because: 'a plugin adapts one thing to Fastify, from options it is given',
  },
  'health/': {
    may: ['database/', 'errors.ts'],
    asTypes: ['providers/', 'provision/'],
    because: 'probes get what they ask as arguments, and know no route',
  },
  'diagnostics/': {
    may: ['database/', 'errors.ts', 'health/', 'notices/', 'provision/', 'runner/'],
    asTypes: ['providers/'],
    because:
      'what is wrong and what to do, for people: it asks, and changes nothing; the runner gets its words as an argument',
  },
  'provision/': {
    may: ['errors.ts', 'runner/', 'time-limit.ts'],
    asTypes: ['providers/'],
    because:
      'what there should be at vendors, compared with what there is, and applied: jobs and vendors are arguments',
  },
  'runner/': {
    may: ['database/', 'errors.ts', 'notices/'],
    asTypes: ['ledger/', 'providers/'],
    because: 'it gets jobs as data and vendors as arguments: no import of jobs/, no cycle',
  },
  'jobs/': {
    may: ['database/', 'errors.ts', 'facts/', 'money/', 'notices/', 'runner/', 'time-limit.ts'],
    asTypes: ['ledger/', 'providers/'],
    because: 'a job says what it does; the runner decides when, and what an outcome means',
  },
  'notices/': {
    may: ['database/', 'errors.ts', 'facts/', 'time-limit.ts'],
    asTypes: ['providers/'],
    because: 'what people are told, written down and sent: it gets vendors as arguments, and knows no job',
  },
  'facts/': {
    may: ['database/', 'errors.ts', 'time-limit.ts'],
    asTypes: ['money/', 'providers/'],
    because: 'it asks the vendor about many rows, bounded in number and time; it decides nothing and writes nothing',
  },
  'ledger/': {
    may: ['database/', 'errors.ts', 'money/', 'notices/'],
    asTypes: ['providers/'],
    because: 'the only code that moves money gets the vendor as an argument, and knows no job',
  },
  'money/': { may: [], because: 'rules that can be read and tested alone: facts go in, decisions come out' },
  'providers/': { may: ['errors.ts', 'time-limit.ts'], because: 'a provider knows its vendor, not the database' },
  'database/': {
    may: ['errors.ts', 'money/'],
    because:
      'queries know SQL, not the reason; the shape of what they find, and the times and lists of a rule that they ask by, are written once, in money/',
  },
  'config.ts': {
    may: ['config-readers.ts', 'config-vendors.ts'],
    because: 'it is read first, by everybody at the top',
  },
  'config-vendors.ts': { may: ['config-readers.ts'], because: 'the page of config.ts that is about vendors' },
  'config-readers.ts': { may: [], because: 'the second page of config.ts: how one variable is read and checked' },
  'errors.ts': { may: [], because: 'everybody may import it' },
  'time-limit.ts': { may: [], because: 'whoever waits for a vendor needs a limit that comes' },
}

/** Whole files by path from the root. */
const sources = readAll('src/**/*.ts')
const migrations = readAll('migrations/*.ts')
const tests = readAll('test/**/*.ts')
const production = sources.filter(({ file }) => !file.startsWith('src/sandbox/'))

t.test('the reader of imports sees every form there is', async t => {
  const text = `
import fastify, { type A } from 'fastify'
import type { B } from './b.ts'
import { type C, type D } from './c.ts'
import {
  e,
  type F,
} from './e.ts'
import './effect.ts'
import json from '../package.json' with { type: 'json' }
export { g } from './g.ts'
export * from './h.ts'
export const text = 'import nothing from here'
type Fetch = typeof import('undici').fetch
const late = await import('./late.ts')
`
  const seen = listImports({ file: 'x.ts', text })
    .map(({ target, typesOnly }) => `${target}${typesOnly ? ' (types)' : ''}`)
    .join(' ')

  t.equal(
    seen,
    'fastify ./b.ts (types) ./c.ts (types) ./e.ts ../package.json ./g.ts ./h.ts ./effect.ts undici (types) ./late.ts',
  )
})

t.test('the table knows every file and folder of src', async t => {
  t.strictSame([...new Set(sources.map(source => layerOf(source.file)))].toSorted(), Object.keys(layers).toSorted())
})

t.test('imports go one way', async t => {
  const wrong = sources.flatMap(source => {
    const from = layerOf(source.file)
    const { asTypes = [], because, may } = layers[from] ?? { may: [], because: 'the table does not know it' }
    return listLocalImports(source)
      .filter(({ file, typesOnly }) => {
        const to = layerOf(file)
        return to !== from && !may.includes(to) && !(typesOnly && asTypes.includes(to))
      })
      .map(({ file, typesOnly }) => `${source.file} imports ${file}${typesOnly ? ' (types)' : ''}: ${because}`)
  })
  t.strictSame(wrong, [])
})

t.test('CONTRIBUTING.md shows this table', async t => {
  const quote = (names: readonly string[]): string => names.map(name => `\`${name}\``).join(', ')
  const rows = Object.entries(layers).map(([from, { asTypes = [], because, may }]) => {
    const types = asTypes.length === 0 ? [] : [`${quote(asTypes)} as types`]
    return [`\`${from}\``, [quote(may) || 'nothing', ...types].join('; '), because]
  })
  t.strictSame(readTable(readFileSync('CONTRIBUTING.md', 'utf8'), 'From'), rows)
})

t.test('a job imports no other job, because a shared rule belongs to a folder of its own', async t => {
  const jobs = sources.filter(({ file }) => layerOf(file) === 'jobs/' && file !== 'src/jobs/index.ts')
  t.strictSame(
    findFiles(jobs, source => listLocalImports(source).some(({ file }) => layerOf(file) === 'jobs/')),
    [],
  )
})

t.test('a route only reads the database, so that a change is made in one place for HTTP and terminal', async t => {
  // tables.ts holds words and types, and no query.
  const reads = /^(?:find|list|count|read|get)[A-Z]/
  const wrong = sources
    .filter(({ file }) => layerOf(file) === 'routes/')
    .flatMap(({ file, text }) => {
      const names = [...text.matchAll(/^import \{([^}]*)\} from '\.\.\/database\/(?!tables\.ts)/gm)].flatMap(
        ([, list = '']) => list.split(',').map(name => name.trim()),
      )
      return names
        .filter(name => name !== '' && !name.startsWith('type ') && !reads.test(name))
        .map(name => `${file}: ${name}`)
    })
  t.strictSame(wrong, [])
})

t.test('a migration imports nothing of src, because it must mean the same in three years', async t => {
  t.strictSame(
    findFiles(migrations, source => listLocalImports(source).length > 0),
    [],
  )
})

t.test('vendor SDKs stay in providers: they are slow to load and their types must not spread', async t => {
  const sdks = ['@upstash/qstash', 'stripe']
  const outside = sources.filter(({ file }) => !['providers/', 'cli/', 'sandbox/'].includes(layerOf(file)))
  t.strictSame(
    findFiles(outside, source => listImports(source).some(({ target }) => sdks.includes(target))),
    [],
  )
})

t.test('nothing writes to Stripe, or could, past the ledger', async t => {
  t.strictSame(listStripeBreaches(sources), [])
})

t.test('each way around the ledger is found', async t => {
  const ways: readonly (readonly [file: string, text: string])[] = [
    ['src/jobs/x.ts', "import Stripe from 'stripe'"],
    ['src/jobs/x.ts', "import type { Stripe } from 'stripe'"],
    ['src/cli/x.ts', "const { Stripe } = await import('stripe')"],
    ['src/sandbox/demo.ts', "import { Stripe } from 'stripe'"],
    ['src/providers/stripe-client.ts', "import { Stripe } from 'stripe'"],
    ['src/providers/other.ts', "export * from './stripe-writes.ts'"],
    ['src/app.ts', "import { createStripe as make } from './providers/stripe.ts'"],
    ['src/routes/x.ts', "import { sendOperation } from '../ledger/send.ts'"],
    ['src/cli/x.ts', "import { createLedger } from '../ledger/create-ledger.ts'"],
    ['src/jobs/x.ts', 'import Stripe from "stripe"'],
    ['src/jobs/x.ts', 'const { Stripe } = await import(`stri${"pe"}`)'],
    ['src/cli/x.ts', 'const require = createRequire(import.meta.url)'],
    ['src/runner/x.ts', 'export interface More { readonly writes: PaymentWrites }'],
    ['src/wire-money.ts', '  return { payments, ledger, writes }'],
    ['src/wire-money.ts', '  const both = createStripe({ ...config.stripe, fetch })'],
    ['src/wire-money.ts', '  keep(writes)'],
    ['src/jobs/x.ts', '  await payments.createPayout(request, key, signal)'],
    ['src/jobs/x.ts', "  await fetch('https://api.stripe.com/', { method: 'POST' })"],
    ['src/jobs/x.ts', '  await fetch(`${url}/v1/transfers`, init)'],
    ['src/app.ts', '  const key = config.stripe.secretKey'],
    ['src/app.ts', "  const key = config['stripe'].secretKey"],
    ['src/wiring.ts', '  const { stripe } = config'],
  ]
  for (const [file, text] of ways)
    t.not(listStripeBreaches([{ file, text: `${text}\n` }]).length, 0, `${file}: ${text}`)
  const fine = [
    '  apply: async (effect, { ledger }) => await ledger.createPayout(effect, run),',
    '  // stripe takes a day, see https://api.stripe.com',
    '  await waitForDatabase({ live: config.stripe.live })',
  ]
  for (const text of fine) t.strictSame(listStripeBreaches([{ file: 'src/jobs/x.ts', text: `${text}\n` }]), [])
})

t.test('the environment is read in config.ts, where every problem is found at once', async t => {
  t.strictSame(findLines(sources, /\bprocess\.env\b/, ['config.ts']), [])
})

t.test('console is for people at a terminal; everything else logs lines with fields', async t => {
  t.strictSame(findLines([...sources, ...migrations], /\bconsole\.\w+\(/, ['cli/', 'sandbox/']), [])
})

t.test('time is given: nothing below app.ts reads the clock', async t => {
  const clockRead = /\bnew Date\(\s*\)|\bnew Date\b(?!\()|\bDate\.now\b|(?<!new )\bDate\(\)/
  t.strictSame(findLines(sources, clockRead, ['app.ts', 'server.ts', 'cli/', 'sandbox/']), [])
})

t.test('a limit of time is one of time-limit.ts: a signal made of others may lose its timeout', async t => {
  t.strictSame(findLines(sources, /\bAbortSignal\.any\(/, []), [])
})

t.test('default exports are for what Fastify registers; everything else has one name everywhere', async t => {
  t.strictSame(findLines([...sources, ...migrations], /^export default\b/, ['plugins/', 'routes/']), [])
})

t.test('there is no index.ts but the list of jobs, because barrels hide where things live', async t => {
  const indexes = sources.map(({ file }) => file).filter(file => path.basename(file) === 'index.ts')
  t.strictSame(indexes, ['src/jobs/index.ts'])
})

t.test('no file is longer than 250 lines', async t => {
  const long = sources.map(({ file, text }) => ({ file, lines: text.split('\n').length - 1 }))
  t.strictSame(
    long.filter(({ lines }) => lines > 250).map(({ file, lines }) => `${file}: ${lines} lines`),
    [],
  )
})

t.test('.env.example names exactly the variables that config.ts reads', async t => {
  const example = readFileSync('.env.example', 'utf8')
  const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name)
  t.strictSame(named.toSorted(), [...listVariablesRead()].toSorted())
})

const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>
const { dependencies = {}, devDependencies = {}, optionalDependencies = {}, scripts = {} } = packageJson

t.test('every npm script that a document names exists, and so does every file that a script runs', async t => {
  for (const document of ['README.md', 'CONTRIBUTING.md']) {
    const named = [...readFileSync(document, 'utf8').matchAll(/\bnpm run ([\w:]+)/g)].map(([, name = '']) => name)
    t.strictSame(new Set(named.filter(name => scripts[name] === undefined)), new Set(), document)
  }
  const files = Object.values(scripts).flatMap(script =>
    [...script.matchAll(/\bnode (\S+\.ts)/g)].map(([, file = '']) => file),
  )
  t.strictSame(
    files.filter(file => !existsSync(file)),
    [],
  )
})

t.test('every package is pinned exactly, so that two installations are the same', async t => {
  const ranges = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
  t.strictSame(
    ranges.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)),
    [],
  )
})

t.test('every package is used, and production uses only what its installation contains', async t => {
  // Run as programs, by scripts or by each other, rather than imported.
  const programs = ['@biomejs/biome', 'oxlint', 'oxlint-tsgolint', 'typescript', '@types/node']
  const used = new Set([...sources, ...tests, ...migrations].flatMap(listPackages))
  const unused = Object.keys({ ...dependencies, ...devDependencies }).filter(name => {
    const subject = name.replace(/^@types\//, '')
    return !used.has(subject) && !programs.includes(name)
  })
  t.strictSame(unused, [])

  const missing = [...production, ...migrations].flatMap(source =>
    listPackages(source)
      .filter(name => dependencies[name] === undefined)
      .map(name => `${source.file}: ${name}`),
  )
  t.strictSame(missing, [], 'nothing that only developers install')
})
