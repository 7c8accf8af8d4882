import t from 'tap'
import { recordFinding } from '../../src/database/findings.ts'
import { PermanentError } from '../../src/errors.ts'
import { jobs } from '../../src/jobs/index.ts'
import type { Job, Plan } from '../../src/runner/define-job.ts'
import { addFinding } from '../support/builders.ts'
import { delivery, testJob, testRunner } from '../support/runner.ts'

const wrong = { kind: 'row-wrong', subject: 'row-1', message: 'mend it' }
const happened = { kind: 'payout-failed', subject: 'row-1', message: 'look at it' }
const minuteMs = 60_000

type Seen = Partial<Plan> & {
  readonly fails?: boolean
  readonly dryRun?: boolean
  readonly job?: Partial<Pick<Job, 'name' | 'standingFindings'>>
}

async function world(t: Parameters<typeof testRunner>[0]) {
  const { another, clock, db } = await testRunner(t)
  /** One whole run, a minute after the one before it; every alert has been raised when it comes back. */
  const run = async ({ dryRun = false, fails = false, job = {}, ...plan }: Seen = {}): Promise<void> => {
    clock.advance(minuteMs)
    const runner = another()
    const wanted = testJob({
      standingFindings: ['row-wrong'],
      plan: () => ({ effects: [], ...plan }),
      gather: async () => {
        if (fails) throw new Error('no answer')
      },
      apply: async () => {
        throw new PermanentError('needs eyes')
      },
      ...job,
    })
    await runner.run(delivery(wanted, { dryRun }))
    await runner.drain(minuteMs)
  }
  const states = async (): Promise<Record<string, string>> => {
    const rows = await db.selectFrom('jobs.findings').select(['kind', 'state']).orderBy('id').execute()
    return Object.fromEntries(rows.map(({ kind, state }) => [kind, state]))
  }
  return { clock, db, run, states }
}

t.test('what is over closes after two complete runs that do not see it, and what happened stays', async t => {
  const { db, run, states } = await world(t)
  await run({ findings: [wrong, happened] })
  await run()
  t.same(await states(), { 'row-wrong': 'open', 'payout-failed': 'open' }, 'once may be chance')
  await run()
  t.same(await states(), { 'row-wrong': 'resolved', 'payout-failed': 'open' })
  const [closed] = await db.selectFrom('jobs.findings').selectAll().orderBy('id').execute()
  t.match(closed, { closed_by: 'eleva-jobs', note: 'two complete runs in a row have not seen it any more' })

  await run({ findings: [wrong] })
  const all = await db.selectFrom('jobs.findings').selectAll().where('kind', '=', 'row-wrong').orderBy('id').execute()
  t.match(all, [{ state: 'resolved' }, { state: 'open', occurrences: 1 }], 'and is a new one when it comes again')
})

t.test('a finding that one of the two runs has seen stays', async t => {
  const { run, states } = await world(t)
  await run({ findings: [wrong] })
  await run()
  await run({ findings: [wrong] })
  await run()
  t.same(await states(), { 'row-wrong': 'open' })
  await run({ findings: [wrong], failures: [{ subject: 'row-2', code: 'timeout', message: 'no answer' }] })
  await run()
  t.same(await states(), { 'row-wrong': 'open' }, 'also one that did not end well')
})

t.test('only complete runs count', async t => {
  for (const [name, partial] of Object.entries({
    'a dry run': { dryRun: true },
    'a run that left work': { left: 1 },
    'a run that failed': { fails: true },
    'an incomplete run': { failures: [{ subject: 'row-2', code: 'timeout', message: 'no answer' }] },
    'a run whose every item needs a person': {
      effects: [1, 2, 3].map(id => ({ kind: 'touch', subject: `row-${id}` })),
    },
    'a run of another job': { job: { name: 'other-job' } },
  } satisfies Record<string, Seen>)) {
    const { run, states } = await world(t)
    await run({ findings: [wrong] })
    await run(partial)
    await run(partial)
    await run()
    t.match(await states(), { 'row-wrong': 'open' }, name)
    await run()
    t.match(await states(), { 'row-wrong': 'resolved' }, name)
  }
})

t.test('what another job has seen last, or no run at all, is not for this one to close', async t => {
  const { clock, db, run, states } = await world(t)
  await run({ findings: [wrong] })
  await run({ findings: [wrong], job: { name: 'other-job' } })
  await recordFinding(db, { ...wrong, subject: 'row-2', job: 'test-job', runId: null }, clock())
  await run()
  await run()
  await run()
  t.same(await states(), { 'row-wrong': 'open' })
  t.equal((await db.selectFrom('jobs.findings').select('id').where('state', '=', 'open').execute()).length, 2)
})

t.test('an acknowledged finding closes too and keeps its note; what an operator has closed stays as it is', async t => {
  const { clock, db, run } = await world(t)
  await run({ findings: [wrong] })
  await db.updateTable('jobs.findings').set({ state: 'acknowledged', note: 'ana asks the expert' }).execute()
  const closed = { state: 'resolved', closed_at: clock(), closed_by: 'ana', note: 'seen' } as const
  await addFinding(db, { ...wrong, subject: 'row-2', ...closed })
  await run()
  await run()
  const findings = await db.selectFrom('jobs.findings').selectAll().orderBy('id').execute()
  t.match(findings, [{ state: 'resolved', note: /^ana asks the expert; two complete runs/ }, closed])
})

t.test('a job without standing findings closes nothing', async t => {
  const { run, states } = await world(t)
  const job = { standingFindings: [] }
  await run({ findings: [wrong], job })
  await run({ job })
  await run({ job })
  t.same(await states(), { 'row-wrong': 'open' })
})

t.test('no job lets go by itself of what happened, of what freezes an account, or of what only an approval ends', t => {
  const told = ['payout-unexplained', 'payout-failed', 'paid-row-changed', 'duplicate-at-stripe', 'stray-at-stripe']
  const other = ['operation-held', 'operation-blocked', 'job-failing', 'token-replayed', 'balance-unexplained']
  const standing = jobs.flatMap(({ standingFindings = [] }) => standingFindings)
  t.ok(
    standing.includes('row-refunded') && standing.includes('before-cut-over') && standing.includes('transfer-overdue'),
  )
  const items = ['process-pending-payouts/resource_missing', 'process-expert-transfers/account_invalid']
  t.same(
    items.filter(kind => !standing.includes(kind)),
    [],
    'an item that Stripe refuses is tried by every run until it is mended',
  )
  other.push('process-pending-payouts/refused_for_good', 'process-pending-payouts/key_reused')
  t.same(
    [...told, ...other].filter(kind => standing.includes(kind)),
    [],
  )
  t.end()
})

t.test('a finding about what was not read stays', async t => {
  const { run, states } = await world(t)
  await run({ findings: [wrong] })
  await run({ unread: 1 })
  await run({ unread: 1 })
  t.same(await states(), { 'row-wrong': 'open' })
  await run()
  t.same(await states(), { 'row-wrong': 'resolved' })
})
