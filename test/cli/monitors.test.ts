import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { type BetterStackStandIn, type Item, startBetterStack } from '../../src/sandbox/betterstack.ts'
import { cli, type Ended, type Env, readJson, start } from '../support/cli.ts'

const apiToken = 'planted-betterstack-token'
const kinds = ['policies', 'heartbeat-groups', 'monitor-groups', 'heartbeats', 'monitors'] as const
// A policy, two groups, a heartbeat for each job, ten monitors.
const everything = 3 + jobs.length + 10

t.setTimeout(240_000)

async function open(t: Test) {
  const standIn = await startBetterStack({ apiToken })
  t.teardown(standIn.close)
  const env: Env = {
    BETTERSTACK_API_TOKEN: apiToken,
    BETTERSTACK_API_BASE_URL: standIn.url,
    PUBLIC_URL: 'https://jobs.example.test',
    OPERATOR_TOKEN: 'betterstack:planted-operator-token-0123',
  }
  const run = async (...args: string[]): Promise<Ended> => keepSecrets(t, standIn, await cli(t, args, env))
  return { standIn, env, run }
}

/** No heartbeat's address is said by a command that was not asked for it. */
function keepSecrets(t: Test, standIn: BetterStackStandIn, ended: Ended): Ended {
  const said = ended.stdout + ended.stderr
  t.notOk(
    standIn.items('heartbeats').some(({ token }) => token !== undefined && token.length > 12 && said.includes(token)),
    'no address of a heartbeat',
  )
  return ended
}

function countWrites(standIn: BetterStackStandIn): number {
  return standIn.apiCalls().filter(({ method }) => method !== 'GET').length
}

function listNames(standIn: BetterStackStandIn): string[] {
  return kinds.flatMap(kind => {
    const name = kind === 'monitors' ? 'pronounceable_name' : 'name'
    return standIn.items(kind).map(({ attributes }) => `${kind} ${attributes[name] as string}`)
  })
}

