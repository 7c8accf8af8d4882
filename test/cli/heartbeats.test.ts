import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'
import { cli, type Env, json } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'
import { owePing } from '../support/pings.ts'

const run = promisify(execFile)
const apiToken = 'planted-betterstack-token'

t.setTimeout(120_000)

/** Better Stack with everything that has to be there, and the environment that it was handed over to. */
async function open(t: Test) {
  let now = new Date('2026-10-01T12:00:00Z')
  const standIn = await startBetterStack({ apiToken, clock: () => now })
  t.teardown(standIn.close)
  const access: Env = {
    BETTERSTACK_API_TOKEN: apiToken,
    BETTERSTACK_API_BASE_URL: standIn.url,
    PUBLIC_URL: 'https://jobs.example.test',
    OPERATOR_TOKEN: 'betterstack:planted-operator-token-0123',
  }
  const { document } = await json(t, ['monitors', 'apply', '--print'], access)
  const addresses = (document as unknown as { heartbeats: Record<string, string> }).heartbeats
  const heartbeats = (): { name: string; item: ReturnType<typeof standIn.add> }[] =>
    standIn.items('heartbeats').map(item => ({ name: String(item.attributes['name']), item }))
  return {
    standIn,
    access,
    env: { ...access, ...addresses },
    get: (job: string) => {
      const found = heartbeats().find(({ name }) => name === `[jobs] ${job}`)
      if (found === undefined) throw new Error(`there is no heartbeat of ${job}`)
      return found.item
    },
    advance: (ms: number) => {
      now = new Date(now.getTime() + ms)
    },
  }
}

t.test('heartbeats are checked, tested and checked again', async t => {
  const { access, advance, env, get, standIn } = await open(t)
  const missing = await cli(t, ['heartbeats', 'check'], access)
  t.equal(missing.code, 1)
  t.match(missing.stdout, /^wrong +process-tasks +pending +not configured: set BETTERSTACK_TASKS_HEARTBEAT/m)

  const fresh = await cli(t, ['heartbeats', 'check'], env)
  t.equal(fresh.code, 1)
  t.match(fresh.stdout, /^wrong +process-tasks +pending +never pinged/m)
  t.match(fresh.stdout, new RegExp(`^${jobs.length} of ${jobs.length} are not`, 'm'))

  const tested = await cli(t, ['heartbeats', 'test'], env)
  t.equal(tested.code, 0)
  t.equal(standIn.pings().length, jobs.length)
  t.match(await cli(t, ['heartbeats', 'check'], env), { code: 0, stdout: /^all heartbeats are as they should be$/m })

  const fail = ['heartbeats', 'test', '--fail', '--job', 'process-tasks']
  t.match(await cli(t, fail, env), { code: 1, stderr: /alerts people about 1 job: say --yes/ })
  t.match(await cli(t, [...fail, '--yes'], { ...env, IS_PULL_REQUEST: 'true' }), {
    code: 1,
    stderr: /this is a preview/,
  })
  t.equal(standIn.pings().length, jobs.length, 'nobody is alerted by mistake')
  t.match(await cli(t, [...fail, '--yes'], env), { code: 0, stderr: /incident/ })
  t.match(standIn.pings().at(-1), { kind: 'fail', method: 'POST', body: /a test by a person.*nothing is wrong/ })
  standIn.change(get('keep-alive'), { period: 60, grace: 30 })
  standIn.change(get('send-payment-reminders'), { paused: true })
  advance(1_000)
  const drifted = await json(t, ['heartbeats', 'check'], env)
  t.equal(drifted.code, 1)
  const checks = (drifted.document as unknown as { heartbeats: { job: string; problems: string[]; notes: string[] }[] })
    .heartbeats
  const of = (job: string) => checks.find(check => check.job === job)
  t.match(of('process-tasks')?.problems, [/^down/])
  t.match(of('keep-alive')?.problems, ['period is 60 s and should be 600 s', 'grace is 30 s and should be 300 s'])
  t.match(of('send-payment-reminders'), { problems: [], notes: [/^paused/] })
  t.notMatch(JSON.stringify(drifted.document), /api\/v1\/heartbeat/)

  standIn.setFault({ kind: 'status', status: 404 })
  const lost = await cli(t, ['heartbeats', 'test', '--job', 'process-tasks'], env)
  t.match(lost, {
    code: 1,
    stdout: /^permanent +process-tasks +BETTERSTACK_TASKS_HEARTBEAT +status 404: no such heartbeat: compare/m,
  })
  const listed = await cli(t, ['heartbeats', 'list'], env)
  t.equal(listed.code, 0)
  t.match(
    listed.stdout,
    /^process-tasks +operational +BETTERSTACK_TASKS_HEARTBEAT +127\.0\.0\.1:\d+ ….{4} +1 d +12 h$/m,
  )
  const tokens = standIn.items('heartbeats').flatMap(({ token }) => (token === undefined ? [] : [token]))
  for (const { stderr, stdout } of [missing, fresh, tested, lost, listed]) {
    t.notOk(
      tokens.some(token => (stdout + stderr).includes(token)),
      'no address is said',
    )
  }
})

