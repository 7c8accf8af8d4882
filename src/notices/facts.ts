import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { NoticeKind } from './notice.ts'
import { remember } from './remember.ts'

/** What each kind of notice carries from the moment it is decided to the moment it is worded. Instants are ISO strings. */

const text = Type.String({ minLength: 1 })
const instant = Type.Refine(Type.String(), isInstant, () => 'must be an instant in UTC')
const currency = Type.String({ pattern: '^[A-Za-z]{3}$' })
const cents = Type.Integer({ minimum: 0, maximum: 1e12 })
const id = Type.Integer({ minimum: 1 })
const closed = { additionalProperties: false }

export const readerSchema = Type.Object(
  {
    language: Type.Union([Type.Literal('pt'), Type.Literal('es'), Type.Literal('en')]),
    /** BCP 47. */
    locale: Type.Refine(Type.String(), isLocale, () => 'must be a locale'),
    /** IANA. */
    timeZone: Type.Refine(Type.String(), isTimeZone, () => 'must be a time zone'),
    email: Type.Optional(text),
    firstName: Type.Optional(text),
    lastName: Type.Optional(text),
  },
  closed,
)

/** Who reads a notice: in which words, and by which clock. */
export type Reader = Static<typeof readerSchema>
export type Language = Reader['language']

const appointmentReminder = Type.Object(
  {
    party: Type.Union([Type.Literal('guest'), Type.Literal('expert')]),
    meetingId: text,
    /** Empty where nobody gave one. */
    guestName: Type.String(),
    expertName: Type.String(),
    serviceName: Type.String(),
    startsAt: instant,
    endsAt: instant,
    /** As stored; null where there is none. */
    meetingUrl: Type.Union([text, Type.Null()]),
    reader: readerSchema,
  },
  closed,
)

const paymentReminder = Type.Object(
  {
    reservationId: text,
    paymentIntentId: text,
    guestName: Type.Union([Type.String(), Type.Null()]),
    expertName: Type.String(),
    serviceName: Type.String(),
    startsAt: instant,
    durationMinutes: Type.Integer({ minimum: 0 }),
    amountCents: cents,
    currency,
    entity: text,
    reference: text,
    voucherExpiresAt: instant,
    voucherUrl: Type.Union([text, Type.Null()]),
    reader: readerSchema,
  },
  closed,
)

const reservationExpired = Type.Object(
  {
    reservationId: text,
    guestName: Type.Union([Type.String(), Type.Null()]),
    expertName: Type.String(),
    serviceName: Type.String(),
    startsAt: instant,
    reader: readerSchema,
  },
  closed,
)

const money = {
  amountCents: cents,
  currency,
  rows: Type.Array(
    Type.Object(
      {
        paymentTransferId: id,
        amountCents: cents,
        serviceName: Type.Union([Type.String(), Type.Null()]),
        startsAt: instant,
      },
      closed,
    ),
    { minItems: 1 },
  ),
}
const arrivesAt = Type.Optional(Type.Union([instant, Type.Null()]))
/** The vendor's id of the payout. */
const payoutId = Type.Optional(text)

/** The facts of every kind. Money kinds name no reader: the expert is looked up when the notice goes out. */
export const factSchemas = {
  'appointment-reminder-24h': appointmentReminder,
  'appointment-reminder-1h': appointmentReminder,
  'payment-reminder-gentle': paymentReminder,
  'payment-reminder-urgent': paymentReminder,
  'reservation-expired': reservationExpired,
  'transfer-recorded': Type.Object({ ...money, arrivesAt }, closed),
  'expert-payout-notification': Type.Object({ ...money, arrivesAt, payoutId }, closed),
  'payout-failed': Type.Object({ ...money, arrivesAt, failureCode: Type.Union([Type.String(), Type.Null()]) }, closed),
  'payout-upcoming': Type.Object(
    { ...money, eligibleFrom: instant, appointmentEndsAt: Type.Optional(instant) },
    closed,
  ),
  'job-failing': Type.Object(
    { job: text, runs: Type.Integer({ minimum: 1 }), runId: text, message: Type.String(), diagnostics: Type.String() },
    closed,
  ),
  'job-recovered': Type.Object({ job: text, runId: text, failedSince: instant }, closed),
} satisfies Record<NoticeKind, TSchema>

export type FactsOf<K extends NoticeKind> = Static<(typeof factSchemas)[K]>

/** What is wrong with the facts of a notice: where and how, never the value. Undefined: they fit. */
export function checkFacts(kind: NoticeKind, facts: unknown): string | undefined {
  return findProblem(validatorOf(kind), facts)
}

/** The first thing by which a value does not fit, told without the value. */
export function findProblem(validator: Validator, value: unknown): string | undefined {
  if (validator.Check(value)) return undefined
  const first = validator.Errors(value)[0]
  if (first === undefined) return 'it does not fit'
  // The name of a surplus property may be anything, so only that there is one is told.
  if (first.schemaPath.endsWith('additionalProperties')) return 'it has a property that nobody knows'
  return `${first.instancePath.slice(1) || 'it'} ${first.message}`
}

export type Validator = Pick<ReturnType<typeof Compile>, 'Check' | 'Errors'>

const validators = new Map<NoticeKind, Validator>()

/** Compiled at the first use: starting up need not wait for it. */
function validatorOf(kind: NoticeKind): Validator {
  const known = validators.get(kind)
  if (known !== undefined) return known
  const made = Compile(factSchemas[kind])
  validators.set(kind, made)
  return made
}

/** Days that no month has are none, though Date takes them. */
function isInstant(value: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(value)) return false
  const at = new Date(value)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value.slice(0, 19))
}

/** Whether Intl knows the zone; what it does not know would throw where the notice is worded. */
export function isTimeZone(value: string): boolean {
  return isKnownZone(value)
}

function isLocale(value: string): boolean {
  return isKnown(() => Intl.getCanonicalLocales(value))
}

function isKnown(use: () => unknown): boolean {
  try {
    use()
    return true
  } catch {
    return false
  }
}

const isKnownZone = remember((timeZone: string) => isKnown(() => new Intl.DateTimeFormat('en', { timeZone })))
