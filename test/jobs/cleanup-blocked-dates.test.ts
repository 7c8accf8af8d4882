import t from 'tap'
import { applyMarketplace } from '../../src/sandbox/marketplace.ts'
import { seedDemo } from '../../src/sandbox/demo.ts'
import {
  type DeleteBlockedDates,
  cleanupBlockedDates,
  maxRows,
  planCleanup,
} from '../../src/jobs/cleanup-blocked-dates.ts'
import type { BlockedDate } from '../../src/database/blocked-dates.ts'
import { addBlockedDate, readAll } from '../support/builders.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'

const row = (timezone: string, date = '2026-05-10', id = 1): BlockedDate => ({ id, date, timezone })

const planAt = (at: string, ...rows: BlockedDate[]) => planCleanup({ rows, total: rows.length }, new Date(at))

const isOver = (at: string, timezone: string, date?: string): boolean =>
  planAt(at, row(timezone, date)).effects.length === 1

t.test('a blocked date is over when tomorrow begins in its own zone, to the millisecond', async t => {
  const boundaries = [
    ['UTC', '2026-05-10', '2026-05-11T00:00:00.000Z'],
    ['Pacific/Auckland', '2026-05-10', '2026-05-10T12:00:00.000Z'],
    ['America/Los_Angeles', '2026-05-10', '2026-05-11T07:00:00.000Z'],
    ['Pacific/Kiritimati', '2026-05-10', '2026-05-10T10:00:00.000Z'],
    ['Etc/GMT+12', '2026-05-10', '2026-05-11T12:00:00.000Z'],
    ['Asia/Kathmandu', '2026-05-10', '2026-05-10T18:15:00.000Z'],
    ['Australia/Lord_Howe', '2026-05-10', '2026-05-10T13:30:00.000Z'],
    ['+05:30', '2026-05-10', '2026-05-10T18:30:00.000Z'],
    ['Europe/Lisbon', '2026-02-28', '2026-03-01T00:00:00.000Z'],
    ['Europe/Lisbon', '2028-02-28', '2028-02-29T00:00:00.000Z'],
    ['Europe/Lisbon', '2026-12-31', '2027-01-01T00:00:00.000Z'],
  ] as const
  for (const [zone, date, end] of boundaries) {
    t.equal(isOver(end, zone, date), true, `${date} in ${zone} is over at ${end}`)
    const before = new Date(Date.parse(end) - 1).toISOString()
    t.equal(isOver(before, zone, date), false, `${date} in ${zone} is not over at ${before}`)
  }
})

t.test('a day of 23 or of 25 hours is over when it ends, and not 24 hours after it began', async t => {
  const days = [
    ['Europe/Lisbon', '2026-03-29', '2026-03-29T23:00:00.000Z'],
    ['Europe/Lisbon', '2026-10-25', '2026-10-26T00:00:00.000Z'],
    ['America/New_York', '2026-03-08', '2026-03-09T04:00:00.000Z'],
    ['America/New_York', '2026-11-01', '2026-11-02T05:00:00.000Z'],
    // The clock jumps over midnight itself.
    ['America/Asuncion', '2024-10-05', '2024-10-06T04:00:00.000Z'],
    ['Africa/Cairo', '2026-04-23', '2026-04-23T22:00:00.000Z'],
    // Samoa had no 30 December 2011 at all.
    ['Pacific/Apia', '2011-12-29', '2011-12-30T10:00:00.000Z'],
    ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z'],
  ] as const
  for (const [zone, date, end] of days) {
    t.equal(isOver(end, zone, date), true, `${date} in ${zone} is over at ${end}`)
    const before = new Date(Date.parse(end) - 1).toISOString()
    t.equal(isOver(before, zone, date), false, `${date} in ${zone} is not over at ${before}`)
  }
})

