import { sql } from 'kysely'
import t from 'tap'
import { explainNotice } from '../../src/cli/notice-notes.ts'
import { countSetAside, retryPoison } from '../../src/database/outbox-poison.ts'
import { listNotices, type NoticeFilter } from '../../src/database/outbox-queries.ts'
import { maskRecipient } from '../../src/runner/mask-recipient.ts'
import { recordPoison } from '../../src/notices/record-poison.ts'
import { addBooking } from '../support/bookings.ts'
import { readAll } from '../support/builders.ts'
import { cli, json } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'
import { addHold } from '../support/holds.ts'
import { oweNotice, readNotice } from '../support/notices.ts'

t.setTimeout(240_000)

t.test('notices are listed without what they say, and no address is shown whole', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  t.match(await cli(t, ['notices'], env), { code: 0, stdout: 'no notices\n' })
  const id = await oweNotice(db, { facts: { guestName: 'Ana Example' } })
  await oweNotice(db, { kind: 'payout-failed' })
  await db
    .updateTable('jobs.outbox')
    .set({ state: 'poison', note: 'payload_invalid', finished_at: new Date(), attempts: 2 })
    .where('id', '=', id)
    .execute()
  const list = await cli(t, ['notices'], env)
  t.match(list.stdout, /appointment-reminder-1h +poison +2 +guest_a…@….test +meetings 1 guest +its workflow at Novu/)
  t.match(list.stdout, /payout-failed +pending +0 .*waits for its time/)
  const show = await cli(t, ['notices', 'show', id], env)
  t.match(
    show.stdout,
    /^appointment-reminder-1h poison notice \d+\n[^]*why +its workflow .* \(payload_invalid\)\n[^]*tries +2\n/,
  )
  const asJson = await json(t, ['notices', 'show', id], env)
  t.match(asJson.document, { id, state: 'poison', why: /\(payload_invalid\)$/ })
  for (const said of [list.stdout, show.stdout, JSON.stringify(asJson)])
    t.notMatch(said, /ana@|guests\.test|Ana Example/)

  t.match((await json(t, ['notices', '--state', 'poison'], env)).document, { notices: [{ id }], next: null })
  t.match((await json(t, ['notices', '--kind', 'payout-failed'], env)).document, { notices: [{ state: 'pending' }] })
  t.match(await cli(t, ['notices', '--limit', '1'], env), { stdout: /more: --before \d+\n$/ })
  t.match(await cli(t, ['notices', 'show', '99'], env), {
    code: 1,
    stderr: /there is no notice 99: `notices` lists them/,
  })
  t.match(await cli(t, ['notices', 'show', 'x'], env), { code: 1, stderr: /A notice has a number/ })
  t.equal(maskRecipient('user_2abc'), 'user_2abc')
})

t.test('a notice that was set aside is tried again, its finding closes, and the audit has who and why', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const id = await oweNotice(db)
  await db.updateTable('jobs.outbox').set({ state: 'poison', note: 'x', finished_at: new Date() }).execute()
  await recordPoison(db, [{ kind: 'appointment-reminder-1h', reason: 'x', runId: null }], new Date())
  const note = ['--note', 'the field is back', '--as', 'ana']
  t.match(await cli(t, ['notices', 'retry', id, ...note], env), { code: 0, stdout: /goes out with the next pass/ })
  t.match(await readNotice(db, id), { state: 'pending', finished_at: undefined })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'resolved', closed_by: 'ana' }])
  t.match(await readAll(db, 'jobs.audit_entries'), [
    { actor: 'ana', action: 'notice.retry', subject: `outbox ${id}`, details: { note: 'the field is back' } },
  ])
  t.match(await cli(t, ['notices', 'show', id], env), { stdout: /ana +notice\.retry +note the field is back/ })
})

