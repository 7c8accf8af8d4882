import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { findProblem, type Validator } from './facts.ts'
import type { NoticeKind } from './notice.ts'

/**
 * The workflows at Novu that the jobs use, as the site defines them: what each takes,
 * and what it takes no more than. `npm run novu:diagnostics` compares this with what Novu really has.
 */

const text = Type.String()
const optional = Type.Optional(text)
const closed = { additionalProperties: false }

/** The languages that the workflows have words for; any other reads English. */
export const workflowLocales = ['en', 'pt', 'es'] as const

const locale = Type.Optional(Type.Enum([...workflowLocales], { default: 'en' }))
const templateVariant = Type.Optional(
  Type.Enum(['default', 'urgent', 'reminder', 'minimal', 'branded'], { default: 'default' }),
)

const appointmentUniversal = Type.Object(
  {
    eventType: Type.Enum(['confirmed', 'reminder', 'cancelled', 'rescheduled', 'updated']),
    customerName: text,
    expertName: text,
    appointmentDate: text,
    appointmentTime: text,
    serviceName: optional,
    timezone: Type.Optional(Type.String({ default: 'UTC' })),
    appointmentDuration: Type.Optional(Type.String({ default: '60 minutes' })),
    meetingUrl: optional,
    timeUntilAppointment: optional,
    notes: optional,
    message: optional,
    appointmentId: optional,
    locale,
    userSegment: Type.Optional(Type.Enum(['patient', 'expert', 'admin'], { default: 'patient' })),
    templateVariant,
  },
  closed,
)

const expertManagement = Type.Object(
  {
    notificationType: Type.Enum(['payout-processed', 'payout-notification', 'account-update', 'verification-required']),
    expertName: text,
    message: optional,
    amount: optional,
    currency: Type.Optional(Type.String({ default: 'EUR' })),
    payoutDate: optional,
    payoutMethod: optional,
    transactionId: optional,
    actionUrl: optional,
    actionText: optional,
    locale,
    templateVariant,
  },
  closed,
)

const expertPayoutNotification = Type.Object(
  {
    /** As in `51.00`. */
    payoutAmount: text,
    currency: text,
    expertName: optional,
    appointmentDate: optional,
    appointmentTime: optional,
    clientName: optional,
    serviceName: optional,
    payoutId: optional,
    expectedArrivalDate: optional,
    bankLastFour: optional,
    dashboardUrl: optional,
    supportUrl: optional,
    locale,
  },
  closed,
)

const multibancoPaymentReminder = Type.Object(
  {
    customerName: text,
    expertName: text,
    serviceName: text,
    appointmentDate: text,
    appointmentTime: text,
    timezone: text,
    /** Minutes. */
    duration: Type.Number(),
    multibancoEntity: text,
    multibancoReference: text,
    multibancoAmount: text,
    voucherExpiresAt: text,
    hostedVoucherUrl: text,
    reminderType: Type.Enum(['gentle', 'urgent']),
    daysRemaining: Type.Number(),
    customerNotes: optional,
    locale,
    country: optional,
  },
  closed,
)

const reservationExpired = Type.Object(
  {
    expertName: text,
    clientName: text,
    serviceName: text,
    appointmentDate: text,
    appointmentTime: text,
    timezone: optional,
    locale,
    /** The site drops it for an expert, who must not hear of unpaid bookings. */
    recipientType: Type.Optional(Type.Enum(['patient', 'expert'], { default: 'patient' })),
  },
  closed,
)

const systemHealth = Type.Object(
  {
    status: Type.Enum(['healthy', 'unhealthy']),
    timestamp: text,
    environment: text,
    eventType: Type.Optional(Type.Enum(['health-check-failure'])),
    error: optional,
    memory: Type.Optional(
      Type.Object({ used: Type.Number(), total: Type.Number(), percentage: Type.Number() }, closed),
    ),
    locale,
    country: optional,
  },
  closed,
)

/** What each workflow takes, as JSON Schema. */
export const workflows = {
  'appointment-universal': appointmentUniversal,
  'expert-management': expertManagement,
  'expert-payout-notification': expertPayoutNotification,
  'multibanco-payment-reminder': multibancoPaymentReminder,
  'reservation-expired': reservationExpired,
  'system-health': systemHealth,
} satisfies Record<string, TSchema>

export type WorkflowId = keyof typeof workflows
export type PayloadOf<W extends WorkflowId> = Static<(typeof workflows)[W]>

/** Which workflow words which kind of notice. */
export const workflowOf = {
  'appointment-reminder-24h': 'appointment-universal',
  'appointment-reminder-1h': 'appointment-universal',
  'payment-reminder-gentle': 'multibanco-payment-reminder',
  'payment-reminder-urgent': 'multibanco-payment-reminder',
  'reservation-expired': 'reservation-expired',
  'transfer-recorded': 'expert-management',
  'expert-payout-notification': 'expert-payout-notification',
  'payout-failed': 'expert-management',
  'payout-upcoming': 'expert-management',
  'job-failing': 'system-health',
  'job-recovered': 'system-health',
} as const satisfies Record<NoticeKind, WorkflowId>

/** What is wrong with a payload for a workflow: where and how, never the value. Undefined: it fits. */
export function checkPayload(workflow: WorkflowId, payload: unknown): string | undefined {
  return findProblem(validatorOf(workflow), payload)
}

const validators = new Map<WorkflowId, Validator>()

/** Compiled at the first use: starting up need not wait for it. */
function validatorOf(workflow: WorkflowId): Validator {
  const known = validators.get(workflow)
  if (known !== undefined) return known
  const made = Compile(workflows[workflow])
  validators.set(workflow, made)
  return made
}
