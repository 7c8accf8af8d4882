import t from 'tap'
import { rechecks } from '../../src/notices/rechecks.ts'
import type { SendAnswer } from '../../src/providers/notifications.ts'
import { later } from '../support/pings.ts'
import { accepted, fakeVendor, listFindings, nameOf, reader, testSender } from '../support/notices.ts'

const minuteMs = 60_000
const gone: SendAnswer = { kind: 'later', code: 'no_connection' }
const unclear: SendAnswer = { kind: 'unknown', code: 'http_500' }

type World = Awaited<ReturnType<typeof testSender>>

/** Minutes with a pass in each, as in a process; `each` is called before the pass. */
async function letMinutesPass({ sender, wait }: World, count: number, each?: (minute: number) => unknown) {
  for (let minute = 0; minute < count; minute += 1) {
    await each?.(minute)
    await sender.sendDue()
    await sender.raiseUndelivered()
    wait(minuteMs)
  }
}

for (const answer of [gone, unclear]) {
  t.test(`an outage (${answer.kind}) that loses reminders is told: while it lasts, and what was lost`, async t => {
    let isUp = false
    const vendor = fakeVendor({ answer: () => (isUp ? accepted : answer) })
    const world = await testSender(t, { notifications: vendor })
    const { db, messages, owe } = world
    for (let name = 0; name < 20; name += 1) {
      await owe(`${name}`, { kind: 'appointment-reminder-24h', usefulUntil: later(2 * 3_600_000) })
    }
    await letMinutesPass(world, 15)
    t.strictSame(await listFindings(db), [], 'a short trouble is none')
    await letMinutesPass(world, 30)
    const trouble = { kind: 'novu-in-trouble', subject: 'Novu' }
    const ofVendor = async () => (await listFindings(db)).filter(({ kind }) => kind !== 'notice-undelivered')
    t.match(await ofVendor(), [{ ...trouble, state: 'open' }])
    await letMinutesPass(world, 90)
    const lost = { kind: 'notice-lost', subject: 'appointment-reminder-24h', state: 'open', message: /^20 notice/ }
    t.match(await ofVendor(), [{ ...trouble, state: 'open' }, lost])
    t.ok(messages().includes('notices were not sent in time'))
    t.ok(vendor.calls.length < 400, `it did not hammer: ${vendor.calls.length}`)

    isUp = true
    await owe('next', { usefulUntil: null })
    await letMinutesPass(world, 2)
    t.match(await ofVendor(), [{ ...trouble, state: 'resolved' }, lost], 'what is lost stays lost')
  })
}

t.test('what becomes useless while its sender is away is lost too, and counted on', async t => {
  const { db, owe, sender, wait } = await testSender(t)
  await owe('1', { usefulUntil: later(10) })
  await owe('2', { usefulUntil: later(100_000) })
  await owe('3', { usefulUntil: later(100_000) })
  wait(11)
  // What goes in the same pass is no trouble of the vendor.
  await owe('4', { kind: 'payout-failed', usefulUntil: null, facts: { name: '4', reader } })
  await db
    .updateTable('jobs.outbox')
    .set({ next_attempt_at: later(100_001) })
    .where('subject', 'in', ['meetings 2 guest', 'meetings 3 guest'])
    .execute()
  await sender.sendDue()
  const lost = { kind: 'notice-lost', subject: 'appointment-reminder-1h', state: 'open' }
  t.match(await listFindings(db), [{ ...lost, message: /^1 notice/ }])
  wait(100_000)
  await sender.sendDue()
  t.match(await listFindings(db), [{ ...lost, message: /^3 notice/ }])
})

for (const [usefulMinutes, awayMinutes] of [
  [30, 17],
  [65, 33],
  [270, 250],
  [270, 190],
] as const) {
  t.test(`useful for ${usefulMinutes} min, Novu away for ${awayMinutes} min: it goes`, async t => {
    let at = 0
    const vendor = fakeVendor({ answer: () => (at < awayMinutes ? gone : accepted) })
    const world = await testSender(t, { notifications: vendor })
    const id = await world.owe('1', { usefulUntil: later(usefulMinutes * minuteMs) })
    await letMinutesPass(world, usefulMinutes + 2, minute => (at = minute))
    t.match(await world.read(id), { state: 'sent' })
  })
}