t.test('what was told of a booking is found by any id of it, and by who was told', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const transfer = await addBooking(db, { paymentIntentId: 'pi_ana', expert: 'user_ana', meetingEndsAt: null })
  const held = { paymentIntentId: 'pi_ana', guestEmail: 'rui@guests.test', meeting: 'succeeded' }
  const { id: hold, meetingId: meeting } = await addHold(db, held)
  const told = [
    [`meetings ${meeting} guest`, 'guest_rui@guests.test'],
    [`meetings ${meeting} expert`, 'user_ana'],
    ['payment_intents pi_ana', 'guest_rui@guests.test'],
    [`payment_transfers ${transfer}`, 'user_ana'],
    ['payment_intents pi_other', 'guest_rui@guests.test'],
  ] as const
  for (const [index, [subject, recipient]] of told.entries()) {
    const id = await oweNotice(db, { name: `${index}` })
    await sql`update jobs.outbox set subject = ${subject}, recipient = ${recipient} where id = ${id}`.execute(db)
  }
  const list = async (filter: NoticeFilter): Promise<readonly string[]> =>
    (await listNotices(db, filter)).map(({ subject }) => subject).toReversed()
  const ofBooking = told.slice(0, 4).map(([subject]) => subject)
  for (const about of [meeting, hold, 'pi_ana', `${transfer}`]) {
    t.same(await list({ about, limit: 9 }), ofBooking, about)
  }
  t.same(await list({ about: 'pi_other', limit: 9 }), ['payment_intents pi_other'])
  t.same(await list({ about: `meetings ${meeting} guest`, limit: 9 }), [ofBooking[0]], 'as a list shows it')
  t.same(await list({ about: "'; drop", limit: 9 }), [])
  await sql`insert into users ("clerkUserId", email) values ('user_ana', 'Ana@experts.test')
    on conflict ("clerkUserId") do update set email = excluded.email`.execute(db)
  for (const to of [' ana@EXPERTS.test', 'user_ana']) t.same(await list({ to, limit: 9 }), [ofBooking[1], ofBooking[3]])
  t.same(await list({ to: 'Rui@guests.test', about: 'pi_ana', limit: 9 }), [ofBooking[0], ofBooking[2]])

  const found = await cli(t, ['notices', '--about', meeting, '--to', 'rui@guests.test'], env)
  t.match(found.stdout, /guest_r…@….test +payment_intents pi_ana/)
  t.notMatch(found.stdout, /rui@|pi_other|user_ana/)
  for (const wrong of [
    ['--kind', 'bogus'],
    ['--state', 'bogus'],
  ]) {
    const choices = wrong[0] === '--kind' ? /appointment-reminder-24h, .*job-recovered/ : /pending, .*poison/
    t.match(await cli(t, ['notices', ...wrong], env), { code: 1, stderr: choices })
  }
})

t.test('all of a kind that were set aside are tried again, as many as were counted', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const kind = 'payout-failed'
  for (const name of ['1', '2', '3']) await oweNotice(db, { name, kind })
  await oweNotice(db, { name: '4' })
  await sql`update jobs.outbox set state = 'poison', note = 'x', finished_at = now() where subject <> 'meetings 3 guest'`.execute(
    db,
  )
  const poisoned = { kind, reason: 'x', runId: null }
  await recordPoison(db, [poisoned, { ...poisoned, kind: 'appointment-reminder-1h' }], new Date())
  const retry = ['notices', 'retry', '--kind', kind, '--state', 'poison']
  t.match(await cli(t, retry, env), { code: 1, stderr: /nothing was changed: 2 notice\(s\) .* add --yes/ })
  const change = { kind, operator: 'ana', note: 'y', now: new Date() }
  t.equal(await retryPoison(db, { ...change, count: 3 }), 2, 'nothing, where it is not as it was counted')
  t.equal(await countSetAside(db, kind), 2)
  t.match(await cli(t, [...retry, '--yes', '--as', 'ana'], env), {
    code: 0,
    stdout: /^2 notice\(s\) go out with the next/,
  })
  const states = (await listNotices(db, { limit: 9 })).map(({ kind: of, state }) => `${of} ${state}`)
  t.same(states.toReversed(), [
    `${kind} pending`,
    `${kind} pending`,
    `${kind} pending`,
    'appointment-reminder-1h poison',
  ])
  t.match(await readAll(db, 'jobs.audit_entries'), [{ actor: 'ana' }, { actor: 'ana', action: 'notice.retry' }])
  const findings = (await readAll(db, 'jobs.findings')).map(({ state, subject }) => `${subject} ${state}`)
  t.same(findings.toSorted(), ['appointment-universal: x open', 'expert-management: x resolved'])
  t.match(await cli(t, [...retry, '--yes'], env), { code: 0, stdout: /^no notice of the kind/ })
  t.match(await cli(t, ['notices', 'retry', '--kind', kind], env), { code: 1, stderr: /name one notice by its number/ })
})