t.test('a zone that does not exist is one finding per row, and harms no other row', async t => {
  const plan = planAt(
    '2026-05-12T09:00:00Z',
    row('Lisbon', '2026-05-12', 1),
    row('', '2026-05-12', 2),
    row('Europe/Lisbon', '2026-05-10', 3),
    row(' Europe/Lisbon', '2026-05-12', 4),
    row('Mars/Phobos', '2026-05-12', 5),
    row('__proto__', '2026-05-12', 6),
  )
  t.same(
    plan.findings?.map(({ kind, subject }) => `${kind} ${subject}`),
    [1, 2, 4, 5, 6].map(id => `blocked-date-zone blocked_dates ${id}`),
  )
  t.same(plan.effects, [
    {
      kind: 'delete-blocked-dates',
      subject: 'blocked_dates 3',
      rows: [{ id: 3, date: '2026-05-10', timezone: 'Europe/Lisbon' }],
    },
  ])
  t.notOk(plan.failures, 'it is no failure')
  t.notMatch(JSON.stringify(plan.findings), /Mars/, 'what somebody typed is not repeated')
})

t.test('a row without a valid zone goes when its day is over everywhere on Earth', async t => {
  t.equal(isOver('2026-05-11T23:59:59.999Z', 'Lisbon'), false)
  t.equal(isOver('2026-05-12T00:00:00.000Z', 'Lisbon'), true)
  for (const zone of ['Etc/GMT+12', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Lisbon']) {
    t.equal(isOver('2026-05-12T00:00:00.000Z', zone), true, `the day is over in ${zone} by then`)
  }
})

t.test('many rows are deleted in chunks, each with the ids it is about', async t => {
  const rows = Array.from({ length: 1_201 }, (_, index) => row('UTC', '2026-05-01', index + 1))
  const plan = planAt('2026-05-12T00:00:00Z', ...rows)
  t.same(
    plan.effects.map(effect => effect.rows.length),
    [500, 500, 201],
  )
  t.match(plan.effects[2]?.subject, /^blocked_dates 1001,1002,.*,1201$/)
  t.equal(new Set(plan.effects.map(effect => effect.subject)).size, 3)
})

t.test('rows beyond what one run takes on are left for the next', async t => {
  const plan = planCleanup({ rows: [row('UTC')], total: 8 }, new Date('2026-05-12T00:00:00Z'))
  t.equal(plan.left, 7)
  t.same(planCleanup({ rows: [], total: 0 }, new Date(0)), {
    effects: [],
    findings: [],
    left: 0,
    counts: { candidates: 0 },
  })
})

t.test('the run at midnight deletes what is over and keeps what is not', async t => {
  const { db } = await testDatabase(t)
  const now = '2026-05-11T00:00:00.000Z'
  const over = [
    await addBlockedDate(db, { date: '2026-05-10', timezone: 'UTC' }),
    await addBlockedDate(db, { date: '2026-05-10', timezone: 'Pacific/Auckland' }),
    await addBlockedDate(db, { date: '2020-01-01', timezone: 'America/Los_Angeles' }),
    await addBlockedDate(db, { date: '2026-05-09', timezone: 'Nowhere' }),
    await addBlockedDate(db, { date: '2026-05-10', timezone: 'UTC' }),
  ]
  const kept = [
    await addBlockedDate(db, { date: '2026-05-11', timezone: 'Pacific/Auckland' }),
    await addBlockedDate(db, { date: '2026-05-10', timezone: 'America/Los_Angeles' }),
    await addBlockedDate(db, { date: '2026-05-10', timezone: 'Nowhere' }),
    await addBlockedDate(db, { date: '2026-05-11', timezone: 'UTC' }),
    await addBlockedDate(db, { date: '2027-05-11', timezone: 'Nowhere' }),
  ]
  const context = testContext(db, now)
  const plan = await planOf(cleanupBlockedDates, context)
  t.equal(plan.findings?.length, 2, 'rows that lie ahead are not looked at')
  t.same((await applyAll(cleanupBlockedDates, plan.effects, context)).counts, {
    deleted: over.length,
    changed_meanwhile: 0,
  })
  t.same(
    (await readAll(db, 'blocked_dates')).map(({ id }) => id),
    kept,
  )

  t.same((await planOf(cleanupBlockedDates, context)).effects, [], 'a second run finds nothing to do')
  t.same((await applyAll(cleanupBlockedDates, plan.effects, context)).counts, { deleted: 0, changed_meanwhile: 5 })
})

t.test('east of UTC a day is deleted while UTC still has the same date', async t => {
  const { db } = await testDatabase(t)
  await addBlockedDate(db, { date: '2026-05-10', timezone: 'Pacific/Auckland' })
  const plan = await planOf(cleanupBlockedDates, testContext(db, '2026-05-10T12:00:00.000Z'))
  t.equal(plan.effects.length, 1)
})

t.test('a row that changed after the plan is kept', async t => {
  const { db } = await testDatabase(t)
  const moved = await addBlockedDate(db)
  const rezoned = await addBlockedDate(db, { timezone: 'UTC' })
  const untouched = await addBlockedDate(db)
  const context = testContext(db, '2026-05-13T00:00:00Z')
  const { effects } = await planOf(cleanupBlockedDates, context)
  await db.updateTable('blocked_dates').set({ date: '2026-06-01' }).where('id', '=', moved).execute()
  await db.updateTable('blocked_dates').set({ timezone: 'utc' }).where('id', '=', rezoned).execute()
  t.same((await applyAll(cleanupBlockedDates, effects, context)).counts, { deleted: 1, changed_meanwhile: 2 })
  t.same(
    (await readAll(db, 'blocked_dates')).map(({ id }) => id),
    [moved, rezoned],
  )
  t.notOk((await readAll(db, 'blocked_dates')).some(({ id }) => id === untouched))
})

t.test('an effect without rows deletes nothing', async t => {
  const { db } = await testDatabase(t)
  await addBlockedDate(db)
  const effect: DeleteBlockedDates = { kind: 'delete-blocked-dates', subject: 'blocked_dates ', rows: [] }
  await applyAll(cleanupBlockedDates, [effect], testContext(db, '2026-05-13T00:00:00Z'))
  t.equal((await readAll(db, 'blocked_dates')).length, 1)
})

t.test('a run takes the oldest rows and counts the rest, and never reads why a date is blocked', async t => {
  const { db } = await testDatabase(t)
  const many = Array.from({ length: maxRows + 25 }, (_, index) => ({
    clerk_user_id: 'user_1',
    date: index < maxRows ? '2026-01-02' : '2026-01-03',
    timezone: 'UTC',
    reason: 'a private matter',
  }))
  for (let from = 0; from < many.length; from += 1_005) {
    await db
      .insertInto('blocked_dates')
      .values(many.slice(from, from + 1_005))
      .execute()
  }
  const context = testContext(db, '2026-05-13T00:00:00Z')
  const plan = await planOf(cleanupBlockedDates, context)
  t.equal(plan.left, 25)
  t.equal(plan.effects.length, 10)
  t.notMatch(JSON.stringify(plan), /private|user_1/)
  await applyAll(cleanupBlockedDates, plan.effects, context)
  t.same([...new Set((await readAll(db, 'blocked_dates')).map(({ date }) => date))], ['2026-01-03'])
})

t.test('the demo holds what the job is for', async t => {
  const { db } = await emptyDatabase(t)
  await applyMarketplace(db)
  for (const now of ['2026-05-10T00:00:00Z', '2026-03-29T11:30:00Z', '2026-12-31T23:59:59Z']) {
    await db.deleteFrom('blocked_dates').execute()
    await db.deleteFrom('profiles').execute()
    await db.deleteFrom('users' as 'profiles').execute()
    await db.deleteFrom('schedules' as 'profiles').execute()
    const demo = await seedDemo(db, new Date(now))
    const context = testContext(db, now)
    const plan = await planOf(cleanupBlockedDates, context)
    const { counts } = await applyAll(cleanupBlockedDates, plan.effects, context)
    t.same(counts, { deleted: demo.blockedDatesOver, changed_meanwhile: 0 }, now)
    t.equal((await readAll(db, 'blocked_dates')).length, demo.blockedDates - demo.blockedDatesOver)
    t.equal((await readAll(db, 'profiles')).length, demo.experts)
    t.equal(plan.findings?.length, 2)
  }
})
