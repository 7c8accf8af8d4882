import { sql } from 'kysely'
import t from 'tap'
import { isFullRun } from '../support/database.ts'
import { letClaimsRunOut } from '../support/notices.ts'
import { noticeWorld } from '../support/notice-processes.ts'

const ofTheRun = ['applying', 'applied', 'closing', 'closed']
const ofTheNotice = ['claimed', 'checked', 'sending', 'answered', 'recorded'].map(step => `notice ${step}`)
const steps = isFullRun ? [...ofTheRun, ...ofTheNotice] : ['notice answered']

// Processes start and claims run out in real time.
t.setTimeout(isFullRun ? 600_000 : 240_000)

// The vendor tells no duplicates here: only our own rows and look-ups keep the person from being told twice.
for (const step of steps) {
  t.test(`a process killed at ${step} tells the person once`, async t => {
    const { db, deliver, inbox, settle, start } = await noticeWorld(t)
    const first = await start()
    await first.stopAt(step)
    const cut = deliver(first, 'msg_first')
    await first.stopped()
    await first.kill()
    await cut
    await letClaimsRunOut(db)
    // Not before: its pass at boot could take the notice, and the first would never come to where it stops.
    await settle(await start())
    t.equal(inbox().length, 1, 'one message in the inbox')
    const rows = await db.selectFrom('jobs.outbox').select(['state', 'claimed_by']).execute()
    t.strictSame(rows, [{ state: 'sent', claimed_by: null }])
  })
}

const skip = isFullRun ? false : 'only in the full run'
for (const step of isFullRun ? ['notice checked', 'notice sending'] : ['notice sending']) {
  t.test(`a process frozen at ${step} for longer than its claim sends nothing when it wakes`, async t => {
    const { deliver, inbox, novu, settle, start } = await noticeWorld(t)
    // Its own clock has to see that it is late, so its claim ends in real time here.
    const times = { CHILD_CLAIM_MS: '4000', CHILD_SEND_MS: '3000' }
    const first = await start(times)
    await first.stopAt(step)
    const slow = deliver(first, 'msg_first')
    await first.stopped()
    await slow
    first.signal('SIGSTOP')
    await settle(await start(times))
    t.equal(inbox().length, 1)

    const calls = novu.asked().filter(({ call }) => call === 'send').length
    first.signal('SIGCONT')
    first.goOn()
    await deliver(first)
    await settle(first)
    t.equal(novu.asked().filter(({ call }) => call === 'send').length, calls, 'it called nobody')
    t.equal(inbox().length, 1)
  })
}

t.test('a process frozen in the middle of its call has told the person, as the next one finds', { skip }, async t => {
  const { db, inbox, novu, settle, start, untilTaken } = await noticeWorld(t)
  const first = await start()
  novu.inject({ kind: 'hang', taken: true, call: 'send' })
  await untilTaken(first)
  first.signal('SIGSTOP')
  const second = await start()
  await letClaimsRunOut(db)
  await settle(second)
  first.signal('SIGCONT')
  await settle(first)
  t.equal(inbox().length, 1)
})

t.test('two processes that are asked at once tell each person once', async t => {
  const people = 60
  const { db, deliver, inbox, settle, start } = await noticeWorld(t)
  const children = await Promise.all([start(), start()])
  await deliver(children[0])
  await settle(children[0])
  await sql`insert into jobs.outbox (kind, subject, recipient, occurrence, facts, transaction_id, next_attempt_at, created_at)
    select kind, subject, 'person_' || n, occurrence, facts, 'tx_' || n, next_attempt_at, created_at
    from jobs.outbox, generate_series(1, ${people}::int) n`.execute(db)
  await Promise.all(children.map(async child => await deliver(child)))
  await Promise.all(children.map(async child => await settle(child)))
  t.equal(inbox().length, people + 1)
  t.equal(new Set(inbox()).size, people + 1)
})

t.test(
  'a process told to end while the vendor hangs ends in time, and its notice is looked up by the next',
  async t => {
    const { db, deliver, inbox, novu, settle, start } = await noticeWorld(t)
    const first = await start({ CHILD_SEND_MS: '60000', CHILD_CLAIM_MS: '90000' })
    novu.inject({ kind: 'hang', taken: true, call: 'send' })
    await deliver(first)
    while (inbox().length === 0) await new Promise(resolve => setTimeout(resolve, 10))
    const startedAt = performance.now()
    first.signal('SIGTERM')
    t.equal(await first.ended(), 0)
    t.ok(performance.now() - startedAt < 10_000, `within its budget: ${Math.round(performance.now() - startedAt)} ms`)
    t.match(await db.selectFrom('jobs.outbox').select('state').execute(), [{ state: 'unknown' }])
    await settle(await start())
    t.equal(inbox().length, 1)
  },
)
