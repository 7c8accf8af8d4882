import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { jobs } from '../../src/jobs/index.ts'
import {
  moneyJobs,
  owedAfterMs,
  planTasks,
  processTasks,
  recordsPerDelete,
  subtractMonths,
} from '../../src/jobs/process-tasks.ts'
import { findPayoutOwners } from '../../src/database/payout-accounts.ts'
import { deleteOldRecords, type Purged } from '../../src/database/retention.ts'
import { type OutboxState, operationStates } from '../../src/database/tables.ts'
import {
  addAuditEntry,
  addDeadLetter,
  addDeliveryToken,
  addFinding,
  addPing,
  addProfile,
  addRun,
  addTokenRefresh,
  readAll,
} from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { addOperation } from '../support/operations.ts'

const now = '2027-03-31T04:00:00.000Z'
const all = { owedPings: 0, hasProfiles: true }

t.test('months are counted in UTC and end where the month ends', async t => {
  const cases = [
    ['2027-03-31T04:00:00.000Z', 13, '2026-02-28T04:00:00.000Z'],
    ['2029-03-31T04:00:00.000Z', 13, '2028-02-29T04:00:00.000Z'],
    ['2028-02-29T04:00:00.000Z', 12, '2027-02-28T04:00:00.000Z'],
    ['2028-02-29T04:00:00.000Z', 7 * 12, '2021-02-28T04:00:00.000Z'],
    ['2028-02-29T04:00:00.000Z', 48, '2024-02-29T04:00:00.000Z'],
    ['2027-01-15T23:59:59.999Z', 13, '2025-12-15T23:59:59.999Z'],
    ['2026-12-31T00:00:00.000Z', 1, '2026-11-30T00:00:00.000Z'],
    ['2026-12-31T00:00:00.000Z', 0, '2026-12-31T00:00:00.000Z'],
    // The host's zone may be on another day: only UTC counts.
    ['2027-04-01T00:30:00.000Z', 1, '2027-03-01T00:30:00.000Z'],
    ['2027-03-31T23:30:00.000Z', 1, '2027-02-28T23:30:00.000Z'],
  ] as const
  for (const [at, months, wanted] of cases) {
    t.equal(subtractMonths(new Date(at), months).toISOString(), wanted, `${months} months before ${at}`)
  }
})

t.test('each kind of record has its own time, counted from now', async t => {
  const { effects } = planTasks(all, new Date(now))
  t.same(
    effects.map(effect => [effect.kind, effect.subject, effect.kind === 'purge' && effect.before.toISOString()]),
    [
      ['purge', 'jobs.runs', '2026-12-31T04:00:00.000Z'],
      ['purge', 'jobs.runs (failed or money)', '2026-02-28T04:00:00.000Z'],
      ['purge', 'jobs.delivery_tokens', '2027-03-30T04:00:00.000Z'],
      ['purge', 'jobs.heartbeat_pings', '2026-12-31T04:00:00.000Z'],
      ['purge', 'jobs.findings', '2026-02-28T04:00:00.000Z'],
      ['purge', 'jobs.findings (payouts)', '2020-03-31T04:00:00.000Z'],
      ['purge', 'jobs.dead_letters', '2026-02-28T04:00:00.000Z'],
      ['purge', 'jobs.audit_entries', '2020-03-31T04:00:00.000Z'],
      ['purge', 'jobs.token_refreshes', now],
      ['purge', 'jobs.outbox', '2026-12-31T04:00:00.000Z'],
      ['purge', 'jobs.outbox (unknown or poison)', '2026-02-28T04:00:00.000Z'],
      ['purge', 'jobs.money_operation_items', '2020-03-31T04:00:00.000Z'],
      ['purge', 'jobs.money_operations', '2020-03-31T04:00:00.000Z'],
    ],
  )
  t.equal(new Set(effects.map(effect => effect.subject)).size, effects.length, 'no two effects have one subject')
})

t.test('owed pings are sent only when there are some, and refresh records stay when profiles are unknown', async t => {
  t.notOk(planTasks(all, new Date(now)).effects.some(effect => effect.kind === 'send-owed-pings'))
  const { effects } = planTasks({ owedPings: 2, hasProfiles: false }, new Date(now))
  t.same(effects.at(-1), { kind: 'send-owed-pings', subject: 'jobs.heartbeat_pings' })
  t.notOk(effects.some(effect => effect.subject === 'jobs.token_refreshes'))
})