t.test('a notice is tried once more shortly before its end', async t => {
  const tries: number[] = []
  let at = 0
  const vendor = fakeVendor({
    answer: () => {
      tries.push(at)
      return gone
    },
  })
  const world = await testSender(t, { notifications: vendor })
  const id = await world.owe('1', { usefulUntil: later(60 * minuteMs) })
  await letMinutesPass(world, 62, minute => (at = minute))
  t.ok(
    tries.some(minute => minute >= 58 && minute <= 60),
    tries.join(),
  )
  t.match(await world.read(id), { state: 'dropped', note: 'too_late' })
})

t.test('the first message that goes through brings all that waited for the vendor forward', async t => {
  let answer: SendAnswer = gone
  const vendor = fakeVendor({ answer: message => (nameOf(message) === 'told' ? slow : answer) })
  const slow: SendAnswer = { kind: 'later', code: 'rate_limited', retryAfterMs: 3_000_000 }
  const world = await testSender(t, { notifications: vendor })
  const ids = [await world.owe('1', { usefulUntil: null }), await world.owe('2', { usefulUntil: null })]
  await letMinutesPass(world, 70)
  answer = accepted
  const told = await world.owe('told', { usefulUntil: null, at: world.time.now })
  await world.sender.sendDue()
  t.match(await world.read(told), { state: 'pending' })
  await world.owe('new', { usefulUntil: null, at: world.time.now })
  world.wait(minuteMs)
  await world.sender.sendDue()
  await world.sender.sendDue()
  for (const id of ids) t.match(await world.read(id), { state: 'sent' })
  t.match(await world.read(told), { state: 'pending' })
  t.equal(vendor.calls.flat().filter(name => name === 'told').length, 1, 'one that was told when waits until then')
})

for (const bad of [1, 5, 15]) {
  t.test(`${bad} message(s) on which every call breaks hold up 40 others for minutes only`, async t => {
    const vendor = fakeVendor({
      answer: (_, together) => (together.some(message => nameOf(message).startsWith('bad')) ? unclear : accepted),
    })
    const world = await testSender(t, { notifications: vendor, random: seeded(bad) })
    for (let name = 0; name < bad; name += 1) await world.owe(`bad${name}`, { usefulUntil: null })
    for (let name = 0; name < 40; name += 1) await world.owe(`good${name}`, { usefulUntil: later(50 * minuteMs) })
    await letMinutesPass(world, 10)
    const fresh = await world.owe('good of later', { usefulUntil: null, at: world.time.now })
    await letMinutesPass(world, 5)
    t.equal(vendor.inbox.length, 41, 'every good one, within a quarter of an hour')
    t.match(await world.read(fresh), { state: 'sent' })
  })
}

t.test('a message that is never found is sent more and more seldom, and is a finding', async t => {
  const vendor = fakeVendor({ answer: () => unclear })
  const world = await testSender(t, { notifications: vendor })
  const id = await world.owe('1', { kind: 'payout-failed', usefulUntil: null, facts: { name: '1', reader } })
  await letMinutesPass(world, 24 * 60)
  const { attempts } = await world.read(id)
  t.ok(attempts > 10 && attempts < 40, `${attempts} tries in a day`)
  const undelivered = { kind: 'notice-undelivered', subject: 'payout-failed', state: 'open' }
  t.match(
    (await listFindings(world.db)).find(({ kind }) => kind === 'notice-undelivered'),
    undelivered,
  )
})

t.test('a check that fails is made more and more seldom, and at once again after it went well', async t => {
  let checks = 0
  let works = false
  const check = async () => {
    checks += 1
    if (!works) throw new Error('no answer')
    return { kind: 'send' } as const
  }
  const world = await testSender(t, { rechecks: { ...rechecks, 'appointment-reminder-1h': check } })
  const id = await world.owe('1', { usefulUntil: null })
  await letMinutesPass(world, 10 * 60)
  t.ok(checks > 8 && checks < 25, `${checks} checks in ten hours`)
  t.match(await world.read(id), { state: 'pending', note: 'recheck_failed', attempts: 0, checks })
  works = true
  await letMinutesPass(world, 61)
  t.match(await world.read(id), { state: 'sent', checks: 0 })
})

/** The same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}
