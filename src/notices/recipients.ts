import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { toLine } from './clean-text.ts'
import { isTimeZone, type Language, type Reader } from './facts.ts'
import type { NoticeKind, OutgoingNotice } from './notice.ts'
import { brazilianZones, portugueseZones, spanishSpeakingZones, unitedStatesZones } from './zones.ts'

/** A reader, and whether the zone that was stored for them is empty or one that nobody knows: the reader has the next one. */
export interface FoundReader {
  readonly reader: Reader
  readonly invalidZone: boolean
  /** Table and id of the row that has the zone, where it was looked up. */
  readonly zoneOf?: string
}

export interface ExpertProfile {
  readonly country: string | null
  /** Of the expert's schedule. */
  readonly scheduleZone: string | null
  /** Of the meeting that it is about, where there is one. */
  readonly meetingZone?: string | null
  readonly email?: string | null
  readonly firstName?: string | null
  readonly lastName?: string | null
}

export interface GuestProfile {
  /** What the payment's metadata say, as it stands there. */
  readonly paymentLocale: string | null | undefined
  /** Of the meeting. */
  readonly timeZone: string | null
  readonly email: string | null
  /** In one piece, as guests give it. */
  readonly name: string | null
}

/** What tells guests' ids from experts', which are Clerk's. */
export const guestPrefix = 'guest_'

/** Who reads what is for operators. */
export const operatorReader: Reader = { language: 'en', locale: 'en-GB', timeZone: 'UTC' }

/**
 * A guest's id at the vendor, by the address alone: the site's own form, and never one of Clerk's ids. Undefined where
 * there is no address: then nobody is told.
 */
export function guestRecipient(email: string | null | undefined): string | undefined {
  const address = email?.trim().toLowerCase() ?? ''
  return address.includes('@') ? `${guestPrefix}${address}` : undefined
}

/**
 * How an expert reads: the language of their country, the clock of their schedule, else of the meeting, else UTC. A zone
 * that does not exist counts as none.
 */
export function expertReader(profile: ExpertProfile): FoundReader {
  const { invalidZone, timeZone } = chooseZone(profile.scheduleZone, profile.meetingZone)
  const country = profile.country?.trim().toUpperCase() ?? ''
  const locale = country === '' ? englishOf(timeZone) : (localesOfCountries.get(country) ?? 'en-GB')
  return { reader: readerOf(locale, timeZone, profile), invalidZone }
}

/** How a guest reads: the locale of their payment, else that of the meeting's zone; the clock of the meeting. */
export function guestReader({ email, name, paymentLocale, timeZone }: GuestProfile): FoundReader {
  const [firstName, ...others] = name?.trim().split(/\s+/) ?? []
  const zone = chooseZone(timeZone)
  const locale = toLocale(paymentLocale, zone.timeZone) ?? localeOfZone(zone.timeZone)
  const reader = readerOf(locale, zone.timeZone, { email, firstName, lastName: others.join(' ') })
  return { reader, invalidZone: zone.invalidZone }
}

/** The first zone that exists, else UTC; and whether one before it was stored and does not. */
function chooseZone(...stored: readonly (string | null | undefined)[]) {
  const zones = stored.filter(zone => typeof zone === 'string').map(zone => zone.trim())
  const found = zones.findIndex(isTimeZone)
  return { timeZone: zones[found] ?? 'UTC', invalidZone: zones.length > 0 && found !== 0 }
}