t.test('runs of every job that moves money are kept for 13 months', async t => {
  t.same(
    [...moneyJobs].toSorted(),
    jobs
      .filter(job => job.movesMoney)
      .map(job => job.name)
      .toSorted(),
  )
})

const monthsAgo = (months: number, ms = 0): Date => new Date(subtractMonths(new Date(now), months).getTime() + ms)
const daysAgo = (days: number, ms = 0): Date => new Date(Date.parse(now) - days * 86_400_000 + ms)

t.test('a run record goes after 90 days, and after 13 months when it failed', async t => {
  const { db } = await testDatabase(t)
  const kept: string[] = []
  for (const state of ['succeeded', 'skipped', 'paused', 'duplicate', 'interrupted'] as const) {
    await addRun(db, { state, started_at: daysAgo(90, -1) })
    kept.push(await addRun(db, { state, started_at: daysAgo(90) }))
  }
  for (const state of ['failed', 'incomplete', 'abandoned'] as const) {
    await addRun(db, { state, started_at: monthsAgo(13, -1) })
    kept.push(await addRun(db, { state, started_at: monthsAgo(13) }))
  }
  kept.push(await addRun(db, { state: 'running', started_at: new Date(0) }))
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  const { counts } = await applyAll(processTasks, plan.effects, context)
  t.same((await readAll(db, 'jobs.runs')).map(run => run.id).toSorted(), kept.toSorted())
  t.match(counts, { 'jobs.runs': 5, 'jobs.runs (failed or money)': 3 })
})

t.test('a run of a money job is kept for 13 months even when it went well', async t => {
  const { db } = await testDatabase(t)
  const money = await addRun(db, { job: 'pay', started_at: daysAgo(91) })
  await addRun(db, { job: 'tidy', started_at: daysAgo(91) })
  const purge = async (subject: Purged, before: Date): Promise<number> =>
    await deleteOldRecords(db, { subject, before, moneyJobs: ['pay'] }, 10)
  t.equal(await purge('jobs.runs', daysAgo(90)), 1)
  t.equal(await purge('jobs.runs (failed or money)', monthsAgo(13)), 0)
  t.same(
    (await readAll(db, 'jobs.runs')).map(run => run.id),
    [money],
  )
  t.equal(await purge('jobs.runs (failed or money)', daysAgo(90)), 1, 'and then it goes')
})

t.test('every other record goes when its time is up and not a millisecond before', async t => {
  const { db } = await testDatabase(t)
  const gone = await addProfile(db)
  const here = await addProfile(db)
  await db.deleteFrom('profiles').where('clerkUserId', '=', gone).execute()
  for (const ms of [-1, 0]) {
    await addDeliveryToken(db, { seen_at: daysAgo(1, ms) })
    await addPing(db, { state: 'delivered', happened_at: daysAgo(90, ms) })
    await addPing(db, { state: 'dropped', happened_at: daysAgo(90, ms) })
    await addFinding(db, { state: 'resolved', closed_at: monthsAgo(13, ms), closed_by: 'ana' })
    await addFinding(db, {
      kind: 'payout-unexplained',
      subject: `po_${ms}`,
      state: 'resolved',
      closed_at: monthsAgo(84, ms),
      closed_by: 'ana',
    })
    await addDeadLetter(db, { received_at: monthsAgo(13, ms) })
    await addAuditEntry(db, { at: monthsAgo(84, ms) })
  }
  await addFinding(db, { first_seen_at: new Date(0), last_seen_at: new Date(0) })
  await addFinding(db, { state: 'acknowledged', first_seen_at: new Date(0), last_seen_at: new Date(0) })
  await addPing(db, { happened_at: new Date(0) })
  await addPing(db, { state: 'sending', happened_at: new Date(0) })
  await addTokenRefresh(db, { clerk_user_id: gone })
  await addTokenRefresh(db, { clerk_user_id: here })
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  const { counts } = await applyAll(processTasks, plan.effects, context)
  t.same(counts, {
    'jobs.runs': 0,
    'jobs.runs (failed or money)': 0,
    'jobs.delivery_tokens': 1,
    'jobs.heartbeat_pings': 2,
    'jobs.findings': 1,
    'jobs.findings (payouts)': 1,
    'jobs.dead_letters': 1,
    'jobs.audit_entries': 1,
    'jobs.token_refreshes': 1,
    'jobs.outbox': 0,
    'jobs.outbox (unknown or poison)': 0,
    'jobs.money_operation_items': 0,
    'jobs.money_operations': 0,
    pings_delivered: 0,
    pings_dropped: 0,
    pings_owed: 0,
  })
  t.same((await readAll(db, 'jobs.findings')).map(finding => finding.state).toSorted(), [
    'acknowledged',
    'open',
    'resolved',
    'resolved',
  ])
  t.same((await readAll(db, 'jobs.heartbeat_pings')).map(ping => ping.state).toSorted(), [
    'delivered',
    'dropped',
    'pending',
    'sending',
  ])
  t.same(
    (await readAll(db, 'jobs.token_refreshes')).map(refresh => refresh.clerk_user_id),
    [here],
  )
})

