import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { type Account, openAccount, snapshot } from '../support/schedules.ts'
import { cli, json, start } from '../support/cli.ts'
import { typeInto } from '../support/terminal.ts'

const full = process.env['TEST_FULL'] === '1'
const ids = jobs.map(({ name }) => `jobs.${name}`)

/** What an account may have come to: one changed, one changed and paused, one missing, one orphan, one of others. */
async function drift(t: Test, account: Account): Promise<void> {
  const { client } = account
  t.equal((await cli(t, ['schedules', 'apply'], account.env)).code, 0)
  const wrong = { destination: 'https://old.test/api?token=planted', cron: '1 1 * * *', body: '{"apiKey":"planted"}' }
  await client.schedules.create({ ...wrong, scheduleId: 'jobs.keep-alive' })
  await client.schedules.create({ ...wrong, scheduleId: 'jobs.process-tasks' })
  await client.schedules.pause({ schedule: 'jobs.process-tasks' })
  await client.schedules.delete('jobs.cleanup-blocked-dates')
  await client.schedules.create({ ...wrong, scheduleId: 'jobs.renamed-long-ago' })
  await client.schedules.create({ ...wrong, scheduleId: 'scd_of-others' })
}

t.test('from nothing: the plan says what is missing, apply creates it, and then the plan is empty', async t => {
  const account = await openAccount(t)
  const before = await cli(t, ['schedules', 'plan'], account.env)
  t.equal(before.code, 2, before.stderr)
  for (const id of ids) t.match(before.stdout, new RegExp(`^create +${id} +missing`, 'm'))
  t.equal((await account.client.schedules.list()).length, 0, 'a plan changes nothing')
  t.equal((await cli(t, ['schedules', 'apply', '--dry-run'], account.env)).code, 2)
  t.equal((await account.client.schedules.list()).length, 0)

  const applied = await cli(t, ['schedules', 'apply'], account.env)
  t.equal(applied.code, 0, applied.stderr)
  for (const id of ids) t.match(applied.stdout, new RegExp(`^done +create +${id}$`, 'm'))
  const after = await json(t, ['schedules', 'plan'], account.env)
  t.equal(after.code, 0)
  t.match(after.document, { pending: 0, create: [], change: [], orphan: [], unchanged: ids })
  t.match((await cli(t, ['schedules', 'apply'], account.env)).stdout, /^nothing to do$/m)
})

t.test('from a drifted state: the plan tells each difference, apply mends it, and others are left alone', async t => {
  const account = await openAccount(t)
  await drift(t, account)
  const { code, stderr, stdout } = await cli(t, ['schedules', 'plan'], account.env)
  t.equal(code, 2)
  t.match(stdout, /^create +jobs\.cleanup-blocked-dates +missing/m)
  t.match(stdout, /^change +jobs\.keep-alive|^change +jobs\.process-tasks/m)
  t.match(stdout, /destination +https:\/\/old\.test\/api\?\[removed\] +https:\/\/jobs\.example\.test\/jobs\/keep-alive/)
  t.match(stdout, /timeout +unknown +90 s/)
  t.match(stdout, /body +\{"apiKey":"\[removed\]"\} +none/)
  t.match(stdout, /^remove +jobs\.renamed-long-ago +orphan/m)
  t.match(stdout, /^paused +jobs\.process-tasks +paused in the console: stays so/m)
  t.match(stdout, /^unmanaged +scd_of-others +not ours: not touched/m)
  t.match(stderr, /^warning: jobs\.keep-alive calls old\.test now: is this .+ another environment\?$/m)

  const others = (await account.client.schedules.get('scd_of-others')).createdAt
  const applied = await json(t, ['schedules', 'apply'], account.env)
  t.equal(applied.code, 0)
  t.match(applied.document, { ok: true, paused: ['jobs.process-tasks'] })
  t.equal((await cli(t, ['schedules', 'plan'], account.env)).code, 0)
  t.match(await account.client.schedules.get('jobs.process-tasks'), { isPaused: true, cron: '0 4 * * *' })
  t.match(await account.client.schedules.get('scd_of-others'), {
    createdAt: others,
    destination: 'https://old.test/api',
  })
})

