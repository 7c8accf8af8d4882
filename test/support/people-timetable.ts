import { v7 as uuidv7 } from 'uuid'
import { appointmentReminders1hr } from '../../src/jobs/appointment-reminders-1hr.ts'
import { appointmentReminders } from '../../src/jobs/appointment-reminders.ts'
import type { Job } from '../../src/runner/define-job.ts'
import type { NovuFaultOrder } from '../../src/sandbox/novu.ts'
import type { Dice } from './dice.ts'
import type { World } from './people-month.ts'

const secondMs = 1_000
export const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs
/** Clocks change in Europe in the first week, and in Auckland in the second. */
export const startMs = Date.parse('2026-03-27T00:00:00Z')
/** Nothing new goes wrong at the end, so that all comes to its own end. */
export const calmMs = 4 * hourMs
export const periods: ReadonlyMap<Job, number> = new Map([
  [appointmentReminders, 30 * minuteMs],
  [appointmentReminders1hr, 15 * minuteMs],
])

export type Event = readonly [atMs: number, happen: (atMs: number) => Promise<void>]

export interface Outages {
  readonly scheduler: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly novu: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly all: readonly { readonly fromMs: number; readonly toMs: number }[]
}

/** About two of each in a week: the longest closes whole windows. */
export function planOutages(dice: Dice, days: number): Outages {
  const plan = (hours: readonly [number, number], perDay: number) =>
    Array.from({ length: Math.max(1, Math.round(days * perDay)) }, () => {
      const fromMs = startMs + dice.between(0.1, 0.8) * days * dayMs
      return { fromMs, toMs: fromMs + dice.between(...hours) * hourMs }
    })
  // When people of the first day are to be told: a short life has no other that matters.
  const first = { fromMs: startMs + 9.6 * hourMs, toMs: startMs + 10.6 * hourMs }
  const novu = [first, ...plan([0.3, 3], 0.3)]
  return { novu, scheduler: [...plan([1, 2.5], 0.2), ...plan([5, 7], 0.1)], all: novu }
}

/** Each slot is jittered, late, doubled or dropped. */
export function planDeliveries(dice: Dice, world: World, endMs: number, { scheduler }: Outages): Event[] {
  const events: Event[] = []
  const { count, run } = world
  const [one, two] = world.runners
  for (const [job, periodMs] of periods) {
    for (let slotMs = startMs; slotMs < endMs; slotMs += periodMs) {
      const isAway = scheduler.some(({ fromMs, toMs }) => fromMs <= slotMs && slotMs <= toMs)
      if (isAway || dice.happens(0.08)) {
        count('deliveries dropped')
        continue
      }
      const isLate = dice.happens(0.12)
      const atMs = slotMs + dice.between(0, isLate ? 50 * minuteMs : 90 * secondMs)
      count(isLate ? 'deliveries late' : 'deliveries jittered')
      const id = `msg_${job.name}_${slotMs}`
      const by = dice.pick([one, two])
      events.push([atMs, async at => await run(by, job, id, at)])
      if (!dice.happens(0.12)) continue
      count('deliveries doubled')
      const other = by === one ? two : one
      if (dice.happens(0.5))
        events.push([atMs + dice.between(1, 5 * minuteMs), async at => await run(other, job, id, at)])
      else
        events[events.length - 1] = [
          atMs,
          async at => void (await Promise.all([run(by, job, id, at), run(other, job, uuidv7(), at)])),
        ]
    }
  }
  return events
}

export function planHappenings(dice: Dice, { actAtSite }: World, endMs: number): Event[] {
  const events: Event[] = []
  for (let atMs = startMs; atMs < endMs - calmMs; atMs += dice.between(0, 12 * minuteMs)) {
    events.push([atMs, actAtSite])
  }
  return events
}

const single: readonly NovuFaultOrder[] = [
  { kind: 'reset', taken: true },
  { kind: 'reset', taken: false },
  { kind: 'error', taken: true, status: 503 },
  { kind: 'error', taken: false, status: 500 },
  { kind: 'garbage', taken: true },
  { kind: 'garbage', taken: false },
  { kind: 'truncate' },
  { kind: 'hang', taken: true },
  { kind: 'hang', taken: false },
  { kind: 'limit', retryAfter: '90' },
  { kind: 'limit' },
  { kind: 'failOne', index: 0 },
  { kind: 'reset', taken: false, call: 'lookUp' },
  { kind: 'error', taken: false, call: 'lookUp' },
]
const nothingTaken: NovuFaultOrder = { kind: 'error', taken: false, status: 503 }
const lasting: readonly NovuFaultOrder[] = [
  nothingTaken,
  { kind: 'error', taken: true, status: 502, call: 'send' },
  { kind: 'limit', retryAfter: '30' },
  { kind: 'unauthorized', status: 401 },
  { kind: 'reset', taken: true, call: 'send' },
]

/** One request goes wrong every half hour or so, never two within ten minutes; outages hurt every request. */
export function planFaults(dice: Dice, { count, novu }: World, endMs: number, outages: Outages): Event[] {
  const events: Event[] = []
  for (let atMs = startMs; atMs < endMs - calmMs; atMs += dice.between(10 * minuteMs, 50 * minuteMs)) {
    const fault = dice.pick(single)
    events.push([
      atMs,
      async () => {
        novu.inject(fault)
        count('faults')
      },
    ])
  }
  for (const [index, { fromMs, toMs }] of outages.novu.entries()) {
    const fault = index === 0 ? nothingTaken : dice.pick(lasting)
    events.push([fromMs, async () => novu.inject({ ...fault, times: 100_000 })])
    events.push([toMs, async () => novu.clearFaults()])
    count('outages of Novu')
  }
  events.push([endMs - calmMs, async () => novu.clearFaults()])
  return events
}

export function createTimetable() {
  let events: Event[] = []
  let isSorted = true
  return {
    add: (event: Event): void => {
      events.push(event)
      isSorted = false
    },
    next: (): Event | undefined => {
      if (!isSorted) events = events.toSorted(([a], [b]) => b - a)
      isSorted = true
      return events.pop()
    },
  }
}