t.test('an explained payout stays explained as long as the audit tells about it', async t => {
  const { db } = await testDatabase(t)
  const kind = 'payout-unexplained'
  for (const [subject, months, ms] of [
    ['po_13', 13, -1],
    ['po_83', 84, 0],
    ['po_84', 84, -1],
  ] as const) {
    await addFinding(db, { kind, subject, state: 'resolved', closed_at: monthsAgo(months, ms), closed_by: 'ana' })
  }
  const refunded = { kind: 'refunded-after-payout', subject: 'payment_transfers 1' }
  await addFinding(db, { ...refunded, state: 'resolved', closed_at: monthsAgo(13, -1), closed_by: 'ana' })
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  t.match((await applyAll(processTasks, plan.effects, context)).counts, {
    'jobs.findings': 0,
    'jobs.findings (payouts)': 1,
  })
  const payouts = ['po_13', 'po_83', 'po_84'].map(id => ({ id, operationId: null }))
  t.same([...(await findPayoutOwners(db, payouts)).resolved].toSorted(), ['po_13', 'po_83'])
})

t.test(
  'a notice goes 90 days after it was written when it was sent or dropped, and stays while it is owed',
  async t => {
    const { db } = await testDatabase(t)
    const states = ['pending', 'sending', 'sent', 'unknown', 'dropped', 'poison'] as const
    const kept = await addNotices(db, { states, gone: ['sent', 'dropped'], at: ms => daysAgo(90, ms) })
    const context = testContext(db, now)
    const plan = await planOf(processTasks, context)
    t.match((await applyAll(processTasks, plan.effects, context)).counts, { 'jobs.outbox': 2 })
    t.same(await listNotices(db), kept)
  },
)

t.test('a notice that was never known to arrive goes after 13 months, and one that is owed never', async t => {
  const { db } = await testDatabase(t)
  const states = ['pending', 'sending', 'unknown', 'poison'] as const
  const kept = await addNotices(db, { states, gone: ['unknown', 'poison'], at: ms => monthsAgo(13, ms) })
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  const { counts } = await applyAll(processTasks, plan.effects, context)
  t.match(counts, { 'jobs.outbox': 0, 'jobs.outbox (unknown or poison)': 2 })
  t.same(await listNotices(db), kept)
})

t.test('an operation and its rows go after seven years when it is through, and never before', async t => {
  const { db } = await testDatabase(t)
  const kept: string[] = []
  for (const state of operationStates) {
    for (const ms of [-1, 0]) {
      for (const kind of ['transfer', 'payout'] as const) {
        const id = await addOperation(db, { kind, state, updated_at: monthsAgo(84, ms) })
        const isThrough = ['paid', 'failed', 'canceled', 'rejected'].includes(state)
        if (ms === 0 || !(isThrough || (state === 'created' && kind === 'transfer'))) kept.push(id)
      }
    }
  }
  const failed = await addOperation(db, { state: 'failed', updated_at: monthsAgo(84, -1) })
  kept.push(failed, await addOperation(db, { state: 'created', updated_at: monthsAgo(0), replaces: failed }))
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  const { counts } = await applyAll(processTasks, plan.effects, context)
  t.match(counts, { 'jobs.money_operations': 9, 'jobs.money_operation_items': 10 })
  t.same((await readAll(db, 'jobs.money_operations')).map(row => row.id).toSorted(), kept.toSorted())
})