t.test('killed anywhere in the middle, a second apply finishes, and comes to the same', async t => {
  const whole = await openAccount(t)
  await drift(t, whole)
  const from = whole.qstash.apiCalls().length
  t.equal((await cli(t, ['schedules', 'apply'], whole.env)).code, 0)
  const calls = whole.qstash.apiCalls().slice(from)
  const wanted = await snapshot(whole)
  t.match(calls, [/^GET /, /^POST /, /^POST .*process-tasks/, /^PATCH .*process-tasks/, /^POST /, /^DELETE /])

  const all = calls.flatMap((_, index) => [
    { index, react: 'hang' as const },
    { index, react: 'lose' as const },
  ])
  // Between a change and its pause, before a change, after the last step.
  const sampled = all.filter(({ index, react }) => full || ['2 lose', '4 hang', '5 lose'].includes(`${index} ${react}`))
  for (const { index, react } of sampled) {
    const call = calls[index] ?? ''
    await t.test(`${call}: ${react === 'hang' ? 'before' : 'after'} it took effect`, async t => {
      const account = await openAccount(t)
      await drift(t, account)
      const pattern = new RegExp(`^${call.replaceAll('.', String.raw`\.`)}$`)
      account.qstash.faults.failApiCalls(pattern, react)
      const before = account.qstash.apiCalls().filter(made => pattern.test(made)).length
      const { child, ended } = start(t, ['schedules', 'apply'], account.env)
      const early = ended.then(({ stderr }) => {
        throw new Error(`the command ended before: ${stderr}`)
      })
      await Promise.race([account.qstash.called(pattern, before + 1), early])
      child.kill('SIGKILL')
      t.equal((await ended).code, null)

      const isTorn = `${index} ${react}` === '2 lose' || `${index} ${react}` === '3 hang'
      const second = await cli(t, ['schedules', 'apply'], account.env)
      t.equal(second.code, isTorn ? 1 : 0, second.stdout + second.stderr)
      if (isTorn) {
        t.match(second.stderr, /^warning: jobs\.process-tasks was paused when it was changed last, and runs now/m)
        t.match(second.stdout, /^jobs\.process-tasks runs, and was paused when it was changed last: not touched$/m)
        t.equal((await cli(t, ['schedules', 'plan'], account.env)).code, 1, 'until a person decides')
        await account.client.schedules.pause({ schedule: 'jobs.process-tasks' })
      }
      t.equal((await cli(t, ['schedules', 'plan'], account.env)).code, 0)
      t.strictSame(await snapshot(account), wanted)
    })
  }
})

t.test('a lost answer lets nothing run that was paused, and what is told is what is', async t => {
  const account = await openAccount(t, { upsertResumes: true })
  await drift(t, account)
  const { client, env, qstash } = account
  qstash.faults.failApiCalls(/^POST .*process-tasks$/, { status: 504, headers: {} })
  const first = await cli(t, ['schedules', 'apply'], env)
  t.equal(first.code, 1)
  t.match(first.stdout, /^failed +change +jobs\.process-tasks +.*it is paused again$/m)
  t.match(first.stdout, /^jobs\.process-tasks is paused in the console, and stays so$/m)
  t.match(await client.schedules.get('jobs.process-tasks'), { isPaused: true })
  qstash.faults.failApiCalls(/^PATCH /, { status: 500, headers: {} }, 2)
  const second = await cli(t, ['schedules', 'apply'], env)
  t.equal(second.code, 1)
  t.notMatch(second.stdout, /is paused in the console, and stays so/)
  t.match(second.stdout, /^jobs\.process-tasks runs, and was paused when it was changed last: not touched$/m)
  const third = await json(t, ['schedules', 'apply'], env)
  t.match(third, { code: 1, document: { ok: false, steps: [], paused: [], doubtful: ['jobs.process-tasks'] } })
  const planned = await cli(t, ['schedules', 'plan'], env)
  t.equal(planned.code, 1)
  t.match(planned.stdout, /^doubtful +jobs\.process-tasks +runs, and was paused when it was changed last/m)

  const unknown = await cli(t, ['schedules', 'apply', '--resumed', 'process-taks'], env)
  t.match(unknown, { code: 1, stderr: /there is no job process-taks/ })
  const said = await cli(t, ['schedules', 'apply', '--resumed', 'process-tasks'], env)
  t.equal(said.code, 0, said.stdout + said.stderr)
  t.equal((await cli(t, ['schedules', 'plan'], env)).code, 0)
})

