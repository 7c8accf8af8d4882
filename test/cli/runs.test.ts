import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import path from 'node:path'
import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import { claimRun } from '../../src/database/runs.ts'
import { listSlotRuns } from '../../src/database/slot-runs.ts'
import { jobs } from '../../src/jobs/index.ts'
import { listDueBetween } from '../../src/runner/slots.ts'
import { cli, json, openSite, serviceEnv, spawned, start } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'

const names = jobs.map(job => job.name)
const dayMs = 86_400_000

// Commands whose process matters have one of their own.
t.setTimeout(240_000)

t.test('a dry run shows the plan and does nothing; the real run does it, is audited, and pings nobody', async t => {
  const { db, url } = await testDatabase(t)
  const env = serviceEnv(url)
  const dry = await json(t, ['run', 'process-tasks', '--dry-run', '--as', 'ana'], env)
  t.match(dry, { code: 0, document: { job: 'process-tasks', outcome: 'succeeded', dryRun: true, slot: null } })
  const { plan, planHash } = dry.document as unknown as { plan: { effects: unknown[] }; planHash: string }
  t.match(plan.effects, [{ kind: 'purge', subject: 'jobs.runs' }])
  const count = plan.effects.length
  const stale = await json(t, ['run', 'process-tasks', '--plan-hash', 'a'.repeat(64)], env)
  t.match(stale, { code: 1, document: { outcome: 'failed', planHash, plan: { difference: null } } })
  const real = await spawned(t, ['run', 'process-tasks', '--plan-hash', planHash, '--as', 'ana'], env)
  t.match(real, {
    code: 0,
    stderr: '',
    stdout: new RegExp(`^process-tasks succeeded\\n[^]*planned +${count}\\n +applied +${count}\\n`),
  })

  const runs = await db.selectFrom('jobs.runs').selectAll().orderBy('id').execute()
  t.match(runs, [
    { dry_run: true, state: 'succeeded', trigger: 'cli', operator: 'ana', slot: null },
    { dry_run: false, state: 'failed', error_code: 'plan_changed', operator: /^[\w.@-]+$/ },
    { dry_run: false, state: 'succeeded', trigger: 'cli', operator: 'ana' },
  ])
  const audit = await db.selectFrom('jobs.audit_entries').selectAll().orderBy('id').execute()
  t.match(audit[2], {
    actor: 'ana',
    action: 'run.start',
    subject: 'process-tasks',
    details: { dryRun: false, planHash },
  })
  t.same(await db.selectFrom('jobs.heartbeat_pings').select('id').execute(), [])
  t.same(await db.selectFrom('jobs.leases').select('owner').execute(), [{ owner: null }])

  const [listed, one, dryShown, none] = await Promise.all([
    json(t, ['runs', '--limit', '2'], env),
    json(t, ['runs', runs[1]?.id ?? ''], env),
    cli(t, ['runs', '--id', runs[0]?.id ?? ''], env),
    cli(t, ['runs', '--job', 'keep-dead'], env),
  ])
  t.match(listed, { code: 0, document: { runs: [{ id: runs[2]?.id }, { id: runs[1]?.id }], next: runs[1]?.id } })
  t.match(one, { code: 0, document: { id: runs[1]?.id, error_code: 'plan_changed', attempts: [], pings: [] } })
  t.match(dryShown, {
    code: 0,
    stdout: new RegExp(
      `cli, dry run[^]*plan: ${count} effects\\n[^]*jobs\\.delivery_tokens +before [\\d-]+ [\\d:]+ UTC$`,
      'm',
    ),
  })
  t.match(none, { code: 1, stderr: /there is no job keep-dead: known are/ })
  t.match(await cli(t, ['runs', uuidv7()], env), { code: 1, stdout: '', stderr: /there is no run/ })
})

t.test('asked to ping, a run by hand owes its heartbeat a success', async t => {
  const { db, url } = await testDatabase(t)
  t.match(await cli(t, ['run', 'process-tasks', '--ping'], serviceEnv(url)), { code: 0 })
  t.match(await db.selectFrom('jobs.heartbeat_pings').select(['kind', 'job']).execute(), [
    { kind: 'success', job: 'process-tasks' },
  ])
})

t.test('a run that fails, or that finds the job busy, ends with 1', async t => {
  const { db, url } = await testDatabase(t)
  const site = await openSite(t, response => response.writeHead(500).end())
  const env = serviceEnv(url, { APP_URL: site })
  const failed = await spawned(t, ['run', 'keep-alive'], env)
  t.match(failed, {
    code: 1,
    stdout: /^keep-alive incomplete\n[^]*site is down/,
    stderr: /^more: npm run cli -- runs /,
  })

  const now = new Date()
  const claim = { messageId: 'msg_1', trigger: 'message', slot: null, everySlotCounts: false, dryRun: false } as const
  const holder = { runId: uuidv7(), job: 'process-tasks', owner: 'another', operator: null, tokenHash: null }
  await claimRun(db, { ...claim, ...holder, leaseMs: 60_000, now, deadlineAt: new Date(now.getTime() + 60_000) })
  const busy = await json(t, ['run', 'process-tasks'], env)
  t.match(busy, { code: 1, document: { outcome: 'busy', message: `run ${holder.runId} holds the lease` } })
})

