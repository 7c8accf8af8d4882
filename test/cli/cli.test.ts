import { sql } from 'kysely'
import t from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { cli, json, readJson, serviceEnv, spawned, start } from '../support/cli.ts'
import { emptyDatabase, isFullRun, testDatabase } from '../support/database.ts'

const names = jobs.map(job => job.name)

// Commands whose process matters have one of their own.
t.setTimeout(240_000)

t.test('help names every command, the environment, the exit codes and examples', async t => {
  const [help, run, none] = await Promise.all([spawned(t, ['--help']), cli(t, ['help', 'run']), spawned(t, [])])
  t.match(help, { code: 0, stderr: '' })
  const listed = [
    'jobs',
    'runs',
    'slots',
    'run',
    'pause',
    'resume',
    'findings',
    'operations',
    'approve',
    'migrate',
    'check',
  ]
  for (const name of listed) {
    t.match(help.stdout, new RegExp(`^ {2}${name} `, 'm'))
  }
  t.match(help.stdout, /Environment:[^]*DATABASE_URL[^]*NO_COLOR[^]*Exit codes:[^]*Examples:/)
  t.match(run, { code: 0, stderr: '' })
  for (const option of ['--dry-run', '--input', '--plan-hash', '--ping', '--as', '--json']) t.match(run.stdout, option)
  t.match(none, { code: 1, stdout: '', stderr: /Commands:/ })
})

t.test('an option that npm has kept for itself is missed before anything is done', async t => {
  const { db, url } = await testDatabase(t)
  const npm = (options: Record<string, string>) => ({ ...serviceEnv(url), npm_command: 'run', ...options })
  const run = ['run', 'process-tasks', '--as', 'ana']
  t.match(await cli(t, run, npm({ npm_config_dry_run: 'true', npm_config_json: 'true' })), {
    code: 1,
    stdout: '',
    stderr: /nothing was done, because npm kept --json and --dry-run for itself: put -- before all options/,
  })
  t.match(await cli(t, ['schedules', 'apply'], npm({ npm_config_plan_limit: '5' })), {
    code: 1,
    stderr: /--plan-limit/,
  })
  t.match(await cli(t, ['monitors', 'apply'], npm({ npm_config_policy: '' })), { code: 1, stderr: /--no-policy/ })
  t.same(await db.selectFrom('jobs.runs').selectAll().execute(), [])

  const harmless = { npm_config_json: '', npm_config_dry_run: '', npm_config_fail: 'true' }
  t.equal((await cli(t, ['runs'], npm(harmless))).code, 0, 'what is false, or no option of this command')
  t.equal((await cli(t, ['runs', '--json'], npm({ npm_config_json: 'true' }))).code, 0, 'it has arrived as well')
  const byNpx = { ...npm({ npm_config_json: 'true' }), npm_command: 'exec' }
  t.equal((await cli(t, ['runs'], byNpx)).code, 0, 'npm takes nothing of what `npm exec` starts')
})