function find(standIn: BetterStackStandIn, name: string): Item {
  const found = kinds
    .flatMap(kind => standIn.items(kind))
    .find(({ attributes }) => attributes['name'] === name || attributes['pronounceable_name'] === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

async function planIsEmpty(t: Test, { run, standIn }: Awaited<ReturnType<typeof open>>): Promise<void> {
  const { code, stdout } = await run('monitors', 'plan')
  t.equal(code, 0, stdout)
  t.match(stdout, new RegExp(`^nothing to do: ${everything} are as they should be$`, 'm'))
  const owned = listNames(standIn).filter(name => name.includes('[jobs] '))
  t.equal(owned.length, everything, 'each is there')
  t.equal(new Set(owned).size, everything, 'once')
}

t.test('from nothing: plan, apply, and the plan is empty', async t => {
  const world = await open(t)
  const { run, standIn } = world
  const first = await run('monitors', 'plan')
  t.equal(first.code, 2, first.stdout + first.stderr)
  t.match(first.stdout, new RegExp(`^${everything} to do, 0 as they should be`, 'm'))
  t.equal(countWrites(standIn), 0)
  const applied = await run('monitors', 'apply')
  t.equal(applied.code, 0, applied.stdout + applied.stderr)
  await planIsEmpty(t, world)

  const policy = find(standIn, '[jobs] escalation')
  const group = find(standIn, '[jobs] heartbeats')
  t.match(find(standIn, '[jobs] process-expert-transfers').attributes, {
    period: 7_200,
    grace: 1_440,
    sms: true,
    critical_alert: true,
    policy_id: Number(policy.id),
    heartbeat_group_id: Number(group.id),
    server_timezone: 'UTC',
  })
  t.match(find(standIn, '[jobs] cleanup-blocked-dates').attributes, { policy_id: null, email: true, push: false })
  t.match(find(standIn, '[jobs] health').attributes, {
    http_method: 'get',
    url: 'https://jobs.example.test/health?services=true',
    request_headers: [{ name: 'Authorization', value: 'Bearer planted-operator-token-0123' }],
  })
  const writes = countWrites(standIn)
  t.equal((await run('monitors', 'apply')).code, 0)
  t.equal(countWrites(standIn), writes, 'a second apply writes nothing')
})

t.test('from a drifted state: what is ours is mended, and what is not is not touched', async t => {
  const world = await open(t)
  const { run, standIn } = world
  const byHand = standIn.add('heartbeats', { name: 'Daily backup', period: 60, grace: 1 })
  const address = 'https://example.test/planted-path?token=planted'
  const alsoByHand = standIn.add('monitors', { url: address, monitor_type: 'status' })
  await run('monitors', 'apply')
  const before = JSON.stringify([byHand, alsoByHand])
  standIn.change(find(standIn, '[jobs] process-expert-transfers'), { period: 60, policy_id: null })
  standIn.change(find(standIn, '[jobs] process-tasks'), { email: false, paused: true })
  standIn.change(find(standIn, '[jobs] health/novu'), { url: 'https://u:planted@jobs.example.test/?key=planted' })
  const monitor = find(standIn, '[jobs] health')
  const [header] = monitor.attributes['request_headers'] as { id: string }[]
  standIn.change(monitor, {
    http_method: 'POST',
    request_headers: [{ id: header?.id, value: 'Bearer planted-before' }],
  })
  standIn.change(find(standIn, '[jobs] escalation'), { steps: [{ type: 'escalation', wait_before: 5 }] })
  standIn.remove(find(standIn, '[jobs] readyz'))
  const orphan = standIn.add('heartbeats', { name: '[jobs] gone', period: 60, grace: 1 })

  const { code, stdout } = await run('monitors', 'plan')
  t.equal(code, 2)
  t.match(stdout, /^~ update +policy +\[jobs\] escalation +steps/m)
  t.match(
    stdout,
    /^~ update +heartbeat +\[jobs\] process-expert-transfers +period +60 +7200\n +server_timezone +none +UTC\n +policy_id +none +\d+$/m,
  )
  t.match(stdout, /^~ update +heartbeat +\[jobs\] process-tasks +email +false +true\n +paused there since 20/m)
  t.match(stdout, /^~ update +monitor +\[jobs\] health\/novu +url +https:\/\/jobs\.example\.test\/\?\[removed\] /m)
  t.match(stdout, /^\+ create +monitor +\[jobs\] readyz/m)
  t.match(
    stdout,
    /^~ update +monitor +\[jobs\] health +http_method +POST +GET\n +request_headers +\(sensitive\) +\(sensitive\)$/m,
  )
  t.match(stdout, /^- orphan +heartbeat +\[jobs\] gone/m)
  t.match(stdout, /^\? unmanaged +heartbeat +Daily backup/m)
  t.match(stdout, /^\? unmanaged +monitor +example\.test +not ours/m)
  t.match(await run('monitors', 'apply'), { code: 0, stdout: /process-tasks +paused there since 20.+: stays so$/m })

  const paused = await run('monitors', 'plan')
  t.equal(paused.code, 0)
  t.match(paused.stdout, /^= ok +heartbeat +\[jobs\] process-tasks +paused there since 20.+: stays so$/m)
  t.equal(JSON.stringify([byHand, alsoByHand]), before)
  t.ok(standIn.items('heartbeats').includes(orphan))
  t.equal((await run('monitors', 'plan', '--prune')).code, 2)
  t.equal((await run('monitors', 'apply', '--prune')).code, 0)
  t.notOk(standIn.items('heartbeats').includes(orphan))
  t.equal(JSON.stringify([byHand, alsoByHand]), before)
  t.ok(standIn.items('heartbeats').includes(byHand))
  await planIsEmpty(t, world)
})

t.test('killed in the middle of each kind, before or after a write was done, the next apply does the rest', async t => {
  // Writes go one after another: policy, two groups, heartbeats, monitors.
  const all = [0, 7, 2, 3, 3 + jobs.length, 3 + jobs.length + 5]
  const places = process.env['TEST_FULL'] === '1' ? all : all.slice(0, 2)
  for (const [index, skip] of places.entries()) {
    const world = await open(t)
    const { env, run, standIn } = world
    const kind = index % 2 === 0 ? 'silent' : 'hang'
    standIn.setApiFault({ kind }, { method: 'POST', skip, times: 1 })
    const { child, ended } = start(t, ['monitors', 'apply'], env)
    while (standIn.apiCalls().filter(({ method }) => method === 'POST').length <= skip) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    child.kill('SIGKILL')
    t.equal((await ended).code, null, `killed at write ${skip + 1} (${kind})`)
    const there = listNames(standIn).length
    t.equal(there, kind === 'silent' ? skip + 1 : skip)
    standIn.setApiFault(undefined)
    t.equal((await run('monitors', 'plan')).code, 2)
    t.equal((await run('monitors', 'apply')).code, 0)
    await planIsEmpty(t, world)
  }
})

t.test('two of one name stop everything', async t => {
  const { run, standIn } = await open(t)
  const twins = [1, 2].map(() =>
    standIn.add('monitors', { url: 'https://x.test', monitor_type: 'status', pronounceable_name: '[jobs] health' }),
  )
  for (const args of [
    ['monitors', 'plan'],
    ['monitors', 'apply', '--prune'],
  ]) {
    const { code, stdout } = await run(...args)
    t.equal(code, 1)
    t.match(
      stdout,
      new RegExp(`^! ambiguous +monitor +\\[jobs\\] health +several .*${twins.map(({ id }) => id).join(', ')}`, 'm'),
    )
  }
  t.equal(countWrites(standIn), 0)
})

t.test('a create whose answer is lost is made once, and somebody who stops it is told what was done', async t => {
  const world = await open(t)
  const { env, run, standIn } = world
  standIn.setApiFault({ kind: 'lost-answer' }, { method: 'POST', part: '[jobs] keep-alive', times: 1 })
  standIn.setApiFault({ kind: 'status', status: 429, retryAfter: '0' }, { method: 'GET', times: 1 })
  standIn.setApiFault({ kind: 'slow', delayMs: 1_000 }, { method: 'POST', part: 'process-tasks', times: 1 })
  const { child, ended } = start(t, ['monitors', 'apply', '--write-env', path.join(t.testdir({}), 'x.env')], env)
  const isUnderWay = (): boolean =>
    standIn.items('heartbeats').some(({ attributes }) => attributes['name'] === '[jobs] check-upcoming-payouts')
  while (!isUnderWay()) await new Promise(resolve => setTimeout(resolve, 20))
  // The next create takes a second.
  child.kill('SIGINT')
  const { code, stderr, stdout } = await ended
  t.equal(code, 1)
  t.match(stdout, /^done +create +heartbeat +\[jobs\] keep-alive$/m)
  t.match(stdout, /^stopped: interrupted$/m)
  t.match(
    stderr,
    /stopping after what is under way.*\n[^]*x\.env was not written: \d of \d+ heartbeats have an address/,
  )
  t.notOk(existsSync(path.join(t.testdirName, 'x.env')), 'nothing is in the way of the same command')
  const again = await run('monitors', 'apply')
  t.equal(again.code, 0, again.stdout + again.stderr)
  await planIsEmpty(t, world)
})

t.test('what a person must decide is asked for before anything is written', async t => {
  const { env, standIn } = await open(t)
  const said = async (args: string[], more: Env = {}) => await cli(t, ['monitors', ...args], { ...env, ...more })
  const people = { OPERATOR_TOKEN: 'ana:planted-token-of-ana-0123,rui:planted-token-of-rui-0123' }
  standIn.add('heartbeats', { name: 'Expert Transfers', period: 60, grace: 1 })
  t.match(await said(['apply']), {
    code: 1,
    stdout:
      /^stopped: \[jobs\] process-expert-transfers seems to be there already, made by hand: .*--beside.*; nothing was/m,
  })
  t.match(await said(['apply', '--write-env', '/nowhere/at/all/x.env']), {
    code: 1,
    stderr: /cannot be written \(ENOENT\)/,
  })
  t.match(await said(['apply'], { PUBLIC_URL: 'http://127.0.0.1:1', BETTERSTACK_API_BASE_URL: 'https://x.test' }), {
    code: 1,
    stderr: /PUBLIC_URL is http:\/\/127\.0\.0\.1:1, which Better Stack cannot reach/,
  })
  t.match(await said(['apply', '--dry-run', '--beside']), { code: 2, stdout: /^23 to do/m })
  t.equal(countWrites(standIn), 0)

  const made = await said(['apply', '--beside'], people)
  t.equal(made.code, 0, made.stdout + made.stderr)
  t.match(
    made.stderr,
    /monitors see no details[^]*10 heartbeats have addresses that are not configured here: --write-env/,
  )
  t.strictSame(find(standIn, '[jobs] health').attributes['request_headers'], [], 'nobody lends a token')
  t.equal((await said(['apply'])).code, 0)
  t.match(find(standIn, '[jobs] health').attributes['request_headers'], { length: 1 })
  t.equal((await said(['apply'], people)).code, 0)
  t.strictSame(find(standIn, '[jobs] health').attributes['request_headers'], [], 'and what was lent is taken back')

  const writes = countWrites(standIn)
  const elsewhere = { ...people, PUBLIC_URL: 'https://staging.example.test' }
  t.match(await said(['plan'], elsewhere), { code: 2, stderr: /10 monitors watch jobs\.example\.test and would watch/ })
  t.match(await said(['apply'], elsewhere), { code: 1, stdout: /say --move where that is meant; nothing was changed/ })
  t.equal(countWrites(standIn), writes)
  t.equal((await said(['apply', '--move'], elsewhere)).code, 0)
  t.match(find(standIn, '[jobs] readyz').attributes, { url: 'https://staging.example.test/readyz' })
})

t.test('a plan without escalation policies is not asked for them', async t => {
  const { run, standIn } = await open(t)
  standIn.setApiFault({ kind: 'answer', status: 403, body: { errors: 'not in your plan' } }, { part: '/policies' })
  t.match(await run('monitors', 'apply'), { code: 1, stderr: /status 403: not in your plan.*--no-policy makes do/ })
  t.equal((await run('monitors', 'apply', '--no-policy', '--shortest-check', '77')).code, 0)
  t.match(find(standIn, '[jobs] readyz').attributes, { check_frequency: 120 }, 'the next one that Better Stack offers')
})

t.test('one refusal stops no other, a refused token stops all', async t => {
  const world = await open(t)
  const { env, run, standIn } = world
  standIn.setApiFault(
    { kind: 'answer', status: 422, body: { errors: { name: [`not with ${apiToken}`] } } },
    { method: 'POST', part: 'process-tasks' },
  )
  const refused = await run('monitors', 'apply')
  t.equal(refused.code, 1)
  t.match(refused.stdout, /^failed +create +heartbeat +\[jobs\] process-tasks +status 422: name not with \(secret\)$/m)
  t.match(refused.stdout, new RegExp(`^1 of ${everything} could not be done`, 'm'))
  t.equal(listNames(standIn).length, everything - 1)
  standIn.setApiFault(undefined)
  t.equal((await run('monitors', 'apply')).code, 0)
  await planIsEmpty(t, world)

  const { standIn: other } = await open(t)
  const reader = { ...env, BETTERSTACK_API_BASE_URL: other.url, BETTERSTACK_API_TOKEN: other.readOnlyToken }
  t.equal((await cli(t, ['monitors', 'plan'], reader)).code, 2, 'a token that reads is enough to plan')
  const stopped = await cli(t, ['monitors', 'apply'], reader)
  t.equal(stopped.code, 1)
  t.match(stopped.stdout, /^stopped: Better Stack refused our token \(status 403/m)
  t.match(stopped.stdout, new RegExp(`^${everything} of ${everything} could not be done`, 'm'))
  t.equal(countWrites(other), 1)
  const unknown = await cli(t, ['monitors', 'plan'], { ...reader, BETTERSTACK_API_TOKEN: 'planted-other' })
  t.match(unknown, { code: 1, stderr: /refused our token \(status 401.*is BETTERSTACK_API_TOKEN/ })
})

t.test('where the plan ends, what matters most is there', async t => {
  const { run, standIn } = await open(t)
  standIn.add('heartbeats', { name: 'Daily backup', period: 60, grace: 1 })
  standIn.setQuota(4)
  const options = ['--plan-limit', '4', '--shortest-check', '180', '--no-policy']
  const applied = await run('monitors', 'apply', ...options)
  t.equal(applied.code, 0, applied.stdout + applied.stderr)
  t.match(applied.stdout, /^\. left out +heartbeat +\[jobs\] process-tasks +the plan has no room for it$/m)
  const names = listNames(standIn)
  for (const name of ['process-expert-transfers', 'process-pending-payouts', 'keep-alive']) {
    t.ok(names.includes(`heartbeats [jobs] ${name}`), name)
  }
  t.equal(standIn.items('heartbeats').length, 4)
  t.equal(standIn.items('policies').length, 0)
  t.equal((await run('monitors', 'plan', ...options)).code, 0)
  standIn.remove(find(standIn, '[jobs] process-expert-transfers'))
  standIn.add('heartbeats', { name: '[jobs] cleanup-blocked-dates', period: 60, grace: 1 })
  t.match(await run('monitors', 'plan', ...options), {
    code: 2,
    stdout:
      /^\. left out +heartbeat +\[jobs\] process-expert-transfers +the plan has no room for it: \[jobs\] cleanup-blocked-dates has, and matters less$/m,
  })
  t.equal((await run('monitors', 'apply', ...options)).code, 1, 'all that could be done was done, and it is not well')
  t.match(await run('monitors', 'plan', ...options), { code: 1, stdout: /^1 left out for what matters less/m })
  const over = await run('monitors', 'apply', '--no-policy')
  t.equal(over.code, 1)
  t.match(over.stdout, /^failed +create +heartbeat +\[jobs\] process-tasks +status 422: You have reached the limit/m)
})

t.test('addresses are handed over where asked, for one user alone, and nothing is overwritten', async t => {
  const { env, standIn } = await open(t)
  const file = path.join(t.testdir({}), 'heartbeats.env')
  const apply = async (...args: string[]): Promise<Ended> => await cli(t, ['monitors', 'apply', ...args], env)
  const written = keepSecrets(t, standIn, await apply('--write-env', file))
  t.equal(written.code, 0, written.stderr)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  t.equal(lines.length, jobs.length)
  for (const job of jobs) {
    const url = standIn.heartbeatUrl(find(standIn, `[jobs] ${job.name}`).token ?? '')
    t.ok(lines.includes(`${job.heartbeat}=${url}`), job.name)
  }

  const again = await apply('--write-env', file)
  t.match(again, { code: 1, stderr: /is there already: --force replaces it/ })
  const other = path.join(t.testdirName, 'other')
  writeFileSync(other, 'mine')
  chmodSync(other, 0o666)
  const link = path.join(t.testdirName, 'link')
  symlinkSync(other, link)
  t.equal((await apply('--write-env', link, '--force')).code, 0)
  t.equal(readFileSync(other, 'utf8'), 'mine', 'what it linked to is left alone')
  t.equal(statSync(link).mode & 0o777, 0o600)
  t.match((await apply('--write-env', link)).stderr, /is there already/)

  t.match((await apply('--print')).stdout, /^BETTERSTACK_TASKS_HEARTBEAT=http:\/\/127/m)
  t.notOk('heartbeats' in readJson(await apply('--json')).document)
  t.match(readJson(await apply('--json', '--print')).document, { heartbeats: { BETTERSTACK_TASKS_HEARTBEAT: /^http/ } })
})

t.test('what was made by hand becomes ours by its name alone, when asked', async t => {
  const { env, standIn } = await open(t)
  const { token = '' } = standIn.add('heartbeats', { name: 'Is the site awake?', period: 60, grace: 1 })
  const url = standIn.heartbeatUrl(token)
  const transfers = standIn.add('heartbeats', { name: 'Expert Transfers', period: 60, grace: 1 })
  const own = { ...env, BETTERSTACK_KEEP_ALIVE_HEARTBEAT: url }
  const run = async (...args: string[]): Promise<Ended> => keepSecrets(t, standIn, await cli(t, args, own))
  t.match(await run('monitors', 'plan'), { code: 2, stderr: /2 seem to be there already.*monitors import/ })
  const shown = await run('monitors', 'import')
  t.equal(shown.code, 2)
  t.match(
    shown.stdout,
    /^found +heartbeat \d+ +Expert Transfers +\[jobs\] process-expert-transfers +of the same name$/m,
  )
  t.equal(countWrites(standIn), 0, 'without --apply it changes nothing')
  standIn.setApiFault({ kind: 'status', status: 403 }, { method: 'PATCH', skip: 1 })
  const halfway = await run('monitors', 'import', '--apply')
  t.equal(halfway.code, 1)
  t.match(
    halfway.stdout,
    /^done +heartbeat \d+ +Is the site awake\?[^]*^not tried +heartbeat \d+ +Expert Transfers .*403/m,
  )
  standIn.setApiFault(undefined)
  t.equal((await run('monitors', 'import', '--apply')).code, 0)
  t.equal(countWrites(standIn), 3)
  t.match(transfers.attributes, { name: '[jobs] process-expert-transfers', period: 60 })
  t.match(await run('monitors', 'import'), { code: 0, stdout: /^nothing to import/ })
  t.equal((await run('monitors', 'apply')).code, 0)
  t.equal(standIn.items('heartbeats').length, jobs.length, 'nothing is made a second time')

  standIn.add('heartbeats', { name: 'tasks', period: 60, grace: 1 })
  standIn.add('heartbeats', { name: 'Tasks', period: 60, grace: 1 })
  standIn.remove(find(standIn, '[jobs] process-tasks'))
  const writes = countWrites(standIn)
  t.match(await run('monitors', 'import', '--apply'), {
    code: 1,
    stdout:
      /^ambiguous +heartbeat \d+, heartbeat \d+ +tasks, Tasks[^]*nothing was renamed: rename or delete all but one/m,
  })
  t.equal(countWrites(standIn), writes)
})

t.test('a preview is watched by nobody', async t => {
  const { env, standIn } = await open(t)
  for (const name of ['plan', 'apply', 'import']) {
    t.match(await cli(t, ['monitors', name], { ...env, IS_PULL_REQUEST: 'true' }), {
      code: 1,
      stderr: /this is a preview/,
    })
  }
  t.equal(standIn.apiCalls().length, 0)
})
