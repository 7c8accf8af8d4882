import t from 'tap'
import type { Operation } from '../../src/database/money-operations.ts'
import type { MoneyRow } from '../../src/database/money-rows.ts'
import { recordFailureNotices, recordReceiptNotices } from '../../src/ledger/notices.ts'
import { PermanentError } from '../../src/errors.ts'
import type { LedgerRun } from '../../src/ledger/ledger.ts'
import { checkFacts } from '../../src/notices/facts.ts'
import type { Notice, NoticeKind } from '../../src/notices/notice.ts'
import { findMisfit, recordNotice } from '../../src/notices/record.ts'
import { dropNotice, retryNotice } from '../../src/database/outbox-queries.ts'
import { testDatabase } from '../support/database.ts'
import { appointmentFacts, readers } from '../support/notice-facts.ts'

const at = new Date('2026-03-13T14:30:00Z')
const runId = '0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b'
const facts = appointmentFacts(readers['pt-PT'])
const notice: Notice = {
  kind: 'appointment-reminder-24h',
  subject: `meetings ${facts.meetingId} guest`,
  recipient: 'guest_maria@example.pt',
  occurrence: facts.startsAt,
  facts,
  runId,
  at,
  usefulUntil: null,
}

t.test('a notice is written once, in the transaction that decides it', async t => {
  const { db } = await testDatabase(t)
  t.equal(await recordNotice(db, notice), true)
  t.equal(await recordNotice(db, { ...notice, at: new Date('2027-01-01') }), false)
  const undone = db.transaction().execute(async trx => {
    await recordNotice(trx, { ...notice, occurrence: 'another' })
    throw new Error('the decision failed')
  })
  await t.rejects(undone, { message: 'the decision failed' })
  t.match(await db.selectFrom('jobs.outbox').selectAll().execute(), [{ state: 'pending', facts, next_attempt_at: at }])
  t.same(await db.selectFrom('jobs.findings').selectAll().execute(), [])
})

t.test('facts that do not fit are set aside with a finding, and what was decided stays', async t => {
  const { db } = await testDatabase(t)
  const circle: Record<string, unknown> = {}
  circle['itself'] = circle
  const bad: [string, Record<string, unknown>][] = [
    ['missing', { ...facts, startsAt: undefined }],
    ['zone', { ...facts, reader: { ...facts.reader, timeZone: 'maria@example.pt' } }],
    ['surplus', { ...facts, 'maria@example.pt': 1 }],
    ['bigint', { ...facts, amountCents: 1n }],
    ['circle', circle],
    ['half a character', { ...facts, guestName: 7, expertName: 'A\ud83d \0' }],
  ]
  await db.transaction().execute(async trx => {
    await trx
      .insertInto('jobs.audit_entries')
      .values({ at, actor: 'a job', action: 'decided', subject: 'it' })
      .execute()
    for (const [occurrence, facts] of bad) {
      t.equal(await recordNotice(trx, { ...notice, occurrence, facts }), false, occurrence)
    }
  })
  t.match(await db.selectFrom('jobs.audit_entries').selectAll().execute(), [{ action: 'decided' }])
  const rows = await db.selectFrom('jobs.outbox').selectAll().orderBy('id').execute()
  t.strictSame(
    rows.map(({ finished_at, state }) => [state, finished_at]),
    bad.map(() => ['poison', at]),
  )
  const findings = await db.selectFrom('jobs.findings').selectAll().orderBy('id').execute()
  const reasons = [...new Set(rows.map(({ note }) => note))]
  t.match(
    findings,
    reasons.map(reason => {
      const count = rows.filter(({ note }) => note === reason).length
      const subject = `appointment-universal: ${reason}`
      return { kind: 'notice-poison', subject, run_id: runId, state: 'open', details: { count, reason } }
    }),
    'one finding for each reason, with its count',
  )
  t.equal(findings.length, reasons.length)
  t.notMatch(JSON.stringify([rows.map(({ note }) => note), findings]), /maria|Costa|Silva/, 'and nothing personal')
  t.equal(rows[1]?.note, 'facts: reader/timeZone must be a time zone')

  const again = { ...notice, occurrence: 'zone', facts: bad[1]?.[1] ?? {} }
  t.equal(await recordNotice(db, again), false)
  t.equal(await recordNotice(db, { ...again, facts }), false, 'it was written, and a person decides about it')
  const { occurrences } = await db
    .selectFrom('jobs.findings')
    .select(eb => eb.fn.sum('occurrences').as('occurrences'))
    .executeTakeFirstOrThrow()
  t.equal(Number(occurrences), bad.length)
})

