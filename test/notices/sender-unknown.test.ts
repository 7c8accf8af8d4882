import t from 'tap'
import { claimNotices } from '../../src/database/outbox-claims.ts'
import type { SendAnswer } from '../../src/providers/notifications.ts'
import { later } from '../support/pings.ts'
import { accepted, fakeVendor, letClaimsRunOut, nameOf, nothing, oweMany, testSender } from '../support/notices.ts'

const lost: SendAnswer = { kind: 'unknown', code: 'timeout' }

t.test('a lost answer is looked up after a minute, and what is found is not sent again', async t => {
  const vendor = fakeVendor({ answer: () => lost, isTaken: () => true })
  const { owe, read, sender, wait } = await testSender(t, { notifications: vendor })
  const id = await owe('1')
  t.strictSame(await sender.sendDue(), { ...nothing, unknown: 1 })
  t.match(await read(id), { state: 'unknown', note: 'timeout', next_attempt_at: later(60_000).toISOString() })
  wait(59_999)
  t.strictSame(await sender.sendDue(), nothing)
  t.strictSame(vendor.asked, [], 'the vendor has had no time yet')
  wait(1)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 1 })
  t.match(await read(id), { state: 'sent', note: 'found', attempts: 1 })
  t.equal(vendor.calls.length, 1)
})

t.test('what two look-ups a minute apart do not find is sent once more under the same id', async t => {
  let answer: SendAnswer = lost
  const vendor = fakeVendor({ answer: () => answer })
  const { owe, read, sender, wait } = await testSender(t, { notifications: vendor })
  const id = await owe('1')
  await sender.sendDue()
  wait(60_000)
  t.strictSame(await sender.sendDue(), { ...nothing, unknown: 1 })
  t.match(await read(id), { state: 'unknown', lookups: 1, next_attempt_at: later(120_000).toISOString() })
  wait(59_999)
  t.strictSame(await sender.sendDue(), nothing)
  t.equal(vendor.asked.length, 1, 'not before a minute has passed')
  wait(1)
  answer = accepted
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1, sent: 1 }, 'absent, and sent')
  const { transaction_id: transactionId, ...row } = await read(id)
  t.match(row, { state: 'sent', attempts: 2, lookups: 0 })
  t.strictSame(
    vendor.inbox.map(message => message.transactionId),
    [transactionId],
  )
  t.strictSame(vendor.asked, [transactionId, transactionId])
})

t.test('what was never found and is no longer useful is dropped, and not sent', async t => {
  const vendor = fakeVendor({ answer: () => lost })
  const { owe, read, sender, wait } = await testSender(t, { notifications: vendor })
  const id = await owe('1', { usefulUntil: later(90_000) })
  for (let minute = 0; minute < 4; minute += 1) {
    await sender.sendDue()
    wait(60_000)
  }
  t.match(await read(id), { state: 'dropped', note: 'too_late' })
  t.equal(vendor.calls.length, 1)
})

t.test('a look-up that fails counts as none, and the others are asked later', async t => {
  const vendor = fakeVendor({ answer: () => lost, isTaken: async () => await Promise.reject(new Error('reset')) })
  const { create, db, owe, sender, wait } = await testSender(t, { notifications: vendor })
  await owe('first')
  await oweMany(db, 19)
  await sender.sendDue()
  wait(60_000)
  // One that has not met the trouble yet takes all of them.
  await create({ owner: 'two' }).sendDue()
  t.ok(vendor.asked.length > 0 && vendor.asked.length < 10, `it stopped asking: ${vendor.asked.length}`)
  const rows = await db.selectFrom('jobs.outbox').select(['state', 'lookups', 'claimed_by']).distinct().execute()
  t.strictSame(rows, [{ state: 'unknown', lookups: 0, claimed_by: null }])
})

t.test(
  'what a vanished process had only claimed goes out at once, what it may have sent is looked up first',
  async t => {
    const { create, db, owe, read, sender, vendor, wait } = await testSender(t)
    for (const step of ['checked', 'sending'] as const) {
      const id = await owe(step)
      const stopped = Promise.withResolvers<void>()
      const dead = create({
        owner: `dead at ${step}`,
        onStep: async at => {
          if (at !== step) return
          stopped.resolve()
          await new Promise(() => {})
        },
      })
      void dead.sendDue()
      await stopped.promise
      t.strictSame(await sender.sendDue(), nothing, 'nobody else may have it yet')
      await letClaimsRunOut(db)
      await sender.sendDue()
      t.match(
        await read(id),
        step === 'checked' ? { state: 'sent' } : { state: 'unknown', note: 'its sender vanished' },
      )
    }
    for (let minute = 0; minute < 4; minute += 1) {
      wait(60_000)
      await sender.sendDue()
    }
    t.strictSame(vendor.inbox.map(nameOf), ['checked', 'sending'])
    t.equal(vendor.asked.length, 2)
  },
)

