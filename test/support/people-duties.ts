import type { DeliveredMessage } from '../../src/sandbox/novu.ts'
import type { Month } from './people-month.ts'
import type { TrueMeeting, Version } from './people-site.ts'

export type Party = 'expert' | 'guest'

/** The rules once more, in the referee's own words: it shares none with the code. */
export const kinds = [
  { kind: 'appointment-reminder-24h', job: 'appointment-reminders', opens: 24.5, closes: 20, quiet: 2, guess: 2 },
  {
    kind: 'appointment-reminder-1h',
    job: 'appointment-reminders-1hr',
    opens: 1.25,
    closes: 1 / 6,
    quiet: 0.25,
    guess: 0.5,
  },
] as const
export type Kind = (typeof kinds)[number]

const minuteMs = 60_000
export const hourMs = 60 * minuteMs
// A notice meets two troubles at most in this time, and each costs it less than ten minutes.
const marginMs = 25 * minuteMs
// After an outage a notice may wait for an hour before it is tried again.
const backoffMs = 75 * minuteMs

export interface About {
  readonly kind: string
  readonly party: Party
  readonly meetingId: string
  readonly startsMs: number
  /** As the vendor knows them. */
  readonly recipient: string
}

export interface Received extends About {
  readonly atMs: number
  /** When it was decided. */
  readonly decidedMs: number
  /** How it went, for whoever reads of a wrong. */
  readonly tries: string
  readonly message: DeliveredMessage
}

export type Duty = 'must be told' | 'might be told' | 'nobody to tell'

/** What was owed to a person about one start, given the runs that there were and how Novu was. */
export function findDuty(meeting: TrueMeeting, rule: Kind, about: About, month: Month): Duty {
  const chances = listChances(meeting, rule, about, month.endMs)
  if (chances.length === 0) return 'nobody to tell'
  return chances.some(chance => isSure(chance, meeting, { rule, about }, month)) ? 'must be told' : 'might be told'
}

/** What they read last was of another start, although there was time to tell them of this one since. */
export function findStale(meeting: TrueMeeting, rule: Kind, about: About, read: readonly Received[], month: Month) {
  for (const [fromMs, toMs] of listChances(meeting, rule, about, month.endMs)) {
    const last = read.filter(({ atMs }) => atMs <= toMs).toSorted((a, b) => b.atMs - a.atMs)[0]
    if (last === undefined || last.startsMs === about.startsMs) continue
    // Whether it went may turn out only after two look-ups.
    const sinceMs = Math.max(fromMs, last.atMs + marginMs)
    if (isSure([sinceMs, toMs], meeting, { rule, about }, month)) {
      return `the last that they read was of ${new Date(last.startsMs).toISOString()}`
    }
  }
  return undefined
}

type Chance = readonly [fromMs: number, toMs: number]

/** The times at which it was right to tell them. */
function listChances(meeting: TrueMeeting, rule: Kind, about: About, endMs: number): readonly Chance[] {
  const chances: Chance[] = []
  const { startsMs } = about
  const firstMs = Math.max(startsMs - rule.opens * hourMs, meeting.createdMs + rule.quiet * hourMs)
  const lastMs = startsMs - rule.closes * hourMs
  for (const [index, version] of meeting.versions.entries()) {
    if (!isRight(version, about)) continue
    const untilMs = (meeting.versions[index + 1]?.sinceMs ?? endMs) - 1
    const fromMs = Math.max(version.sinceMs, firstMs)
    const toMs = Math.min(untilMs, lastMs)
    if (fromMs <= toMs) chances.push([fromMs, toMs])
  }
  return chances
}

function isRight(version: Version, { party, recipient, startsMs }: About): boolean {
  return !version.isGone && version.isPaid && version.startsMs === startsMs && version[party] === recipient
}

/** A run saw it and knew the language or could not wait for it, and Novu was well for long enough afterwards. */
function isSure(
  [fromMs, toMs]: Chance,
  { paymentIntentId }: TrueMeeting,
  { about, rule }: { readonly about: About; readonly rule: Kind },
  { outages, runs, unanswered }: Month,
): boolean {
  const guessMs = about.startsMs - (rule.closes + rule.guess) * hourMs
  const tells = (atMs: number): boolean =>
    about.party === 'expert' || atMs >= guessMs || !unanswered.has(`${paymentIntentId} ${Math.trunc(atMs)}`)
  const runMs = runs.get(rule.job)?.find(atMs => atMs >= fromMs && atMs <= toMs && tells(atMs))
  if (runMs === undefined) return false
  const isCalm = (since: number, until: number): boolean =>
    outages.every(outage => outage.toMs < since || outage.fromMs > until)
  if (runMs + marginMs <= toMs && isCalm(runMs - backoffMs, runMs + marginMs)) return true
  const ends = [runMs, ...outages.map(outage => outage.toMs).filter(endMs => endMs > runMs)]
  return ends.some(endMs => endMs + backoffMs + marginMs <= toMs && isCalm(endMs + 1, endMs + backoffMs + marginMs))
}

/** Whether a run came by when it was still paid and its time was over. */
export function mustBeWritten(meeting: TrueMeeting, rule: Kind, about: About, { endMs, runs }: Month): boolean {
  const overMs = about.startsMs - rule.closes * hourMs
  return (runs.get(rule.job) ?? []).some(runMs => {
    const version = meeting.versions.findLast(({ sinceMs }) => sinceMs <= runMs)
    const isOver = runMs > overMs && runMs <= about.startsMs + 24 * hourMs && runMs <= endMs
    return isOver && version !== undefined && isRight(version, about)
  })
}
