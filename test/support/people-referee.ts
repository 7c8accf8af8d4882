import {
  type About,
  findDuty,
  findStale,
  hourMs,
  type Kind,
  kinds,
  mustBeWritten,
  type Party,
  type Received,
} from './people-duties.ts'
import type { Month } from './people-month.ts'
import type { TrueMeeting } from './people-site.ts'

/** What the referee found. */
export interface Verdict {
  /** What must never be, in words. */
  readonly wrongs: readonly string[]
  readonly counts: Readonly<Record<string, number>>
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
    if (
      month.outages.some(({ fromMs, toMs }) => fromMs <= each.decidedMs && toMs >= each.decidedMs && each.atMs > toMs)
    )
      count('told after an outage of Novu')
    if (problem !== undefined) wrongs.push(`${nameOf(each)}: ${problem}; ${each.tries}`)
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
  const people = Map.groupBy(byPerson.keys(), person => person.slice(0, person.lastIndexOf(' ')))
  for (const [party, { length }] of people)
    if (length > 1) count(`another ${party.endsWith('expert') ? 'expert' : 'address'} told`)
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
    const decidedMs = row.created_at.getTime()
    const tries = `arrived ${message.at.toISOString()}, tried last ${row.tried_at?.toISOString()}, ${row.attempts} tries, ${row.note}`
    const arrived = { recipient: message.to.subscriberId, atMs: message.at.getTime(), message }
    return { ...aboutOf(row), ...arrived, decidedMs, tries }
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
