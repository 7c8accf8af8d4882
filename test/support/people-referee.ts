import type { DeliveredMessage } from '../../src/sandbox/novu.ts'
import type { Month } from './people-month.ts'
import type { TrueMeeting, Version } from './people-site.ts'

/** What the referee found. */
export interface Verdict {
  /** What must never be, in words. */
  readonly wrongs: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

type Party = 'expert' | 'guest'

/** The rules once more, in the referee's own words: it shares none with the code. */
const kinds = [
  { kind: 'appointment-reminder-24h', job: 'appointment-reminders', opens: 24.5, closes: 20, quiet: 2 },
  { kind: 'appointment-reminder-1h', job: 'appointment-reminders-1hr', opens: 1.25, closes: 1 / 6, quiet: 0.25 },
] as const
type Kind = (typeof kinds)[number]

const minuteMs = 60_000
const hourMs = 60 * minuteMs
// A notice meets two troubles at most in this time, and each costs it less than ten minutes.
const marginMs = 25 * minuteMs
// After an outage a notice may wait for an hour before it is tried again.
const backoffMs = 75 * minuteMs

interface Received {
  readonly kind: string
  readonly party: Party
  readonly meetingId: string
  readonly startsMs: number
  readonly atMs: number
  readonly message: DeliveredMessage
}

/** Judges a month by what the site knows and what the inbox holds. */
export async function judge(month: Month): Promise<Verdict> {
  const wrongs: string[] = []
  const counts: Record<string, number> = { ...month.counts, appointments: month.site.meetings.length }
  const count = (name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  const received = await readInbox(month)
  const byId = new Map(month.site.meetings.map(meeting => [meeting.id, meeting]))
  for (const each of received) {
    const problem = findWrong(each, byId.get(each.meetingId), month)
    count(`messages ${each.kind} ${each.party}`)
    if (problem !== undefined) wrongs.push(`${nameOf(each)}: ${problem}`)
  }
  const groups = Map.groupBy(received, nameOf)
  for (const [name, group] of groups) if (group.length > 1) wrongs.push(`${name}: told ${group.length} times`)
  const written = await readWritten(month)
  const told = new Set(received.map(({ meetingId }) => meetingId))
  for (const meeting of month.site.meetings) {
    if (meeting.versions.every(({ isPaid }) => !isPaid)) {
      count('appointments never paid')
      if (told.has(meeting.id)) wrongs.push(`${meeting.id}: somebody heard of it, and it was never paid`)
    }
    for (const rule of kinds) {
      for (const party of ['guest', 'expert'] as const) {
        for (const startsMs of new Set(meeting.versions.map(version => version.startsMs))) {
          const about = { kind: rule.kind, party, meetingId: meeting.id, startsMs }
          const name = nameOf(about)
          const duty = findDuty(meeting, rule, party, startsMs, month)
          const isTold = groups.has(name)
          count(`${duty}, ${isTold ? 'told' : 'not told'}`)
          if (duty === 'must be told' && !isTold) wrongs.push(`${name}: never told`)
          if (duty === 'nobody to tell' && isTold) wrongs.push(`${name}: told, and nobody was to be`)
          if (duty === 'might be told' && !isTold && mustBeWritten(meeting, rule, party, startsMs, month)) {
            count('not told, and written down')
            if (!written.has(name)) wrongs.push(`${name}: missed, and not written down`)
          }
        }
      }
    }
  }
  return { wrongs, counts }
}

async function readInbox({ db, novu }: Month): Promise<readonly Received[]> {
  const rows = await db.selectFrom('jobs.outbox').selectAll().execute()
  const byTransaction = new Map(rows.map(row => [row.transaction_id, row]))
  return novu.inbox().map(message => {
    const row = byTransaction.get(message.transactionId)
    if (row === undefined) throw new Error(`nobody wrote down ${message.transactionId}`)
    return { ...aboutOf(row), atMs: message.at.getTime(), message }
  })
}

/** Which reminders our own database can account for. */
async function readWritten({ db }: Month): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('jobs.outbox').selectAll().execute()
  return new Set(rows.map(row => nameOf(aboutOf(row))))
}

function aboutOf({ kind, occurrence, subject }: { kind: string; occurrence: string; subject: string }) {
  const [, meetingId = '', party = ''] = subject.split(' ')
  return { kind, meetingId, party: party as Party, startsMs: Date.parse(occurrence.slice(0, 24)) }
}

function nameOf({ kind, meetingId, party, startsMs }: Omit<Received, 'atMs' | 'message'>): string {
  return `${kind} of ${meetingId} at ${new Date(startsMs).toISOString()} to the ${party}`
}

/** Whether this message was right at the moment at which it arrived. */
function findWrong(each: Received, meeting: TrueMeeting | undefined, { site }: Month): string | undefined {
  const { atMs, kind, message, party, startsMs } = each
  const version = meeting?.versions.findLast(({ sinceMs }) => sinceMs <= atMs)
  const rule = kinds.find(one => one.kind === kind)
  if (meeting === undefined || version === undefined || rule === undefined) return 'there is no such appointment'
  if (version.isGone) return 'it was deleted'
  if (!version.isPaid) return 'it was not paid'
  if (version.startsMs !== startsMs) return 'it was moved'
  if (message.to.subscriberId !== version[party]) return 'to somebody else'
  const beforeMs = startsMs - atMs
  if (beforeMs > rule.opens * hourMs || beforeMs < rule.closes * hourMs) return `${beforeMs / hourMs} h before`
  if (atMs - meeting.createdMs < rule.quiet * hourMs) return 'too soon after the booking'
  const own = party === 'expert' ? site.languageOfExpert.get(version.expert) : languageOf(meeting.guestLocale)
  const languages = party === 'expert' ? [own] : [own ?? meeting.zoneLanguage, meeting.zoneLanguage]
  return languages.includes(message.language) ? undefined : `in ${message.language}`
}

function languageOf(locale: string | null): string | undefined {
  return locale === 'br' ? 'pt' : (locale ?? undefined)
}

type Duty = 'must be told' | 'might be told' | 'nobody to tell'

/** What was owed to a party about one start, given the runs that there were and how Novu was. */
function findDuty(meeting: TrueMeeting, rule: Kind, party: Party, startsMs: number, month: Month): Duty {
  const chances = listChances(meeting, rule, party, startsMs, month.endMs)
  if (chances.length === 0) return 'nobody to tell'
  return chances.some(([fromMs, toMs]) => isSure(fromMs, toMs, rule, month)) ? 'must be told' : 'might be told'
}

/** The times at which it was right to tell them. */
function listChances(meeting: TrueMeeting, rule: Kind, party: Party, startsMs: number, endMs: number) {
  const chances: [fromMs: number, toMs: number][] = []
  const firstMs = Math.max(startsMs - rule.opens * hourMs, meeting.createdMs + rule.quiet * hourMs)
  const lastMs = startsMs - rule.closes * hourMs
  for (const [index, version] of meeting.versions.entries()) {
    if (!isRight(version, party, startsMs)) continue
    const untilMs = (meeting.versions[index + 1]?.sinceMs ?? endMs) - 1
    const fromMs = Math.max(version.sinceMs, firstMs)
    const toMs = Math.min(untilMs, lastMs)
    if (fromMs <= toMs) chances.push([fromMs, toMs])
  }
  return chances
}

function isRight(version: Version, party: Party, startsMs: number): boolean {
  return !version.isGone && version.isPaid && version.startsMs === startsMs && version[party] !== undefined
}

/** A run saw it, and Novu was well for long enough afterwards. */
function isSure(fromMs: number, toMs: number, { job }: Kind, { outages, runs }: Month): boolean {
  const runMs = runs.get(job)?.find(atMs => atMs >= fromMs && atMs <= toMs)
  if (runMs === undefined) return false
  const isCalm = (since: number, until: number): boolean =>
    outages.every(outage => outage.toMs < since || outage.fromMs > until)
  if (runMs + marginMs <= toMs && isCalm(runMs - backoffMs, runMs + marginMs)) return true
  const ends = [runMs, ...outages.map(outage => outage.toMs).filter(endMs => endMs > runMs)]
  return ends.some(endMs => endMs + backoffMs + marginMs <= toMs && isCalm(endMs + 1, endMs + backoffMs + marginMs))
}

/** Whether a run came by when it was still paid and its time was over. */
function mustBeWritten(
  meeting: TrueMeeting,
  rule: Kind,
  party: Party,
  startsMs: number,
  { endMs, runs }: Month,
): boolean {
  const overMs = startsMs - rule.closes * hourMs
  return (runs.get(rule.job) ?? []).some(runMs => {
    const version = meeting.versions.findLast(({ sinceMs }) => sinceMs <= runMs)
    const isOver = runMs > overMs && runMs <= startsMs + 24 * hourMs && runMs <= endMs
    return isOver && version !== undefined && isRight(version, party, startsMs)
  })
}