t.test('a notice is given up with a reason, but not while it is being sent, and not after its end', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const id = await oweNotice(db)
  const drop = ['notices', 'drop', id, '--note', 'the expert was told by phone', '--as', 'ana']
  t.match(await cli(t, ['notices', 'drop', id], env), { code: 1, stderr: /required option '--note <text>'/ })
  const claim = { claimed_by: 'one#1', claimed_until: new Date(Date.now() + 60_000) }
  await db
    .updateTable('jobs.outbox')
    .set({ state: 'sending', ...claim })
    .execute()
  t.match(await cli(t, drop, env), {
    code: 1,
    stderr: /notice \d+ is sending, and nothing was changed: it is being sent/,
  })
  await db.updateTable('jobs.outbox').set({ state: 'unknown', tried_at: new Date() }).execute()
  t.match(await cli(t, drop, env), { code: 1, stderr: /is unknown, and nothing was changed/ }, 'it is being looked up')
  await db.updateTable('jobs.outbox').set({ claimed_by: null, claimed_until: null }).execute()
  t.match(await cli(t, ['notices', 'retry', id], env), { code: 1, stderr: /it may have been sent, and is looked up/ })
  t.match(await cli(t, drop, env), {
    code: 0,
    stdout: `notice ${id} is dropped: nobody tries it again, but its person may have been told already\n`,
  })
  t.match(await readNotice(db, id), { state: 'dropped', note: 'by_operator' })
  t.match(await cli(t, drop, env), { code: 1, stderr: /is dropped, and nothing was changed/ })
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 1)
})

t.test('a drop by mistake is taken back; what may have been sent is looked up first', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const [fresh, tried, stale] = [
    await oweNotice(db, { name: '1' }),
    await oweNotice(db, { name: '2' }),
    await oweNotice(db, { name: '3' }),
  ]
  await db
    .updateTable('jobs.outbox')
    .set({ tried_at: new Date(0) })
    .where('id', '=', tried)
    .execute()
  await db
    .updateTable('jobs.outbox')
    .set({ state: 'dropped', note: 'moved', finished_at: new Date(0) })
    .where('id', '=', stale)
    .execute()
  const drop = async (id: string) => await cli(t, ['notices', 'drop', id, '--note', 'x'], env)
  t.match(await drop(fresh), { stdout: `notice ${fresh} is dropped: nobody is told\n` })
  t.match(await drop(tried), { stdout: /may have been told already/ })
  t.match(await cli(t, ['notices', 'retry', fresh], env), { code: 0, stdout: /goes out with the next pass/ })
  t.match(await readNotice(db, fresh), { state: 'pending', note: null, finished_at: undefined })
  t.match(await cli(t, ['notices', 'retry', tried], env), { code: 0, stdout: /is looked up at Novu first/ })
  t.match(await readNotice(db, tried), { state: 'unknown', lookups: 0, finished_at: undefined })
  t.match(await cli(t, ['notices', 'retry', stale], env), { code: 1, stderr: /only what an operator dropped/ })
})

t.test('every reason is worded, of money as of money', t => {
  const explain = (kind: string, note: string, state: 'dropped' | 'pending' = 'dropped') =>
    explainNotice({ kind, note, state, lookups: 0 })
  for (const note of reasons) t.match(explain('payment-reminder-urgent', note), new RegExp(` \\(${note}\\)$`))
  t.match(explain('appointment-reminder-1h', 'deleted'), /appointment/)
  t.match(explain('payout-failed', 'deleted'), /money/)
  t.match(explain('payout-failed', 'refunded'), /money/)
  t.match(explain('payout-failed', 'http_503', 'pending'), /Novu .*\(http_503\)/)
  t.end()
})

// Each `reason` of a check and each note that the sender writes itself.
const reasons = [
  'too_late',
  'booked_too_late',
  'no_reader',
  'no_address',
  'recipient_changed',
  'moved',
  'refunded',
  'deleted',
  'unpaid',
  'disputed',
  'paid',
  'paid_out',
  'repaid',
  'changed',
  'failed',
  'operation_undone',
  'hold_gone',
  'payment_unknown',
  'settling',
  'canceled',
  'no_voucher',
  'voucher_replaced',
  'appointment_began',
  'too_short',
  'booked',
  'waiting',
  'needs_approval',
  'by_operator',
  'recheck_failed',
  'kind_unknown',
  'absent',
  'http_503',
  'timeout',
  'payload_validation_error',
]
