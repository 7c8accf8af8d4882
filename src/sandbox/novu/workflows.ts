import type { NovuWorkflow } from './types.ts'

type Property = Readonly<Record<string, unknown>>

const text: Property = { type: 'string' }
const number: Property = { type: 'number' }
const locale: Property = { type: 'string', default: 'en' }

/**
 * The workflows of the site that the jobs trigger. Written down here on
 * its own: what the service believes about them is tested against it.
 */
export const siteWorkflows: readonly NovuWorkflow[] = [
  define(
    'appointment-universal',
    'Appointments',
    {
      eventType: oneOf('confirmed', 'reminder', 'cancelled', 'rescheduled', 'updated'),
      customerName: text,
      expertName: text,
      appointmentDate: text,
      appointmentTime: text,
    },
    {
      serviceName: text,
      timezone: { type: 'string', default: 'UTC' },
      appointmentDuration: { type: 'string', default: '60 minutes' },
      meetingUrl: text,
      timeUntilAppointment: text,
      notes: text,
      message: text,
      appointmentId: text,
      locale,
      userSegment: oneOf('patient', 'expert', 'admin'),
      templateVariant: oneOf('default', 'urgent', 'reminder', 'minimal', 'branded'),
    },
  ),
  define(
    'expert-management',
    'Experts',
    {
      notificationType: oneOf('payout-processed', 'payout-notification', 'account-update', 'verification-required'),
      expertName: text,
    },
    {
      message: text,
      amount: text,
      currency: { type: 'string', default: 'EUR' },
      payoutDate: text,
      payoutMethod: text,
      transactionId: text,
      actionUrl: text,
      actionText: text,
      locale,
      templateVariant: oneOf('default', 'urgent', 'reminder', 'minimal', 'branded'),
    },
  ),
  define(
    'expert-payout-notification',
    'Payouts',
    { payoutAmount: text, currency: text },
    {
      expertName: text,
      appointmentDate: text,
      appointmentTime: text,
      clientName: text,
      serviceName: text,
      payoutId: text,
      expectedArrivalDate: text,
      bankLastFour: text,
      dashboardUrl: text,
      supportUrl: text,
      locale,
    },
  ),
  define(
    'multibanco-payment-reminder',
    'Multibanco reminders',
    {
      customerName: text,
      expertName: text,
      serviceName: text,
      appointmentDate: text,
      appointmentTime: text,
      timezone: text,
      duration: number,
      multibancoEntity: text,
      multibancoReference: text,
      multibancoAmount: text,
      voucherExpiresAt: text,
      hostedVoucherUrl: text,
      reminderType: oneOf('gentle', 'urgent'),
      daysRemaining: number,
    },
    { customerNotes: text, locale, country: text },
  ),
  define(
    'reservation-expired',
    'Expired reservations',
    { expertName: text, clientName: text, serviceName: text, appointmentDate: text, appointmentTime: text },
    { timezone: text, locale, recipientType: { ...oneOf('patient', 'expert'), default: 'patient' } },
  ),
  define(
    'system-health',
    'System health',
    { status: oneOf('healthy', 'unhealthy'), timestamp: text, environment: text },
    {
      eventType: oneOf('health-check-failure'),
      error: text,
      memory: {
        type: 'object',
        properties: { used: number, total: number, percentage: number },
        required: ['used', 'total', 'percentage'],
      },
      locale,
      country: text,
    },
  ),
]

function oneOf(...values: readonly string[]): Property {
  return { type: 'string', enum: values }
}

function define(
  id: string,
  name: string,
  required: Readonly<Record<string, Property>>,
  optional: Readonly<Record<string, Property>>,
): NovuWorkflow {
  const payloadSchema = {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  }
  return { id, name, active: true, steps: 2, validatePayload: false, payloadSchema }
}
