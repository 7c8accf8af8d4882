import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'
import { addExpert, addMeeting, moveMeeting } from './appointments.ts'
import type { Dice } from './dice.ts'

/** An appointment as it was from a moment on. */
export interface Version {
  readonly sinceMs: number
  readonly startsMs: number
  /** Whether people may hear of it. */
  readonly isPaid: boolean
  /** As the vendor knows them; undefined for a guest whom nobody can reach. */
  readonly guest: string | undefined
  readonly expert: string
  readonly isGone: boolean
}

/** All that was ever true of an appointment, written by whoever changes it. */
export interface TrueMeeting {
  readonly id: string
  readonly createdMs: number
  readonly paymentIntentId: string | null
  /** What the payment's metadata say. */
  readonly guestLocale: string | null
  /** The language of the guest's zone. */
  readonly zoneLanguage: string
  readonly versions: Version[]
  /** When it is moved back to where it was before, by whoever moved it. */
  backAtMs?: number | undefined
  /** Nothing happens to it by chance. */
  readonly isPlanned: boolean
}

/** What is not left to chance about an appointment. */
export interface PlannedBooking {
  readonly startsMs: number
  readonly expert: string
}

export interface Site {
  readonly meetings: readonly TrueMeeting[]
  readonly languageOfExpert: ReadonlyMap<string, string>
  /** One thing that happens at the site, by chance. */
  act(nowMs: number): Promise<void>
  /** A paid appointment of a guest who can be reached. */
  book(nowMs: number, planned: PlannedBooking): Promise<TrueMeeting>
  localeOf(paymentIntentId: string): string | null
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

const experts = [
  { clerkId: 'user_pt', country: 'PT', timezone: 'Europe/Lisbon', language: 'pt' },
  { clerkId: 'user_br', country: 'BR', timezone: 'America/Sao_Paulo', language: 'pt' },
  { clerkId: 'user_es', country: 'ES', timezone: 'Europe/Madrid', language: 'es' },
  { clerkId: 'user_us', country: 'US', timezone: 'America/New_York', language: 'en' },
  { clerkId: 'user_nz', country: 'NZ', timezone: 'Pacific/Auckland', language: 'en' },
  { clerkId: 'user_unplanned', country: 'ES', timezone: null, language: 'es' },
  { clerkId: 'user_astray', country: 'PT', timezone: 'Mars/Phobos', language: 'pt' },
] as const

const zones = [
  ['Europe/Lisbon', 'pt'],
  ['Atlantic/Azores', 'pt'],
  ['America/Sao_Paulo', 'pt'],
  ['Europe/Madrid', 'es'],
  ['America/Bogota', 'es'],
  ['America/New_York', 'en'],
  ['Pacific/Auckland', 'en'],
  ['UTC', 'en'],
  ['Nowhere/Else', 'en'],
] as const

/** The marketplace of a month: what it writes, and what is therefore true. */
export async function openSite(db: Db, dice: Dice): Promise<Site> {
  for (const { clerkId, country, timezone } of experts) await addExpert(db, { clerkId, country, timezone })
  const languageOfExpert = new Map<string, string>(experts.map(({ clerkId, language }) => [clerkId, language]))
  // One whom the marketplace does not know any more.
  languageOfExpert.set('user_gone', 'en')
  const meetings: TrueMeeting[] = []
  const book = async (nowMs: number, planned?: PlannedBooking): Promise<TrueMeeting> => {
    const meeting = await addBooking(db, dice, nowMs, [...languageOfExpert.keys()], meetings.length, planned)
    meetings.push(meeting)
    return meeting
  }
  return {
    meetings,
    languageOfExpert,
    book,
    act: async nowMs => {
      const back = meetings.find(({ backAtMs = Infinity }) => backAtMs <= nowMs)
      if (back !== undefined) await moveBack(db, nowMs, back)
      const upcoming = meetings.filter(meeting => isUpcoming(meeting, nowMs))
      if (upcoming.length === 0 || dice.happens(0.55)) await book(nowMs)
      else await change(db, dice, nowMs, pickSoon(upcoming, dice, nowMs))
    },
    localeOf: id => meetings.find(({ paymentIntentId }) => paymentIntentId === id)?.guestLocale ?? null,
  }
}

/** The latest version: what the site has now. */
export function latest({ versions }: TrueMeeting): Version {
  const version = versions.at(-1)
  if (version === undefined) throw new Error('a meeting without a version')
  return version
}

function isUpcoming(meeting: TrueMeeting, nowMs: number): boolean {
  const { isGone, startsMs } = latest(meeting)
  return !meeting.isPlanned && !isGone && startsMs > nowMs - hourMs
}

/** Mostly one whose window has just opened: its notices may be on their way. */
function pickSoon(upcoming: readonly TrueMeeting[], dice: Dice, nowMs: number): TrueMeeting {
  const soon = upcoming.filter(meeting => {
    const hours = (latest(meeting).startsMs - nowMs) / hourMs
    return (hours > 23 && hours < 25) || (hours > 0 && hours < 1.5)
  })
  return dice.pick(soon.length > 0 && dice.happens(0.8) ? soon : upcoming)
}

async function addBooking(
  db: Db,
  dice: Dice,
  nowMs: number,
  names: readonly string[],
  nth: number,
  planned?: PlannedBooking,
): Promise<TrueMeeting> {
  const [timezone, zoneLanguage] = dice.pick(zones)
  const isPlanned = planned !== undefined
  const isFree = !isPlanned && dice.happens(0.08)
  const status = isPlanned
    ? 'succeeded'
    : isFree
      ? null
      : dice.pick(['succeeded', 'succeeded', 'succeeded', 'succeeded', 'pending', 'failed'])
  const aheadMs = dice.pick([
    dice.between(2 * minuteMs, 3 * hourMs),
    dice.between(18 * hourMs, 30 * hourMs),
    dice.between(hourMs, 4 * dayMs),
  ])
  // Most start at a quarter of an hour, and some at any millisecond.
  const raw = nowMs + aheadMs
  const byChance = dice.happens(0.8) ? Math.ceil(raw / (15 * minuteMs)) * 15 * minuteMs : Math.round(raw)
  const startsMs = planned?.startsMs ?? byChance
  const guestEmail = !isPlanned && dice.happens(0.03) ? '' : `Guest.${nth}@Example.com`
  const expert = planned?.expert ?? dice.pick(names)
  const paymentIntentId = isFree ? null : `pi_month_${nth}`
  const id = randomUUID()
  await addMeeting(db, {
    id,
    startsAt: new Date(startsMs).toISOString(),
    createdAt: new Date(nowMs).toISOString(),
    expert,
    guestEmail,
    guestName: dice.happens(0.05) ? '' : `Guest ${nth}`,
    timezone,
    status,
    paymentIntentId,
    price: isFree ? 0 : 7_000,
  })
  const guest = guestEmail === '' ? undefined : `guest_guest.${nth}@example.com`
  const isPaid = status === 'succeeded' || isFree
  return {
    id,
    createdMs: nowMs,
    paymentIntentId,
    guestLocale: isFree ? null : dice.pick(['pt', 'br', 'es', 'en', null]),
    zoneLanguage,
    versions: [{ sinceMs: nowMs, startsMs, isPaid, guest, expert, isGone: false }],
    isPlanned,
  }
}

/** Moves an appointment, as people do who have agreed on another time. */
export async function moveTo(db: Db, meeting: TrueMeeting, startsMs: number, nowMs: number): Promise<void> {
  await moveMeeting(db, meeting.id, new Date(startsMs).toISOString())
  meeting.versions.push({ ...latest(meeting), startsMs, sinceMs: nowMs })
}

export async function reassign(db: Db, meeting: TrueMeeting, expert: string, nowMs: number): Promise<void> {
  await sql`update meetings set "clerkUserId" = ${expert} where id = ${meeting.id}::uuid`.execute(db)
  meeting.versions.push({ ...latest(meeting), expert, sinceMs: nowMs })
}

export async function correctAddress(db: Db, meeting: TrueMeeting, nowMs: number): Promise<void> {
  const address = `other.${meeting.versions.length}.${meeting.id}@example.com`
  await sql`update meetings set "guestEmail" = ${address} where id = ${meeting.id}::uuid`.execute(db)
  meeting.versions.push({ ...latest(meeting), guest: `guest_${address}`, sinceMs: nowMs })
}

/** Long enough after it was moved for people to have read of that. */
async function moveBack(db: Db, nowMs: number, meeting: TrueMeeting): Promise<void> {
  meeting.backAtMs = undefined
  const now = latest(meeting)
  const { startsMs } = meeting.versions.findLast(version => version.startsMs !== now.startsMs) ?? now
  if (now.isGone || startsMs < nowMs) return
  await moveTo(db, meeting, startsMs, nowMs)
}

async function change(db: Db, dice: Dice, nowMs: number, meeting: TrueMeeting): Promise<void> {
  const now = latest(meeting)
  const write = (changes: Partial<Version>): void => {
    meeting.versions.push({ ...now, ...changes, sinceMs: nowMs })
  }
  const setStatus = async (status: string): Promise<void> => {
    await sql`update meetings set "stripePaymentStatus" = ${status} where id = ${meeting.id}::uuid`.execute(db)
    write({ isPaid: status === 'succeeded' })
  }
  const what = dice.next()
  if (!now.isPaid) {
    // A voucher is paid at last, or a refund comes back.
    await setStatus(dice.happens(0.8) ? 'succeeded' : 'failed')
  } else if (what < 0.5) {
    // Also back to where it was, at once or when people have read of it.
    const earlier = dice.pick(meeting.versions).startsMs
    const isBriefly = dice.happens(0.5)
    const farMs = Math.round(dice.between(-4, 12) * 4) * 15 * minuteMs
    const shiftMs = isBriefly ? dice.pick([15, 30]) * minuteMs : farMs
    const isBack = !isBriefly && dice.happens(0.5) && earlier !== now.startsMs
    const startsMs = isBack ? earlier : now.startsMs + shiftMs
    await moveTo(db, meeting, startsMs, nowMs)
    if (isBriefly) meeting.backAtMs = nowMs + dice.between(35, 60) * minuteMs
  } else if (what < 0.75) await setStatus('refunded')
  else if (what < 0.87) {
    await sql`delete from meetings where id = ${meeting.id}::uuid`.execute(db)
    write({ isGone: true })
  } else if (what < 0.95) {
    const others = experts.filter(({ clerkId }) => clerkId !== now.expert)
    await reassign(db, meeting, dice.pick(others).clerkId, nowMs)
  } else await correctAddress(db, meeting, nowMs)
}