t.test('many records go in batches, and a run that must stop stops between two of them', async t => {
  const { db } = await testDatabase(t)
  for (let from = 0; from < 12_000; from += 3_000) {
    const rows = Array.from({ length: 3_000 }, () => ({ at: new Date(0), actor: 'a', action: 'b', subject: 'c' }))
    await db.insertInto('jobs.audit_entries').values(rows).execute()
  }
  const stop = new AbortController()
  let batches = 0
  const watched = new Proxy(db, {
    get: (target, name) => {
      if (name === 'getExecutor') {
        batches += 1
        if (batches === 2) stop.abort(new Error('the process is ending'))
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const audit = planTasks(all, new Date(now)).effects.filter(effect => effect.subject === 'jobs.audit_entries')
  await t.rejects(
    applyAll(processTasks, audit, testContext(watched, now, { signal: stop.signal })),
    /process is ending/,
  )
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 12_000 - 2 * recordsPerDelete, 'what was deleted stays so')
  t.match((await applyAll(processTasks, audit, testContext(db, now))).counts, { 'jobs.audit_entries': 2_000 })
  t.same(await readAll(db, 'jobs.audit_entries'), [])
})

t.test('a ping owed for more than ten minutes is sent again; one still owed then is a finding', async t => {
  const { db } = await testDatabase(t)
  const justOwed = new Date(Date.parse(now) - owedAfterMs)
  await addPing(db, { happened_at: justOwed })
  t.equal((await planOf(processTasks, testContext(db, now))).counts?.['owed_pings'], 0)
  await addPing(db, { happened_at: new Date(justOwed.getTime() - 1) })
  await addPing(db, { state: 'sending', happened_at: new Date(0) })
  await addPing(db, { state: 'dropped', happened_at: new Date(0) })

  let calls = 0
  const answering = (owed: number) => ({
    sendOwedPings: async () => {
      calls += 1
      return { delivered: 2, dropped: 1, owed }
    },
  })
  const healed = testContext(db, now, answering(0))
  const plan = await planOf(processTasks, healed)
  t.equal(plan.counts?.['owed_pings'], 2)
  t.equal(calls, 0, 'planning sends nothing')
  const sending = plan.effects.filter(effect => effect.kind === 'send-owed-pings')
  t.same(await applyAll(processTasks, sending, healed), {
    counts: { pings_delivered: 2, pings_dropped: 1, pings_owed: 0 },
    findings: [],
  })
  const { findings } = await applyAll(processTasks, sending, testContext(db, now, answering(4)))
  t.match(findings, [{ kind: 'heartbeats-owed', subject: 'jobs.heartbeat_pings', details: { owed: 4 } }])
  t.equal(calls, 2)
})

t.test('without the profiles table the refresh records stay, and the rest is done', async t => {
  const { db } = await testDatabase(t)
  await addTokenRefresh(db)
  await addDeliveryToken(db)
  await db.schema.dropTable('profiles').execute()
  const context = testContext(db, now)
  const plan = await planOf(processTasks, context)
  t.match((await applyAll(processTasks, plan.effects, context)).counts, { 'jobs.delivery_tokens': 1 })
  t.equal((await readAll(db, 'jobs.token_refreshes')).length, 1)
})

interface AgedNotices {
  readonly states: readonly OutboxState[]
  /** Those that are to go when they are too old by a millisecond. */
  readonly gone: readonly OutboxState[]
  readonly at: (ms: number) => Date
}

/** Writes a notice of each state at the last moment of its time and a millisecond before; gives those that are to stay. */
async function addNotices(db: Db, { at, gone, states }: AgedNotices): Promise<string[]> {
  const kept: string[] = []
  for (const state of states) {
    for (const ms of [-1, 0]) {
      const notice = { kind: 'payout-upcoming', subject: `payment_transfers ${ms}`, recipient: 'user_1' }
      const key = { occurrence: state, facts: '{}', transaction_id: `${state} ${ms}` }
      await db
        .insertInto('jobs.outbox')
        .values({ ...notice, ...key, ...lifeOf(state, at(ms)) })
        .execute()
      if (ms === 0 || !gone.includes(state)) kept.push(`${state} ${ms}`)
    }
  }
  return kept.toSorted()
}

async function listNotices(db: Db): Promise<string[]> {
  return (await readAll(db, 'jobs.outbox')).map(row => `${row.state} ${row.subject.split(' ')[1]}`).toSorted()
}

/** The columns of a notice that has got to `state`. */
function lifeOf(state: OutboxState, at: Date) {
  return {
    state,
    next_attempt_at: at,
    created_at: at,
    claimed_until: state === 'sending' ? at : null,
    finished_at: ['sent', 'dropped', 'poison'].includes(state) ? at : null,
  }
}