/** Experts by their Clerk ids, in one query; an id that the marketplace does not know is absent. */
export async function readExperts(db: Db, clerkIds: readonly string[]): Promise<Map<string, FoundReader>> {
  if (clerkIds.length === 0) return new Map()
  const { rows } = await sql<ExpertProfile & { id: string; scheduleId: string | null }>`
    select u."clerkUserId" as id, u.country, u.email, u.first_name as "firstName", u.last_name as "lastName",
      s.id as "scheduleId", s.timezone as "scheduleZone"
    from users u left join schedules s on s."clerkUserId" = u."clerkUserId"
    where u."clerkUserId" = any(${[...new Set(clerkIds)]}::text[])`.execute(db)
  return new Map(
    rows.map(({ id, scheduleId, ...profile }) => {
      const zoneOf = scheduleId === null ? {} : { zoneOf: `schedules ${scheduleId}` }
      return [id, { ...expertReader(profile), ...zoneOf }]
    }),
  )
}

/**
 * Who reads each of these notices, by the notice's id: as its facts say, else operators, else the expert who is its
 * recipient, as they are now. One whom the marketplace does not know any more is absent: there is nobody to tell.
 */
export async function findReaders(
  db: Db,
  notices: readonly Pick<OutgoingNotice, 'facts' | 'id' | 'kind' | 'recipient'>[],
): Promise<Map<string, FoundReader>> {
  const unnamed = notices.filter(({ facts, kind }) => !('reader' in facts) && !isForOperators(kind))
  const experts = await readExperts(
    db,
    unnamed.map(({ recipient }) => recipient),
  )
  return new Map(
    notices.flatMap(({ facts, id, kind, recipient }) => {
      if ('reader' in facts) return [[id, { reader: facts['reader'] as Reader, invalidZone: false }] as const]
      const reader = isForOperators(kind) ? { reader: operatorReader, invalidZone: false } : experts.get(recipient)
      return reader === undefined ? [] : [[id, reader] as const]
    }),
  )
}

/** Whether operators are told, and nobody of the marketplace. */
export function isForOperators(kind: NoticeKind): boolean {
  return kind === 'job-failing' || kind === 'job-recovered'
}

const localesOfCountries: ReadonlyMap<string, string> = new Map([
  ['PT', 'pt-PT'],
  ['BR', 'pt-BR'],
  ['ES', 'es-ES'],
  ['US', 'en-US'],
])
const localesOfSite: ReadonlyMap<string, string> = new Map([
  ['br', 'pt-BR'],
  ['pt-br', 'pt-BR'],
  ['pt', 'pt-PT'],
  ['es', 'es-ES'],
  ['en-us', 'en-US'],
  ['en-gb', 'en-GB'],
])

/** The site's `br` is Brazil's Portuguese; of a longer tag that is not known, the language counts. */
function toLocale(stored: string | null | undefined, zone: string): string | undefined {
  const tag = stored?.trim().toLowerCase().replace('_', '-') ?? ''
  const language = tag.split('-')[0] ?? ''
  return localesOfSite.get(tag) ?? (language === 'en' ? englishOf(zone) : localesOfSite.get(language))
}

function localeOfZone(zone: string): string {
  if (portugueseZones.has(zone)) return 'pt-PT'
  if (brazilianZones.has(zone)) return 'pt-BR'
  return spanishSpeakingZones.has(zone) ? 'es-ES' : englishOf(zone)
}

/** The site has one English; the zone says whose clock goes with it. */
function englishOf(zone: string): string {
  return unitedStatesZones.has(zone) ? 'en-US' : 'en-GB'
}

type Person = { readonly [K in 'email' | 'firstName' | 'lastName']?: string | null | undefined }

function readerOf(locale: string, timeZone: string, person: Person): Reader {
  const language = locale.slice(0, 2) as Language
  return { language, locale, timeZone, ...given(person) }
}

/** What is known of a person, as others may see it; what is empty is left out. */
function given({ email, firstName, lastName }: Person): Pick<Reader, 'email' | 'firstName' | 'lastName'> {
  const [address, first, last] = [email?.trim(), toLine(firstName ?? ''), toLine(lastName ?? '')]
  return {
    ...(address === undefined || address === '' ? {} : { email: address }),
    ...(first === '' ? {} : { firstName: first }),
    ...(last === '' ? {} : { lastName: last }),
  }
}