t.test('a paused job does not run until it is resumed', async t => {
  const { db, url } = await testDatabase(t)
  const env = serviceEnv(url)
  const because = ['--reason', 'the \u001b[2Jsite moves', '--as', 'ana']
  t.match(await json(t, ['pause', 'process-tasks', ...because], env), {
    code: 0,
    document: { job: 'process-tasks', paused: true, changed: true },
  })
  const [again, listed, run, dry] = await Promise.all([
    cli(t, ['pause', 'process-tasks', '--reason', 'once more'], env),
    spawned(t, ['jobs'], { ...env, FORCE_COLOR: '1' }),
    cli(t, ['run', 'process-tasks'], env),
    cli(t, ['run', 'process-tasks', '--dry-run'], env),
  ])
  t.match(again, { code: 0, stdout: /was paused already, since .+ UTC by ana: the .*site moves; nothing has changed/ })
  t.match(listed, { code: 0, stdout: /^process-tasks .* configured +since .+ by ana: the  \[2Jsite moves$/m })
  t.notMatch(listed.stdout, '\u001b', 'neither colours nor the control characters of others reach a pipe')
  t.match(run, { code: 1, stdout: /^process-tasks paused\n[^]*paused by ana: the/ })
  t.match(dry, { code: 0, stdout: /^process-tasks succeeded \(dry run/ })

  const resumed = { job: 'process-tasks', paused: false }
  const done = ['--reason', 'done']
  t.match(await json(t, ['resume', 'process-tasks', ...done], env), {
    code: 0,
    document: { ...resumed, changed: true },
  })
  t.match(await cli(t, ['resume', 'process-tasks', ...done], env), { code: 0, stdout: /was not paused; nothing/ })
  t.match(await cli(t, ['run', 'process-tasks'], env), { code: 0 })
  const audit = await db.selectFrom('jobs.audit_entries').select('action').orderBy('id').execute()
  const actions = audit.map(({ action }) => action)
  t.same(
    actions.filter(action => action !== 'run.start'),
    ['job.pause', 'job.resume'],
  )
})

t.test('slots: a missed one and a doubled one end with 1, a job whose slots all ran with 0', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const name = 'cleanup-blocked-dates'
  t.match(await json(t, ['slots'], env), { code: 0, document: { jobs: names.map(job => ({ job, since: null })) } })

  const now = new Date()
  const firstBoot = new Date(now.getTime() - 6 * dayMs)
  await db.insertInto('jobs.job_settings').values({ job: name, first_boot_at: firstBoot }).execute()
  const job = jobs.find(known => known.name === name)
  if (job === undefined) throw new Error(`${name} is gone`)
  const [first, second, third, fourth, ...others] = listDueBetween(job, firstBoot, now)
  if (first === undefined || second === undefined || third === undefined || fourth === undefined)
    throw new Error('slots')
  for (const slot of [first, fourth, ...others]) await insertRun(db, { job: name, slot, state: 'succeeded' })
  await insertRun(db, { job: name, slot: second, state: 'skipped', message: 'a later slot has already succeeded' })
  t.match(await cli(t, ['slots', '--job', name], env), {
    code: 1,
    stdout: /missed +nobody delivered it|missed .*nobody/,
  })
  const twin = await insertRun(db, { job: name, slot: third, state: 'succeeded', lateSeconds: 90, attempt: 2 })
  t.match(await cli(t, ['slots', '--job', name], env), {
    code: 0,
    stdout: /skipped .*a later slot has already succeeded/,
  })
  await insertRun(db, { job: name, slot: third, state: 'succeeded', dryRun: true })
  t.match(await json(t, ['slots', '--job', name], env), { code: 0, document: { jobs: [{ summary: { doubled: 0 } }] } })
  for (let message = 0; message < 3; message += 1) await insertRun(db, { job: name, slot: third, state: 'duplicate' })
  t.match(
    (await listSlotRuns(db, name, third, fourth)).map(({ messages, state }) => ({ messages, state })),
    [
      { messages: 4, state: 'succeeded' },
      { messages: 4, state: 'duplicate' },
    ],
    'a storm of messages is one row for each state',
  )

  const accounted = await json(t, ['slots', '--job', name, '--days', '30'], env)
  t.match(accounted, {
    code: 1,
    document: {
      jobs: [
        {
          job: name,
          since: firstBoot.toISOString(),
          summary: { skipped: 1, missed: 0, failed: 0, doubled: 1 },
          slots: [
            { slot: second.toISOString(), state: 'skipped', reason: 'a later slot has already succeeded' },
            {
              slot: third.toISOString(),
              state: 'ran',
              doubled: true,
              messages: 4,
              runId: twin,
              attempts: 2,
              latenessSeconds: 90,
            },
          ],
        },
      ],
    },
  })
  const all = await json(t, ['slots', '--job', name, '--all'], env)
  t.match(all.document, { jobs: [{ slots: [{ slot: first.toISOString(), state: 'ran' }] }] })
  t.match(await cli(t, ['slots', '--job', 'process-tasks'], env), { code: 0, stdout: /never booted/ })
})

t.test('a slot that nobody delivered during a pause is paused, also after the pause is over', async t => {
  const { db, url } = await testDatabase(t)
  const name = 'cleanup-blocked-dates'
  const ago = (days: number): Date => new Date(Date.now() - days * dayMs)
  await db
    .insertInto('jobs.job_settings')
    .values({ job: name, first_boot_at: ago(9) })
    .execute()
  const entries = [
    { at: ago(8), action: 'job.pause', details: JSON.stringify({ reason: 'move' }) },
    { at: ago(5), action: 'job.resume', details: null },
  ]
  for (const entry of entries) {
    await db
      .insertInto('jobs.audit_entries')
      .values({ ...entry, actor: 'ana', subject: name })
      .execute()
  }
  const { document } = await json(t, ['slots', '--job', name], { DATABASE_URL: url })
  t.match(document, { jobs: [{ summary: { paused: 3 } }] })
  t.match(document, { jobs: [{ slots: [{ state: 'missed' }, { state: 'paused', reason: /paused: move/ }] }] })
})

t.test('Ctrl-C lets the run finish; without a budget it is interrupted and gives its lease back', async t => {
  const { db, url } = await testDatabase(t)
  const asked = Promise.withResolvers<ServerResponse>()
  const site = await openSite(t, asked.resolve)
  const patient = start(t, ['run', 'keep-alive', '--json'], serviceEnv(url, { APP_URL: site }))
  const response = await asked.promise
  patient.child.kill('SIGINT')
  await new Promise(resolve => patient.child.stderr.once('data', resolve))
  // npm passes a Ctrl-C on that the terminal has sent already.
  patient.child.kill('SIGINT')
  response.end('ok')
  const finished = await patient.ended
  t.match(finished, { code: 0, stderr: /^the run may finish within 1 min 30 s; again to stop it now\n$/ })
  t.match(JSON.parse(finished.stdout), { outcome: 'succeeded' })

  const askedAgain = Promise.withResolvers<ServerResponse>()
  const silent = await openSite(t, askedAgain.resolve)
  const env = serviceEnv(url, { APP_URL: silent, DRAIN_SECONDS: '0' })
  const hurried = start(t, ['run', 'keep-alive', '--json'], env)
  await askedAgain.promise
  hurried.child.kill('SIGINT')
  const stopped = await hurried.ended
  t.match(stopped, { code: 1, stderr: 'stopping the run\n' })
  t.match(JSON.parse(stopped.stdout), { outcome: 'interrupted' })
  const leases = await db.selectFrom('jobs.leases').select(['owner', 'run_id']).execute()
  t.same(leases, [{ owner: null, run_id: null }])
})

t.test('input is read from a file, and a job that takes none refuses it', async t => {
  const { db, url } = await testDatabase(t)
  const file = path.join(t.testdir({}), 'input.json')
  writeFileSync(file, '{"a":1}')
  const run = ['run', 'process-tasks', '--dry-run', '--input']
  const refused = await json(t, [...run, `@${file}`], serviceEnv(url))
  t.match(refused, { code: 1, document: { error: /process-tasks takes no input/ } })
  t.same(await db.selectFrom('jobs.runs').select('id').execute(), [], 'nothing was begun')
  t.match(await json(t, [...run, '{}'], serviceEnv(url)), { code: 0 }, 'nothing at all is no input')
})

interface SlotRun {
  readonly job: string
  readonly slot: Date
  readonly state: 'succeeded' | 'skipped' | 'duplicate'
  readonly message?: string
  readonly lateSeconds?: number
  readonly attempt?: number
  readonly dryRun?: boolean
}

async function insertRun(db: Db, run: SlotRun): Promise<string> {
  const { attempt = 1, dryRun = false, job, lateSeconds = 1, message, slot, state } = run
  const id = uuidv7()
  const at = new Date(slot.getTime() + lateSeconds * 1000)
  const times = { started_at: at, finished_at: at, deadline_at: at }
  const fixed = { message_id: id, trigger: 'schedule', final: true, owner: 'test', attempts: '[]' } as const
  await db
    .insertInto('jobs.runs')
    .values({ id, job, slot, state, attempt, dry_run: dryRun, ...fixed, ...times, message: message ?? null })
    .execute()
  return id
}