t.test('a command line that is wrong is explained on stderr and ends with 1', async t => {
  const cases = [
    [['rnu'], /unknown command 'rnu'\n\(Did you mean run/],
    [['jobs', '--jsno'], /unknown option '--jsno'\n\(Did you mean --json/],
    [['jobs', 'keep-alive'], /too many arguments/],
    [['slots', '--days', '0'], /whole number from 1 to 400/],
    [['runs', '--limit', '201'], /whole number from 1 to 200/],
    [['runs', '--state', 'done'], /Allowed choices are running, succeeded/],
    [['runs', 'nonsense'], /A run id looks like/],
    [['run'], /missing required argument 'job'/],
    [['run', 'keep-alive', '--plan-hash', 'x'], /64 hexadecimal digits/],
    [['pause', 'keep-alive'], /required option '--reason <text>' not specified/],
    [['pause', 'keep-alive', '--reason', ' '], /1 to 500 characters/],
    [['run', 'keep-alive', '--input', '{'], /--input is no JSON/],
    [['run', 'keep-alive', '--input', '@/nowhere'], /cannot be read/],
    [['run', 'keep-alive', '--as', 'a b'], /--as must be/],
    [['run', 'keep-dead'], new RegExp(`no job keep-dead: known are ${names.join(', ')}`)],
    [['slots', '--job', 'keep-dead'], new RegExp(`known are ${names.join(', ')}`)],
    [['pause', 'keep-dead', '--reason', 'x'], /no job keep-dead/],
  ] as const
  for (const [args, stderr] of cases) {
    t.match(await cli(t, args), { code: 1, stdout: '', stderr }, args.join(' '))
  }
})

t.test('an older Node is told which one is needed', async t => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.19.0' } })`
  const { ended } = start(t, ['jobs'], {}, ['--import', `data:text/javascript,${encodeURIComponent(old)}`])
  t.match(await ended, { code: 1, stdout: '', stderr: /^Node 24 or newer is needed/ })
})

t.test('a configuration that is missing or broken is told whole, and shows no value', async t => {
  const broken = {
    DATABASE_URL: 'mysql://user:planted-password@127.0.0.1/x',
    APP_URL: 'http://planted.example',
    QSTASH_DEV: 'true',
    QSTASH_CURRENT_SIGNING_KEY: 'sig_planted',
    OPERATOR_TOKEN: 'planted',
    PORT: 'planted',
  }
  const told = [
    'DATABASE_URL',
    'PUBLIC_URL',
    'APP_URL',
    'QSTASH_DEV',
    'QSTASH_NEXT_SIGNING_KEY',
    'OPERATOR_TOKEN',
    'PORT',
  ]
  const [run, runs, check, asJson, failure] = await Promise.all([
    spawned(t, ['run', 'process-tasks'], broken),
    cli(t, ['runs'], broken),
    cli(t, ['check'], broken),
    json(t, ['check'], broken),
    json(t, ['runs'], broken),
  ])
  t.match(run, { code: 1, stdout: '', stderr: /the configuration has \d+ problems \(.*\bPUBLIC_URL\b.*\):\n/ })
  for (const variable of told) t.match(run.stderr, `- ${variable} `)
  t.match(runs, { code: 1, stdout: '', stderr: 'the configuration has a problem: DATABASE_URL is no postgres://' })
  t.equal(check.code, 1)
  for (const variable of told) t.match(check.stdout, new RegExp(`^fail +configuration +${variable} `, 'm'))
  t.match(check.stdout, /^fail +database +not asked/m)
  t.match(asJson, { code: 1, document: { ok: false } })
  t.match(failure, { code: 1, document: { error: /DATABASE_URL is no postgres/ } })
})

t.test('jobs are listed without configuration and database, and what they would tell is unknown', async t => {
  const [plain, listed] = await Promise.all([cli(t, ['jobs']), json(t, ['jobs'], {})])
  t.match(plain, { code: 0, stderr: /heartbeats are unknown[^]*paused is unknown/ })
  for (const name of names) t.match(plain.stdout, new RegExp(`^${name} .*unknown +unknown$`, 'm'))
  const unknown = { paused: null, heartbeat: { configured: null } }
  t.match(listed, { code: 0, document: { jobs: names.map(name => ({ name, ...unknown })) } })
})

t.test('a database that cannot be used is one line with advice', async t => {
  const { url } = await emptyDatabase(t)
  const gone = new URL(url)
  gone.pathname = '/nowhere'
  const closed = 'postgres://planted-user:planted-password@127.0.0.1:9/x'
  const cases = [
    [['runs'], { DATABASE_URL: closed }, /^eleva-jobs: the database cannot be reached \(ECONNREFUSED\): check .+\n$/],
    [['migrate'], { DATABASE_URL: closed }, /^eleva-jobs: the database cannot be reached .+\n$/],
    [['slots'], { DATABASE_URL: gone.href }, /^eleva-jobs: .+ \(3D000\): there is no database .+\n$/],
    [['run', 'process-tasks'], serviceEnv(gone.href), /^eleva-jobs: .+ \(3D000\): there is no database .+\n$/],
    [
      ['runs'],
      { DATABASE_URL: url },
      /^eleva-jobs: the database is behind this build .+0001_runs.+npm run migrate`\n$/,
    ],
    [['run', 'process-tasks'], serviceEnv(url), /^eleva-jobs: the database is behind this build .+\n$/],
  ] as const
  for (const [args, env, stderr] of cases) {
    t.match(await cli(t, args, env), { code: 1, stdout: '', stderr }, args.join(' '))
  }
  t.match(await spawned(t, ['jobs'], { DATABASE_URL: closed }), {
    code: 0,
    stderr: /paused is unknown: .*ECONNREFUSED/,
  })
})

t.test('a run gives up waiting for the database after ten seconds', { skip: !isFullRun }, async t => {
  const startedAt = performance.now()
  const env = serviceEnv('postgres://planted-user:planted-password@127.0.0.1:9/x')
  t.match(await cli(t, ['run', 'process-tasks'], env), { code: 1, stderr: /^eleva-jobs: .+ECONNREFUSED.+\n$/ })
  const seconds = (performance.now() - startedAt) / 1000
  t.ok(seconds > 8 && seconds < 20, `${seconds} s`)
})

t.test('migrate applies once, and a dry run tells what is pending and changes nothing', async t => {
  const { url } = await emptyDatabase(t)
  const env = { DATABASE_URL: url }
  const before = await cli(t, ['migrate', '--dry-run'], env)
  t.match(before, { code: 2, stdout: /^pending 0001_runs$/m })
  t.match(await json(t, ['migrate', '--dry-run'], env), { code: 2, document: { applied: [], pending: ['0001_runs'] } })
  const both = await Promise.all([spawned(t, ['migrate'], env), spawned(t, ['migrate'], env)])
  t.same(
    both.map(({ code }) => code),
    [0, 0],
    'two machines at once',
  )
  const applied = both.flatMap(({ stdout }) => stdout.match(/^applied \S+$/gm) ?? [])
  t.same(applied, before.stdout.trimEnd().replaceAll('pending', 'applied').split('\n'), 'each migration once')
  t.match(await cli(t, ['migrate'], env), { code: 0, stdout: 'nothing to do: the database is up to date\n' })
  t.match(await json(t, ['migrate', '--dry-run'], env), { code: 0, document: { applied: [], pending: [], newer: [] } })
})

t.test('a migration that fails says why, shows no secret and leaves nothing behind', async t => {
  const { db, url } = await emptyDatabase(t)
  await sql`create function refuse() returns event_trigger language plpgsql as $$
    begin raise exception 'no tables today, says postgres://ana:planted-password@db.example/x'; end $$`.execute(db)
  await sql`create event trigger refuse on ddl_command_start when tag in ('CREATE INDEX') execute function refuse()`.execute(
    db,
  )
  const env = { DATABASE_URL: url }
  const failed = await cli(t, ['migrate'], env)
  t.match(failed, { code: 1, stdout: '', stderr: /0001_runs failed and left nothing behind: no tables today, says / })
  t.match(await cli(t, ['migrate', '--dry-run'], env), { code: 2, stdout: /^pending 0001_runs$/m })
})

t.test('check passes a whole environment, warns of silent jobs, and fails a schema that does not fit', async t => {
  const { db, url } = await testDatabase(t)
  const good = readJson(await spawned(t, ['check', '--json'], serviceEnv(url)))
  t.match(good, { code: 0, document: { ok: true } })
  const checks = good.document['checks'] as unknown as { check: string; status: string; message: string }[]
  const statuses = (name: string) => checks.filter(({ check }) => check === name).map(({ status }) => status)
  t.same(['configuration', 'database', 'migrations'].flatMap(statuses), ['ok', 'ok', 'ok'])
  const silent = checks.filter(({ check, status }) => check === 'heartbeat' && status === 'warn')
  t.equal(silent.length, names.length - 1, 'all but the one that is configured')

  await db.schema.dropTable('blocked_dates').cascade().execute()
  const unfit = await cli(t, ['check'], serviceEnv(url))
  t.match(unfit, { code: 1, stdout: /^fail +marketplace .*blocked_dates/m })
  const empty = await emptyDatabase(t)
  t.match(await cli(t, ['check'], serviceEnv(empty.url)), {
    code: 1,
    stdout: /^fail +migrations +not applied: 0001_runs/m,
  })
})