t.test('what could not be done is said, and ends with 1', async t => {
  const account = await openAccount(t)
  account.qstash.faults.failApiCalls(/^POST .*keep-alive$/, { status: 500, headers: {} })
  const { code, stdout } = await cli(t, ['schedules', 'apply'], account.env)
  t.equal(code, 1)
  t.match(stdout, /^failed +create +jobs\.keep-alive +QStash answered 500/m)
  t.match(stdout, /^1 of 10 could not be done: the same command again does the rest$/m)
  t.equal((await account.client.schedules.list()).length, 9)
  const again = await json(t, ['schedules', 'apply'], account.env)
  t.match(again, { code: 0, document: { ok: true, steps: [{ id: 'jobs.keep-alive', outcome: 'done' }] } })
})

t.test(
  'without a token, with a wrong one, in a preview and without an address it says what to do, and does nothing',
  async t => {
    const account = await openAccount(t)
    const { PUBLIC_URL: _, ...addressless } = account.env
    const gone = await openAccount(t)
    await gone.qstash.close()
    const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp, readonly string[]])[] = [
      [{}, /QSTASH_TOKEN is missing: the QStash console/, ['plan', 'apply', 'list', 'stats', 'remove']],
      [
        { ...account.env, QSTASH_TOKEN: 'planted-other' },
        /^eleva-jobs: QStash refuses our token \(401\)/m,
        ['plan', 'apply', 'list', 'stats', 'remove'],
      ],
      [{ ...account.env, IS_PULL_REQUEST: 'true' }, /this is a preview .*never scheduled/, ['plan', 'apply', 'remove']],
      [addressless, /PUBLIC_URL is missing/, ['plan', 'apply']],
      [gone.env, /QStash did not answer \(\w+\)/, ['plan', 'apply', 'list']],
    ]
    for (const [env, message, commands] of cases) {
      for (const command of commands) {
        const ended = await cli(t, ['schedules', command], env)
        t.equal(ended.code, 1, command)
        t.match(ended.stderr, message)
      }
    }
    t.notOk(account.qstash.apiCalls().some(call => !call.startsWith('GET ')))
  },
)

t.test('list and stats tell of every schedule, and of the plan', async t => {
  const account = await openAccount(t)
  await drift(t, account)
  const listed = await cli(t, ['schedules', 'list'], { ...account.env, PUBLIC_URL: '' })
  t.equal(listed.code, 0)
  t.match(listed.stdout, /^jobs\.keep-alive +1 1 \* \* \* +UTC/m)
  t.match(listed.stdout, /^scd_of-others \(not ours\)/m)
  const stats = await cli(t, ['schedules', 'stats'], { ...account.env, PUBLIC_URL: '' })
  t.equal(stats.code, 0)
  t.match(stats.stdout, /^ +schedules +11 of 10, 10 ours, 1 paused, 0 failed last$/m)
  t.match(stats.stdout, /^ +the plan +more than the free one has/m)
  const document = (await json(t, ['schedules', 'stats', '--plan-limit', '1000'], account.env)).document
  t.match(document, { schedules: 11, owned: 10, paused: 1, deadLetters: 0, planLimit: 1000 })
})

