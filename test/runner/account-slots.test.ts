import t from 'tap'
import type { RunState } from '../../src/database/tables.ts'
import { accountSlots, type Pause, type SlotRun, summarizeSlots } from '../../src/runner/account-slots.ts'

const slot = new Date('2026-03-10T12:00:00.000Z')
const graceSeconds = 300
const graceOver = new Date('2026-03-10T12:05:00.000Z')
const later = new Date('2026-03-10T18:00:00.000Z')

function slotRun(state: RunState, overrides: Partial<SlotRun> = {}): SlotRun {
  const startedAt = new Date('2026-03-10T12:00:02.000Z')
  return {
    slot,
    state,
    runId: `run-${state}`,
    attempt: 1,
    startedAt,
    errorCode: null,
    message: null,
    messages: 1,
    ...overrides,
  }
}

function account(runs: readonly SlotRun[], now = later, pauses: readonly Pause[] = []) {
  const [only] = accountSlots({ due: [slot], runs, pauses, graceSeconds }, now)
  return only
}

t.test('the state of a single run decides', async t => {
  const cases = [
    ['succeeded', 'ran'],
    ['running', 'running'],
    ['skipped', 'skipped'],
    ['paused', 'paused'],
    ['failed', 'failed'],
    ['incomplete', 'failed'],
    ['interrupted', 'failed'],
    ['abandoned', 'failed'],
    ['duplicate', 'failed'],
  ] as const
  for (const [state, expected] of cases) {
    t.match(account([slotRun(state)]), { state: expected, runId: `run-${state}`, doubled: false, messages: 1 }, state)
  }
})

t.test('of several runs the one that weighs most decides, in whatever order they come', async t => {
  const cases = [
    [['duplicate', 'succeeded'], 'ran'],
    [['failed', 'succeeded'], 'ran'],
    [['paused', 'running'], 'running'],
    [['skipped', 'failed'], 'failed'],
    [['paused', 'abandoned'], 'failed'],
    [['duplicate', 'incomplete'], 'failed'],
    [['duplicate', 'skipped'], 'skipped'],
    [['duplicate', 'paused'], 'paused'],
    [['paused', 'skipped'], 'skipped'],
  ] as const
  for (const [states, expected] of cases) {
    const runs = states.map(state => slotRun(state, { messages: 2 }))
    t.match(account(runs), { state: expected, doubled: true, messages: 2 }, states.join(' and '))
    t.match(account(runs.toReversed()), { state: expected, doubled: true }, `${states.join(' and ')}, the other way`)
  }
})

t.test('a slot is doubled as soon as a second message wanted it', async t => {
  t.equal(account([slotRun('succeeded', { messages: 1 })])?.doubled, false)
  t.match(account([slotRun('succeeded', { messages: 2 })]), { state: 'ran', doubled: true, messages: 2 })
})

t.test('without a run a slot is due until its grace is over, and missed from the next millisecond on', async t => {
  const cases = [
    [slot, 'due'],
    [new Date(graceOver.getTime() - 1), 'due'],
    [graceOver, 'due'],
    [new Date(graceOver.getTime() + 1), 'missed'],
    [later, 'missed'],
  ] as const
  for (const [now, expected] of cases) {
    const found = account([], now)
    t.match(found, { state: expected, messages: 0, doubled: false }, now.toISOString())
    t.notOk(found !== undefined && 'runId' in found)
  }
})

t.test('a slot that nobody delivered while the job was paused is paused, to the millisecond', async t => {
  const at = (ms: number): Date => new Date(slot.getTime() + ms)
  const cases = [
    [{ from: at(0), to: at(1) }, 'paused'],
    [{ from: at(-1000), to: null }, 'paused'],
    [{ from: at(0), to: null }, 'paused'],
    [{ from: at(1), to: null }, 'missed'],
    [{ from: at(-1000), to: at(0) }, 'missed'],
  ] as const
  for (const [pause, expected] of cases) {
    t.match(account([], later, [{ ...pause, reason: null }]), { state: expected }, JSON.stringify(pause))
  }
  const pauses = [{ from: at(-1000), to: null, reason: 'the site is being moved' }]
  t.equal(account([], later, pauses)?.reason, 'nobody delivered it while the job was paused: the site is being moved')
  t.match(account([slotRun('failed')], later, pauses), { state: 'failed' }, 'a run says more than a pause')
})

t.test('an account says how late the attempt was, how many there were, and why it did not succeed', async t => {
  const early = slotRun('succeeded', { startedAt: new Date('2026-03-10T11:59:30.000Z') })
  const third = slotRun('succeeded', { startedAt: new Date('2026-03-10T12:33:20.400Z'), attempt: 3, message: 'old' })
  t.match(account([early]), { latenessSeconds: -30, attempts: 1 })
  t.same(account([third]), {
    slot,
    state: 'ran',
    messages: 1,
    doubled: false,
    runId: 'run-succeeded',
    attempts: 3,
    latenessSeconds: 2000,
  })
  const reasons = [
    [slotRun('skipped', { message: 'a later slot has already succeeded' }), 'a later slot has already succeeded'],
    [slotRun('paused', { message: 'paused by ana: move' }), 'paused by ana: move'],
    [slotRun('failed', { errorCode: 'ECONNREFUSED', message: 'down' }), 'failed, ECONNREFUSED: down'],
    [slotRun('abandoned', { errorCode: 'lease_expired' }), 'abandoned, lease_expired'],
    [slotRun('failed'), 'failed'],
  ] as const
  for (const [run, reason] of reasons) t.equal(account([run])?.reason, reason)
})

t.test('every slot that was due is accounted for once, in order, and counted', async t => {
  const due = ['12:00', '12:10', '12:20', '12:30'].map(time => new Date(`2026-03-10T${time}:00.000Z`))
  const [first = slot, second = slot, third = slot, fourth = slot] = due
  const foreign = slotRun('succeeded', { slot: new Date('2026-03-10T12:05:00.000Z') })
  const runs = [slotRun('failed', { slot: third, messages: 2 }), foreign, slotRun('succeeded', { slot: first })]
  const accounts = accountSlots({ due, runs, pauses: [], graceSeconds }, new Date('2026-03-10T12:31:00.000Z'))
  t.same(
    accounts.map(({ slot, state }) => [slot, state]),
    [
      [first, 'ran'],
      [second, 'missed'],
      [third, 'failed'],
      [fourth, 'due'],
    ],
  )
  const summary = summarizeSlots(accounts)
  t.same(summary, { slots: 4, ran: 1, running: 0, skipped: 0, paused: 0, failed: 1, missed: 1, due: 1, doubled: 1 })
  t.equal(summarizeSlots([]).slots, 0)
})