t.test(
  'what was set aside for one reason is one finding, which counts what is left of it and closes with the last',
  async t => {
    const { db } = await testDatabase(t)
    const told = async () =>
      (await db.selectFrom('jobs.findings').select(['message', 'state', 'details']).orderBy('id').execute()).map(
        ({ details, message, state }) => `${state} ${message.split(' ', 1)[0]} ${String(details?.['count'])}`,
      )
    const misfits = Array.from({ length: 8 }, (_, index) => ({ ...notice, occurrence: `${index}`, facts: {} }))
    // On connections of their own, as the runs of several jobs.
    await Promise.all(
      misfits.map(async misfit => await db.transaction().execute(async trx => await recordNotice(trx, misfit))),
    )
    t.strictSame(await told(), ['open 8 8'], 'nobody’s count is lost')
    await recordNotice(db, { ...notice, kind: 'payout-failed', subject: 'operations 1', facts: {} })
    const ids = (await db.selectFrom('jobs.outbox').select('id').orderBy('id').execute()).map(({ id }) => id)
    const change = { operator: 'ana', note: undefined, now: at }
    for (const id of ids.slice(0, 7)) await retryNotice(db, { ...change, id })
    t.strictSame(await told(), ['open 1 1', 'open 1 1'])
    await dropNotice(db, { ...change, id: ids[7] as string })
    t.strictSame(await told(), ['resolved 0 0', 'open 1 1'], 'one of another workflow stands')
  },
)

t.test('what makes no payload that its workflow takes is found before it is stored', async t => {
  t.equal(
    findMisfit(notice, () => ({ workflow: 'appointment-universal', payload: {} })),
    undefined,
  )
  const throwing = (thrown: Error) =>
    findMisfit(notice, () => {
      throw thrown
    })
  const misfit = 'the payload for appointment-universal does not fit: locale must be equal to one of the allowed values'
  t.equal(throwing(new PermanentError(misfit)), `words: ${misfit}`)
  t.equal(throwing(new RangeError('Invalid time zone: maria@example.pt')), 'words: RangeError')
})

t.test('what the ledger writes about money fits', async t => {
  const { db } = await testDatabase(t)
  const row: MoneyRow = {
    id: 7,
    status: 'COMPLETED',
    amountCents: 8500,
    currency: 'eur',
    account: 'acct_1',
    paymentIntentId: 'pi_1',
    transferId: 'tr_1',
    payoutId: null,
    expert: 'user_ana',
    serviceName: null,
    startsAt: new Date('2026-03-14T14:30:00Z'),
  }
  const told = (kind: 'payout' | 'transfer', id: string, failureCode: string | null) => ({
    operation: { id: `0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5${kind.length}`, kind, currency: 'eur' } as Operation,
    object: { id, arrivesAt: kind === 'payout' ? new Date('2026-03-20T00:00:00Z') : null, failureCode, status: 'x' },
    rows: [row, { ...row, id: 8, serviceName: 'Talk' }, { ...row, id: 9, expert: 'user_bo' }],
  })
  const run = { runId } as LedgerRun
  await db.transaction().execute(async trx => {
    await recordReceiptNotices(trx, told('transfer', 'tr_1', null), run, at)
    await recordReceiptNotices(trx, told('payout', 'po_1', null), run, at)
    await recordFailureNotices(trx, told('payout', 'po_1', 'account_closed'), run, at)
    await recordFailureNotices(trx, told('payout', 'po_2', null), run, at)
  })
  const rows = await db.selectFrom('jobs.outbox').selectAll().execute()
  t.equal(rows.length, 8, 'each of two experts hears each of the four')
  for (const { facts, kind, note, state } of rows) {
    t.strictSame([state, note, checkFacts(kind as NoticeKind, facts)], ['pending', null, undefined], kind)
  }
})