t.test('a sender that slept past its claim sends nothing: the database says so', async t => {
  const stopped = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<void>()
  const { create, db, owe, vendor } = await testSender(t)
  await owe('1')
  const slow = create({
    owner: 'slow',
    onStep: async step => {
      if (step !== 'checked') return
      stopped.resolve()
      await taken.promise
    },
  })
  const pass = slow.sendDue()
  await stopped.promise
  await letClaimsRunOut(db)
  t.strictSame(await create({ owner: 'two' }).sendDue(), { ...nothing, sent: 1 })
  taken.resolve()
  t.strictSame(await pass, nothing)
  t.strictSame(vendor.calls, [['1']])
})

t.test('a sender that slept past its claim sends nothing: its own clock says so, right before the call', async t => {
  const { create, owe, read, vendor } = await testSender(t)
  const id = await owe('1')
  const frozen = create({
    times: { claimMs: 300, sendMs: 100 },
    onStep: async step => {
      if (step === 'sending') await new Promise(resolve => setTimeout(resolve, 250))
    },
  })
  t.strictSame(await frozen.sendDue(), { ...nothing, later: 1 })
  t.match(await read(id), { state: 'pending', claimed_by: null, note: null })
  t.strictSame(vendor.calls, [])
})

t.test('an answer that comes after the claim was lost still counts, so that nobody sends once more', async t => {
  const gate = Promise.withResolvers<SendAnswer>()
  const called = Promise.withResolvers<void>()
  const vendor = fakeVendor({
    answer: async () => {
      called.resolve()
      return await gate.promise
    },
  })
  const { create, db, owe, read, wait } = await testSender(t, { notifications: vendor })
  const id = await owe('1')
  const pass = create({ owner: 'slow' }).sendDue()
  await called.promise
  await letClaimsRunOut(db)
  const other = create({ owner: 'two' })
  await other.sendDue()
  t.match(await read(id), { state: 'unknown' })
  gate.resolve(accepted)
  t.strictSame(await pass, { ...nothing, sent: 1 })
  wait(60_000)
  t.strictSame(await other.sendDue(), nothing)
  t.match(await read(id), { state: 'sent' })
})

t.test('an answer that nothing was sent does not free what somebody else has taken over', async t => {
  const gate = Promise.withResolvers<SendAnswer>()
  const called = Promise.withResolvers<void>()
  const vendor = fakeVendor({
    answer: async () => {
      called.resolve()
      return await gate.promise
    },
  })
  const { create, db, owe, read } = await testSender(t, { notifications: vendor })
  const id = await owe('1')
  const pass = create({ owner: 'slow' }).sendDue()
  await called.promise
  await letClaimsRunOut(db)
  await create({ owner: 'two' }).sendDue()
  gate.resolve({ kind: 'refused', code: 'status_422' })
  t.strictSame(await pass, nothing)
  t.match(await read(id), { state: 'unknown', note: 'its sender vanished' })
})

t.test('a claim goes past what another one is about to have, and does not wait for it', async t => {
  const { db, owe } = await testSender(t)
  const ids = [await owe('1', { at: later(-1) }), await owe('2')]
  const claiming = { limit: 1, claimMs: 60_000, lookUpAfterMs: 60_000, now: later(0) }
  const claimed = await db.transaction().execute(async trx => {
    const first = await claimNotices(trx, { ...claiming, claim: 'one' })
    const second = await claimNotices(db, { ...claiming, claim: 'two' })
    return [...first.toSend, ...second.toSend].map(({ id }) => id)
  })
  t.strictSame(claimed, ids)
})

t.test('three senders share what is due, and nothing goes out twice', async t => {
  const { create, db, owe, vendor } = await testSender(t)
  await owe('first')
  await oweMany(db, 499)
  const senders = ['one', 'two', 'three'].map(owner => create({ owner }))
  const tallies = await Promise.all(senders.map(async sender => await sender.sendDue()))
  t.equal(
    tallies.reduce((sum, { sent }) => sum + sent, 0),
    500,
  )
  t.equal(new Set(vendor.inbox.map(({ transactionId }) => transactionId)).size, 500)
  t.equal(vendor.inbox.length, 500)
})
