import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../database/connection.ts'
import type { StripeStandIn } from '../stripe.ts'
import { experts } from './experts.ts'
import { type DemoGuest, guests } from './guests.ts'
import { appointmentMinutes, eventIdOf } from './insert-bookings.ts'
import { type DemoAppointment, demoAppointments, type DemoHold, demoHolds } from './people-cases.ts'

const hourMs = 60 * 60_000
const minuteMs = 60_000
const priceCents = 6_000
const freeEventId = '00000000-0000-4000-8000-000000000998'
const holdMs = 10 * minuteMs

/**
 * Adds what people are to be told of to the demo: appointments of the next days, and vouchers that wait or have run out.
 * Their money stays on the platform, where it explains nothing of an expert's balance. Comes after the money.
 */
export async function seedPeople(db: Db, stripe: StripeStandIn, now: Date): Promise<void> {
  const appointments = demoAppointments.map(appointment => bookAppointment(stripe, appointment, now))
  const holds = demoHolds.map(hold => holdSlot(stripe, hold, now))
  await db.transaction().execute(async tx => {
    await insertFreeEvent(tx)
    await insertMeetings(tx, [...appointments, ...holds.flatMap(({ meeting }) => meeting ?? [])])
    await insertHolds(tx, holds)
  })
}

interface MeetingSeed {
  readonly eventId: string
  readonly expert: string
  readonly guestEmail: string
  readonly guestName: string
  readonly startsAt: Date
  readonly endsAt: Date
  readonly timezone: string
  readonly meetingUrl: string | null
  readonly paymentIntentId: string | null
  readonly status: string | null
  readonly createdAt: Date
}

interface HoldSeed {
  readonly eventId: string
  readonly expert: string
  readonly guestEmail: string
  readonly startsAt: Date
  readonly endsAt: Date
  readonly expiresAt: Date
  readonly paymentIntentId: string | null
  readonly createdAt: Date
  /** The site writes one for every voucher. */
  readonly meeting: MeetingSeed | undefined
}

function bookAppointment(stripe: StripeStandIn, of: DemoAppointment, now: Date): MeetingSeed {
  const createdAt = new Date(now.getTime() - (of.bookedHoursAgo ?? 120) * hourMs)
  const startsAt = roundUp(new Date(now.getTime() + of.startsInHours * hourMs))
  const slot = slotOf(of, startsAt, createdAt)
  const meetingUrl = of.meetingUrl ?? null
  const metadata = metadataOf(of, startsAt)
  switch (of.payment) {
    case 'free':
      return { ...slot, eventId: freeEventId, meetingUrl, paymentIntentId: null, status: null }
    case 'waiting': {
      const { paymentIntentId } = stripe.issueVoucher({ amountCents: priceCents, createdAt, metadata })
      return { ...slot, meetingUrl, paymentIntentId, status: 'pending' }
    }
    case 'paid':
    case 'refunded': {
      const { chargeId, paymentIntentId } = stripe.pay({ amountCents: priceCents, paidAt: createdAt, metadata })
      if (of.payment === 'refunded') stripe.refund({ chargeId })
      return { ...slot, meetingUrl, paymentIntentId, status: of.payment === 'paid' ? 'succeeded' : 'refunded' }
    }
  }
}

function holdSlot(stripe: StripeStandIn, of: DemoHold, now: Date): HoldSeed {
  const inDays = (days: number): Date => new Date(now.getTime() + days * 24 * hourMs)
  const createdAt = inDays(-of.issuedDaysAgo)
  const slot = slotOf(of, roundUp(inDays(of.startsInDays)), createdAt)
  if (of.payment === 'none') {
    const expiresAt = new Date(createdAt.getTime() + holdMs)
    return { ...slot, expiresAt, paymentIntentId: null, meeting: undefined }
  }
  const expiresAt = inDays(of.expiresInDays)
  const { paymentIntentId } = stripe.issueVoucher({
    amountCents: priceCents,
    createdAt,
    expiresAt: inDays(of.voucherExpiresInDays ?? of.expiresInDays),
    metadata: metadataOf(of, slot.startsAt),
  })
  if (of.payment === 'canceled') stripe.cancelPayment(paymentIntentId)
  if (of.payment === 'paid') stripe.settleVoucher(paymentIntentId)
  const status = of.payment === 'paid' ? 'succeeded' : 'pending'
  return { ...slot, expiresAt, paymentIntentId, meeting: { ...slot, meetingUrl: null, paymentIntentId, status } }
}

function slotOf({ expert, guest }: DemoAppointment | DemoHold, startsAt: Date, createdAt: Date) {
  const { email, name, timezone } = guests[guest]
  return {
    eventId: eventIdOf({ expert }),
    expert: experts[expert].clerkUserId,
    guestEmail: email,
    guestName: name,
    timezone,
    startsAt,
    endsAt: new Date(startsAt.getTime() + appointmentMinutes * minuteMs),
    createdAt,
  }
}

/** As the site writes it at checkout. */
function metadataOf({ expert, guest }: DemoAppointment | DemoHold, startsAt: Date): Record<string, string> {
  const { email, locale, name, timezone }: DemoGuest = guests[guest]
  const meeting = {
    id: eventIdOf({ expert }),
    expert: experts[expert].clerkUserId,
    guest: email,
    guestName: name,
    start: startsAt.toISOString(),
    dur: appointmentMinutes,
    timezone,
    locale,
  }
  return { meeting: JSON.stringify(meeting) }
}

/** Appointments begin at five-minute marks. */
function roundUp(at: Date): Date {
  return new Date(Math.ceil(at.getTime() / (5 * minuteMs)) * 5 * minuteMs)
}

async function insertFreeEvent(tx: Db): Promise<void> {
  await sql`
    insert into events (id, name, slug, "durationInMinutes", "clerkUserId", price)
    values (${freeEventId}, 'Introduction call', 'introduction-call', ${appointmentMinutes}, ${experts.vera.clerkUserId}, 0)
    on conflict (id) do nothing`.execute(tx)
}

async function insertMeetings(tx: Db, meetings: readonly MeetingSeed[]): Promise<void> {
  await sql`
    insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
      "meetingUrl", "stripePaymentIntentId", "stripePaymentStatus", "createdAt")
    select "eventId", expert, "guestEmail", "guestName", "startsAt", "endsAt", timezone, "meetingUrl", "paymentIntentId",
      status, "createdAt"
    from jsonb_to_recordset(${JSON.stringify(meetings)}) as r ("eventId" uuid, expert text, "guestEmail" text,
      "guestName" text, "startsAt" timestamp, "endsAt" timestamp, timezone text, "meetingUrl" text,
      "paymentIntentId" text, status text, "createdAt" timestamp)`.execute(tx)
}

async function insertHolds(tx: Db, holds: readonly HoldSeed[]): Promise<void> {
  const rows = holds.map(hold => ({ ...hold, meeting: undefined, id: randomUUID() }))
  await sql`
    insert into slot_reservations (id, event_id, clerk_user_id, guest_email, start_time, end_time, expires_at,
      stripe_payment_intent_id, created_at, updated_at)
    select id, "eventId", expert, "guestEmail", "startsAt", "endsAt", "expiresAt", "paymentIntentId", "createdAt",
      "createdAt"
    from jsonb_to_recordset(${JSON.stringify(rows)}) as r (id uuid, "eventId" uuid, expert text, "guestEmail" text,
      "startsAt" timestamp, "endsAt" timestamp, "expiresAt" timestamp, "paymentIntentId" text,
      "createdAt" timestamp)`.execute(tx)
}