t.test(
  'nobody takes the schedules of another environment unasked, and nothing is made that calls this machine',
  async t => {
    const account = await openAccount(t)
    t.equal((await cli(t, ['schedules', 'apply'], account.env)).code, 0)
    const wanted = await snapshot(account)
    const other = { ...account.env, PUBLIC_URL: 'https://staging.example.test' }
    const refused = await cli(t, ['schedules', 'apply'], other)
    t.match(refused, { code: 1, stderr: /nothing was changed: .* call jobs\.example\.test now: .* --move lets them/ })
    t.strictSame(await snapshot(account), wanted)
    t.equal((await cli(t, ['schedules', 'plan'], other)).code, 2)
    t.equal((await cli(t, ['schedules', 'apply', '--move'], other)).code, 0)
    t.equal((await cli(t, ['schedules', 'plan'], other)).code, 0)
    const laptop = { QSTASH_TOKEN: 'planted', PUBLIC_URL: 'http://127.0.0.1:10000' }
    for (const command of ['plan', 'apply']) {
      const ended = await cli(t, ['schedules', command], laptop)
      t.match(ended, { code: 1, stderr: /PUBLIC_URL is http:\/\/127\.0\.0\.1:10000, on this machine alone/ })
    }
  },
)

t.test('remove asks, takes what is ours and nothing else', async t => {
  const account = await openAccount(t)
  await drift(t, account)
  const left = async (): Promise<string[]> =>
    (await account.client.schedules.list()).map(({ scheduleId }) => scheduleId)
  const all = await left()
  const unasked = await cli(t, ['schedules', 'remove'], account.env)
  t.equal(unasked.code, 1)
  t.match(unasked.stderr, /nothing was removed: without a terminal to ask on, add --yes/)
  const alien = await cli(t, ['schedules', 'remove', 'keep-alive', 'scd_of-others', '--yes'], account.env)
  t.equal(alien.code, 1)
  t.match(alien.stderr, /there is no schedule scd_of-others of ours/)
  const kept = await cli(t, ['schedules', 'remove', 'keep-alive', '--orphans', '--yes'], account.env)
  t.match(kept, { code: 1, stderr: /jobs\.keep-alive has its job, and --orphans takes only what no job has/ })
  const declined = await typeInto(t, ['schedules', 'remove'], account.env, 'Type yes:', 'no\n')
  t.equal(declined.code, 1)
  t.match(declined.shown, /Remove these 10 schedules\?/)
  t.strictSame(await left(), all, 'nothing is gone yet')

  t.equal((await cli(t, ['schedules', 'remove', '--orphans', '--yes'], account.env)).code, 0)
  t.strictSame(
    await left(),
    all.filter(id => id !== 'jobs.renamed-long-ago'),
  )
  t.equal((await cli(t, ['schedules', 'remove', 'keep-alive', '--yes'], account.env)).code, 0)
  t.notOk((await left()).includes('jobs.keep-alive'))
  const accepted = await typeInto(t, ['schedules', 'remove'], account.env, 'Type yes:', 'yes\n')
  t.equal(accepted.code, 0, accepted.shown)
  t.strictSame(await left(), ['scd_of-others'])
})

t.test('every npm name of the operations documents is a command with help', async t => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  for (const name of ['schedule', 'update', 'list', 'cleanup', 'stats']) {
    const words = /^node src\/cli\/main\.ts (.+)$/.exec(scripts[`qstash:${name}`] ?? '')?.[1]?.split(' ') ?? []
    const help = await cli(t, [...words, '--help'])
    t.equal(help.code, 0, name)
    t.match(help.stdout, new RegExp(`^Usage: eleva-jobs ${words.join(' ')} `, 'm'))
    const without = await cli(t, words)
    t.equal(without.code, 1)
    t.match(without.stderr, /^eleva-jobs: the configuration has/)
  }
})
