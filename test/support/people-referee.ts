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
type Kind = (typeof kinds)[number]

const minuteMs = 60_000
const hourMs = 60 * minuteMs
// A notice meets two troubles at most in this time, and each costs it less than ten minutes.
const marginMs = 25 * minuteMs
// After an outage a notice may wait for an hour before it is tried again.
const backoffMs = 75 * minuteMs

interface About {
  readonly kind: string
  readonly party: Party
  readonly meetingId: string
  readonly startsMs: number
  /** As the vendor knows them. */
  readonly recipient: string
}

interface Received extends About {
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
  const byPerson = Map.groupBy(received, personOf)
  for (const [name, group] of groups) {
    if (group.length > 1) count('told again after another start')
    const others = (byPerson.get(personOf(group[0] as Received)) ?? []).filter(
      one => one.startsMs !== group[0]?.startsMs,
    )
    if (!areApart(group, others)) wrongs.push(`${name}: told ${group.length} times`)
  }
  const written = await readWritten(month)
  const told = new Set(received.map(({ meetingId }) => meetingId))
  for (const meeting of month.site.meetings) {
    if (meeting.versions.every(({ isPaid }) => !isPaid)) {
      count('appointments never paid')
      if (told.has(meeting.id)) wrongs.push(`${meeting.id}: somebody heard of it, and it was never paid`)
    }
    for (const rule of kinds) {
      for (const party of ['guest', 'expert'] as const) {
        for (const about of listAbouts(meeting, rule, party)) {
          const name = nameOf(about)
          const duty = findDuty(meeting, rule, about, month)
          const isTold = groups.has(name)
          count(`${duty}, ${isTold ? 'told' : 'not told'}`)
          if (duty === 'must be told' && !isTold) wrongs.push(`${name}: never told`)
          if (duty === 'nobody to tell' && isTold) wrongs.push(`${name}: told, and nobody was to be`)
          if (duty === 'might be told' && !isTold && mustBeWritten(meeting, rule, about, month)) {
            count('not told, and written down')
            if (!written.has(name)) wrongs.push(`${name}: missed, and not written down`)
          }
          const stale = findStale(meeting, rule, about, byPerson.get(personOf(about)) ?? [], month)
          if (stale !== undefined) wrongs.push(`${name}: ${stale}`)
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
    return { ...aboutOf(row), recipient: message.to.subscriberId, atMs: message.at.getTime(), message }
  })
}

/** Which reminders our own database can account for. */
async function readWritten({ db }: Month): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('jobs.outbox').selectAll().execute()
  return new Set(rows.map(row => nameOf(aboutOf(row))))
}

function aboutOf(row: { kind: string; occurrence: string; recipient: string; subject: string }): About {
  const { kind, occurrence, recipient, subject } = row
  const [, meetingId = '', party = ''] = subject.split(' ')
  return { kind, meetingId, party: party as Party, startsMs: Date.parse(occurrence.slice(0, 24)), recipient }
}

function nameOf(about: About): string {
  return `${personOf(about)} at ${new Date(about.startsMs).toISOString()}`
}

/** All starts of an appointment that one person hears of, in one kind. */
function personOf({ kind, meetingId, party, recipient }: About): string {
  return `${kind} of ${meetingId} to the ${party} ${recipient}`
}

/** Each person that a party ever was, and each start. */
function listAbouts({ id, versions }: TrueMeeting, { kind }: Kind, party: Party): readonly About[] {
  const all = versions.flatMap(version => {
    const recipient = version[party]
    return recipient === undefined ? [] : [{ kind, party, meetingId: id, startsMs: version.startsMs, recipient }]
  })
  return [...new Map(all.map(about => [nameOf(about), about])).values()]
}

/** Nobody hears the same twice, unless they were told of another start in between. */
function areApart(group: readonly Received[], others: readonly Received[]): boolean {
  const times = group.map(({ atMs }) => atMs).toSorted((a, b) => a - b)
  return times.every((atMs, index) => {
    const lastMs = index === 0 ? undefined : times[index - 1]
    return lastMs === undefined || others.some(other => other.atMs > lastMs && other.atMs < atMs)
  })
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
  // Only near the end nobody waits for Stripe any more.
  const isLate = beforeMs <= (rule.closes + rule.guess) * hourMs
  const languages = party === 'guest' && isLate ? [own, meeting.zoneLanguage] : [own ?? meeting.zoneLanguage]
  return languages.includes(message.language) ? undefined : `in ${message.language}`
}

function languageOf(locale: string | null): string | undefined {
  return locale === 'br' ? 'pt' : (locale ?? undefined)
}

type Duty = 'must be told' | 'might be told' | 'nobody to tell'

/** What was owed to a person about one start, given the runs that there were and how Novu was. */
function findDuty(meeting: TrueMeeting, rule: Kind, about: About, month: Month): Duty {
  const chances = listChances(meeting, rule, about, month.endMs)
  if (chances.length === 0) return 'nobody to tell'
  return chances.some(chance => isSure(chance, meeting, { rule, about }, month)) ? 'must be told' : 'might be told'
}

/** What they read last was of another start, although there was time to tell them of this one since. */
function findStale(meeting: TrueMeeting, rule: Kind, about: About, read: readonly Received[], month: Month) {
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
function mustBeWritten(meeting: TrueMeeting, rule: Kind, about: About, { endMs, runs }: Month): boolean {
  const overMs = about.startsMs - rule.closes * hourMs
  return (runs.get(rule.job) ?? []).some(runMs => {
    const version = meeting.versions.findLast(({ sinceMs }) => sinceMs <= runMs)
    const isOver = runMs > overMs && runMs <= about.startsMs + 24 * hourMs && runMs <= endMs
    return isOver && version !== undefined && isRight(version, about)
  })
}