t.test('pings that were sent or are owed are listed without what they say', async t => {
  const { db, url } = await testDatabase(t)
  await owePing(db, { body: 'said to the vendor' })
  await owePing(db, { job: 'process-tasks', kind: 'fail' })
  const env = { DATABASE_URL: url }
  const all = await cli(t, ['heartbeats', 'logs'], env)
  t.equal(all.code, 0)
  t.match(all.stdout, /process-tasks +fail +pending +0.*\n.*keep-alive +success +pending/)
  t.notMatch(all.stdout, /said to the vendor/)
  const page = await json(t, ['heartbeats', 'logs', '--limit', '1'], env)
  const { next } = page.document as unknown as { next: string }
  t.match(page.document, { pings: [{ job: 'process-tasks' }] })
  t.match((await json(t, ['heartbeats', 'logs', '--before', next], env)).document, {
    pings: [{ job: 'keep-alive' }],
    next: null,
  })
  t.match((await json(t, ['heartbeats', 'logs', '--job', 'keep-alive', '--state', 'delivered'], env)).document, {
    pings: [],
  })
  t.match(await cli(t, ['heartbeats', 'logs', '--job', 'keep-dead'], env), {
    code: 1,
    stderr: /there is no job keep-dead/,
  })
})

t.test('every npm name of the operations documents works, explains itself, and says what it lacks', async t => {
  const names: readonly (readonly [name: string, help: RegExp, without: RegExp])[] = [
    ['betterstack:plan', /show what apply would do/, /BETTERSTACK_API_TOKEN.*\n.*BETTERSTACK_API_TOKEN is missing/],
    ['betterstack:apply', /create and change what is ours/, /BETTERSTACK_API_TOKEN is missing/],
    ['check:heartbeats', /check at Better Stack/, /^eleva-jobs: .*BETTERSTACK_API_TOKEN is missing/],
    ['test:heartbeats', /send one ping to each heartbeat/, /no heartbeat is configured/],
    ['logs:heartbeats', /list the pings that were sent/, /DATABASE_URL is missing/],
    ['logs:cron', /list runs, newest first/, /DATABASE_URL is missing/],
  ]
  const { scripts } = (await import('../../package.json', { with: { type: 'json' } })).default as {
    scripts: Record<string, string>
  }
  for (const [name, help, without] of names) {
    const [, args = ''] = /^node src\/cli\/main\.ts (.+)$/.exec(scripts[name] ?? '') ?? []
    t.match(await cli(t, [...args.split(' '), '--help']), { code: 0, stdout: help }, name)
    const lacking = await cli(t, args.split(' '))
    t.equal(lacking.code, 1, name)
    t.match(lacking.stderr, without, name)
    const document = JSON.parse((await cli(t, [...args.split(' '), '--json'])).stdout) as unknown
    t.ok(typeof document === 'object', `${name} --json`)
  }
  const { stdout } = await run('npm', ['run', '--silent', 'test:heartbeats', '--', '--help'])
  t.match(stdout, /--fail/)
})
