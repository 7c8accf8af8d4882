import t from 'tap'
import type { NoticeKind } from '../../src/notices/notice.ts'
import { operatorReader } from '../../src/notices/recipients.ts'
import { createRenderer } from '../../src/notices/render.ts'
import { appointmentFacts, factsFor, type LocaleName, readers, voucherFacts } from '../support/notice-facts.ts'

const render = createRenderer({ appUrl: 'https://eleva.care', environment: 'production' })
const dayBefore = new Date('2026-03-13T14:30:00Z')
const hourBefore = new Date('2026-03-14T13:35:00Z')
const locales = Object.keys(readers) as LocaleName[]

/** What a reader gets, with the spaces of ICU as people type them. */
function payloadOf(locale: LocaleName, kind: NoticeKind, now: Date): Record<string, unknown> {
  const { payload } = render(kind, factsFor(readers[locale])[kind], readers[locale], now)
  return Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, plain(value)]))
}

function plain(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll(/[\u00a0\u202f]/g, ' ') : value
}

function eachLocale(kind: NoticeKind, now: Date, ...names: string[]) {
  return Object.fromEntries(
    locales.map(locale => {
      const payload = payloadOf(locale, kind, now)
      return [locale, names.map(name => payload[name])]
    }),
  )
}

t.test('a guest is reminded the day before of the expert, by their own calendar and clock', async t => {
  t.strictSame(
    eachLocale('appointment-reminder-24h', dayBefore, 'message', 'timeUntilAppointment', 'appointmentDuration'),
    {
      'pt-PT': [
        'A sua consulta com Ana Costa (Nutrição) é amanhã, sábado, 14 de março de 2026, às 14:30 WET.',
        'amanhã',
        '50 minutos',
      ],
      'pt-BR': [
        'Sua consulta com Ana Costa (Nutrição) é amanhã, sábado, 14 de março de 2026, às 11:30 BRT.',
        'amanhã',
        '50 minutos',
      ],
      'es-ES': [
        'Su cita con Ana Costa (Nutrição) es mañana, sábado, 14 de marzo de 2026, a las 15:30 CET.',
        'mañana',
        '50 minutos',
      ],
      'en-GB': [
        'Your appointment with Ana Costa (Nutrição) is tomorrow, Saturday, 14 March 2026, at 14:30 GMT.',
        'tomorrow',
        '50 minutes',
      ],
      'en-US': [
        'Your appointment with Ana Costa (Nutrição) is tomorrow, Saturday, March 14, 2026, at 10:30 AM EDT.',
        'tomorrow',
        '50 minutes',
      ],
    },
  )
  t.strictSame(payloadOf('pt-PT', 'appointment-reminder-24h', dayBefore), {
    eventType: 'reminder',
    customerName: 'Maria Silva',
    expertName: 'Ana Costa',
    serviceName: 'Nutrição',
    appointmentDate: 'sábado, 14 de março de 2026',
    appointmentTime: '14:30 WET',
    timezone: 'Europe/Lisbon',
    appointmentDuration: '50 minutos',
    meetingUrl: 'https://meet.google.com/abc-defg-hij',
    timeUntilAppointment: 'amanhã',
    message: 'A sua consulta com Ana Costa (Nutrição) é amanhã, sábado, 14 de março de 2026, às 14:30 WET.',
    appointmentId: '7f3c1f62-61f6-4f0c-a6f6-5a8a5f4c1d11',
    locale: 'pt',
    userSegment: 'patient',
    templateVariant: 'reminder',
  })
})

t.test('an expert is reminded an hour before of the guest, urgently, and never of tomorrow', async t => {
  t.strictSame(eachLocale('appointment-reminder-1h', hourBefore, 'message'), {
    'pt-PT': ['A sua consulta com Maria Silva (Nutrição) começa dentro de 55 minutos, às 14:30 WET.'],
    'pt-BR': ['Sua consulta com Maria Silva (Nutrição) começa em 55 minutos, às 11:30 BRT.'],
    'es-ES': ['Su cita con Maria Silva (Nutrição) empieza dentro de 55 minutos, a las 15:30 CET.'],
    'en-GB': ['Your appointment with Maria Silva (Nutrição) starts in 55 minutes, at 14:30 GMT.'],
    'en-US': ['Your appointment with Maria Silva (Nutrição) starts in 55 minutes, at 10:30 AM EDT.'],
  })
  t.match(payloadOf('en-US', 'appointment-reminder-1h', hourBefore), {
    userSegment: 'expert',
    templateVariant: 'urgent',
    timeUntilAppointment: 'in 55 minutes',
  })
})

t.test('a voucher is asked for with its deadline by the guest’s clock, and days that agree with it', async t => {
  const now = new Date('2026-03-05T12:00:00Z')
  t.strictSame(eachLocale('payment-reminder-urgent', now, 'voucherExpiresAt', 'daysRemaining', 'appointmentTime'), {
    'pt-PT': ['sexta-feira, 6 de março de 2026, 23:59 WET', 1, '14:30 WET'],
    'pt-BR': ['sexta-feira, 6 de março de 2026, 20:59 BRT', 1, '11:30 BRT'],
    'es-ES': ['sábado, 7 de marzo de 2026, 00:59 CET', 2, '15:30 CET'],
    'en-GB': ['Friday, 6 March 2026, 23:59 GMT', 1, '14:30 GMT'],
    'en-US': ['Friday, March 6, 2026, 6:59 PM EST', 1, '10:30 AM EDT'],
  })
  t.strictSame(payloadOf('es-ES', 'payment-reminder-gentle', now), {
    customerName: 'Maria Silva',
    expertName: 'Ana Costa',
    serviceName: 'Nutrição',
    appointmentDate: 'sábado, 14 de marzo de 2026',
    appointmentTime: '15:30 CET',
    timezone: 'Europe/Madrid',
    duration: 50,
    multibancoEntity: '12345',
    multibancoReference: '123 456 789',
    multibancoAmount: '60.00',
    voucherExpiresAt: 'sábado, 7 de marzo de 2026, 00:59 CET',
    hostedVoucherUrl: 'https://payments.stripe.com/multibanco/voucher/1',
    reminderType: 'gentle',
    daysRemaining: 2,
    locale: 'es',
  })
})

t.test('a guest hears that a voucher has lapsed, in their zone and not the expert’s', async t => {
  const now = new Date('2026-03-07T00:15:00Z')
  t.strictSame(payloadOf('pt-BR', 'reservation-expired', now), {
    expertName: 'Ana Costa',
    clientName: 'Maria Silva',
    serviceName: 'Nutrição',
    appointmentDate: 'sábado, 14 de março de 2026',
    appointmentTime: '11:30 BRT',
    timezone: 'America/Sao_Paulo',
    locale: 'pt',
    recipientType: 'patient',
  })
})

t.test('a recorded transfer does not claim that money went to the bank', async t => {
  const [of, reading] = ['transfer-recorded' as const, ['message', 'actionText']]
  t.strictSame(eachLocale(of, dayBefore, ...reading), {
    'pt-PT': [
      'Os seus ganhos de 1234,50 € da consulta de sábado, 14 de março de 2026 (Nutrição) estão no seu saldo da Stripe. Ainda não foram enviados para o seu banco: avisaremos quando o pagamento estiver a caminho.',
      'Ver os seus ganhos',
    ],
    'pt-BR': [
      'Seus ganhos de € 1.234,50 da consulta de sábado, 14 de março de 2026 (Nutrição) estão no seu saldo da Stripe. Ainda não foram enviados ao seu banco: avisaremos quando o pagamento estiver a caminho.',
      'Ver seus ganhos',
    ],
    'es-ES': [
      'Sus ingresos de 1234,50 € de la cita del sábado, 14 de marzo de 2026 (Nutrição) están en su saldo de Stripe. Todavía no se han enviado a su banco: le avisaremos cuando el pago esté en camino.',
      'Ver sus ingresos',
    ],
    'en-GB': [
      'Your earnings of €1,234.50 for your appointment on Saturday, 14 March 2026 (Nutrição) are in your Stripe balance. They have not been sent to your bank yet: we will tell you when the payout is on its way.',
      'View your earnings',
    ],
    'en-US': [
      'Your earnings of €1,234.50 for your appointment on Saturday, March 14, 2026 (Nutrição) are in your Stripe balance. They have not been sent to your bank yet: we will tell you when the payout is on its way.',
      'View your earnings',
    ],
  })
  const { message: _, ...fields } = payloadOf('en-GB', of, dayBefore)
  t.strictSame(
    fields,
    {
      notificationType: 'account-update',
      expertName: 'Ana Costa',
      locale: 'en',
      actionUrl: 'https://eleva.care/dashboard/earnings',
      actionText: 'View your earnings',
    },
    'the amount is said once, as its reader writes it',
  )
})

t.test('an upcoming payout is announced for the day it is where the expert lives', async t => {
  t.strictSame(eachLocale('payout-upcoming', dayBefore, 'message', 'payoutDate'), {
    'pt-PT': [
      'Os seus ganhos de 1234,50 € da consulta de sábado, 14 de março de 2026 (Nutrição) poderão ser pagos a partir de sábado, 21 de março de 2026. Avisaremos quando o pagamento para o seu banco estiver a caminho.',
      'sábado, 21 de março de 2026',
    ],
    'pt-BR': [
      'Seus ganhos de € 1.234,50 da consulta de sábado, 14 de março de 2026 (Nutrição) poderão ser pagos a partir de sexta-feira, 20 de março de 2026. Avisaremos quando o pagamento ao seu banco estiver a caminho.',
      'sexta-feira, 20 de março de 2026',
    ],
    'es-ES': [
      'Sus ingresos de 1234,50 € de la cita del sábado, 14 de marzo de 2026 (Nutrição) podrán abonarse a partir del sábado, 21 de marzo de 2026. Le avisaremos cuando el pago a su banco esté en camino.',
      'sábado, 21 de marzo de 2026',
    ],
    'en-GB': [
      'Your earnings of €1,234.50 for your appointment on Saturday, 14 March 2026 (Nutrição) can be paid out from Saturday, 21 March 2026. We will tell you when the payout to your bank is on its way.',
      'Saturday, 21 March 2026',
    ],
    'en-US': [
      'Your earnings of €1,234.50 for your appointment on Saturday, March 14, 2026 (Nutrição) can be paid out from Friday, March 20, 2026. We will tell you when the payout to your bank is on its way.',
      'Friday, March 20, 2026',
    ],
  })
})

t.test('a payout that came back says what to mend in words of ours, and that nothing is lost', async t => {
  t.strictSame(eachLocale('payout-failed', dayBefore, 'message', 'actionText'), {
    'pt-PT': [
      'O pagamento de 1234,50 € da consulta de sábado, 14 de março de 2026 (Nutrição) não chegou à sua conta bancária. O dinheiro não se perdeu: volta ao seu saldo da Stripe e voltaremos a enviá-lo. O banco indica que a conta está encerrada ou não existe: introduza novamente os seus dados bancários.',
      'Verificar os seus dados bancários',
    ],
    'pt-BR': [
      'O pagamento de € 1.234,50 da consulta de sábado, 14 de março de 2026 (Nutrição) não chegou à sua conta bancária. O dinheiro não se perdeu: ele volta ao seu saldo da Stripe e vamos enviá-lo novamente. O banco informa que a conta está encerrada ou não existe: informe novamente seus dados bancários.',
      'Verificar seus dados bancários',
    ],
    'es-ES': [
      'El pago de 1234,50 € de la cita del sábado, 14 de marzo de 2026 (Nutrição) no ha llegado a su cuenta bancaria. El dinero no se ha perdido: vuelve a su saldo de Stripe y volveremos a enviárselo. El banco indica que la cuenta está cerrada o no existe: introduzca de nuevo sus datos bancarios.',
      'Comprobar sus datos bancarios',
    ],
    'en-GB': [
      'Your payout of €1,234.50 for your appointment on Saturday, 14 March 2026 (Nutrição) did not reach your bank account. The money is not lost: it goes back to your Stripe balance, and we will send it again. The bank says that the account is closed or does not exist: please enter your bank details again.',
      'Check your bank details',
    ],
    'en-US': [
      'Your payout of €1,234.50 for your appointment on Saturday, March 14, 2026 (Nutrição) did not reach your bank account. The money is not lost: it goes back to your Stripe balance, and we will send it again. The bank says that the account is closed or does not exist: please enter your bank details again.',
      'Check your bank details',
    ],
  })
  const facts = { ...factsFor(readers['en-GB'])['payout-failed'], failureCode: 'could_not_process' }
  const { payload } = render('payout-failed', facts, readers['en-GB'], dayBefore)
  t.match(payload, { message: /There is nothing you need to do\.$/, actionText: 'View your earnings' })
})

t.test('a payout names what was paid and the bank’s own day, and no client', async t => {
  t.strictSame(payloadOf('en-US', 'expert-payout-notification', dayBefore), {
    payoutAmount: '1234.50',
    currency: 'EUR',
    expertName: 'Ana Costa',
    appointmentDate: 'Saturday, March 14, 2026',
    appointmentTime: '10:30 AM EDT',
    serviceName: 'Nutrição',
    payoutId: 'po_1',
    expectedArrivalDate: 'Friday, March 20, 2026',
    dashboardUrl: 'https://eleva.care/dashboard/earnings',
    supportUrl: 'https://eleva.care/support',
    locale: 'en',
  })
  const facts = factsFor(readers['es-ES'])['expert-payout-notification']
  const [row] = facts.rows
  const later = { ...row, serviceName: 'Pilates', startsAt: '2026-04-02T23:30:00.000Z' }
  const of = (rows: readonly unknown[], locale: LocaleName = 'es-ES') => {
    const { payload } = render('expert-payout-notification', { ...facts, rows }, readers[locale], dayBefore)
    return ['appointmentDate', 'appointmentTime', 'serviceName'].map(name =>
      typeof payload[name] === 'string' ? payload[name].replaceAll(/[\u2009\u202f\u00a0]/g, ' ') : undefined,
    )
  }
  t.strictSame(of([later, row, { ...row, serviceName: null }]), [
    '14 de marzo – 3 de abril de 2026',
    undefined,
    '3 citas (Pilates y Nutrição)',
  ])
  t.strictSame(of([row, row], 'pt-PT'), ['14 de março de 2026', undefined, '2 consultas (Nutrição)'])
  t.strictSame(of([later, { ...later, serviceName: ' ' }], 'en-US'), [
    'April 2, 2026',
    undefined,
    '2 appointments (Pilates)',
  ])
  t.strictSame(
    of(
      [row, { ...later, serviceName: null }].map(each => ({ ...each, serviceName: null })),
      'pt-BR',
    ),
    ['14 de março – 2 de abril de 2026', undefined, '2 consultas'],
  )
  for (const [timeZone, day] of [
    ['Pacific/Kiritimati', 'Friday, 20 March 2026'],
    ['Pacific/Honolulu', 'Friday, 20 March 2026'],
  ] as const) {
    const reader = { ...readers['en-GB'], timeZone }
    const arrival = (arrivesAt: string) =>
      render('expert-payout-notification', { ...facts, arrivesAt }, reader, dayBefore).payload['expectedArrivalDate']
    t.equal(arrival('2026-03-20T00:00:00.000Z'), day, 'the bank’s day is one day everywhere')
    t.equal(
      arrival('2026-03-20T10:30:00.000Z'),
      timeZone === 'Pacific/Kiritimati' ? 'Saturday, 21 March 2026' : day,
      'a moment is told by the expert’s clock',
    )
  }
})

t.test('operators read of jobs in English and UTC, with the diagnostics of the moment', async t => {
  t.strictSame(payloadOf('en-GB', 'job-failing', dayBefore), {
    eventType: 'health-check-failure',
    status: 'unhealthy',
    timestamp: '2026-03-13T14:30:00.000Z',
    environment: 'production',
    error:
      'The job keep-alive has failed 3 times in a row, last in run 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b: clerk answered 500\n\ndatabase: pass\nclerk: fail',
    locale: 'en',
  })
  const recovered = factsFor(readers['en-GB'])['job-recovered']
  t.match(render('job-recovered', recovered, operatorReader, dayBefore).payload, {
    status: 'healthy',
    error:
      'The job keep-alive works again since run 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5c. It had been failing since Friday, 13 March 2026, 10:00 UTC.',
  })
})

t.test('nobody is given a name that they have not given', async t => {
  const greetings = {
    'pt-PT': 'de novo',
    'pt-BR': 'de novo',
    'es-ES': 'muy buenas',
    'en-GB': 'there',
    'en-US': 'there',
  }
  for (const locale of locales) {
    const reader = readers[locale]
    const unnamed = voucherFacts(reader, { guestName: null })
    t.match(render('payment-reminder-gentle', unnamed, reader, dayBefore).payload, { customerName: greetings[locale] })
  }
  const { language, locale, timeZone } = readers['pt-PT']
  const payout = factsFor(readers['pt-PT'])['expert-payout-notification']
  const nameless = { language, locale, timeZone }
  t.match(render('expert-payout-notification', payout, nameless, dayBefore).payload, { expertName: 'de novo' })

  const toExpert = appointmentFacts(readers['es-ES'], { party: 'expert', guestName: ' ', serviceName: '' })
  t.match(render('appointment-reminder-1h', toExpert, readers['es-ES'], hourBefore).payload, {
    customerName: 'su cliente',
    message: 'Su cita con su cliente empieza dentro de 55 minutos, a las 15:30 CET.',
  })
  const toGuest = appointmentFacts(readers['pt-PT'], { expertName: '', meetingUrl: null })
  const { payload } = render('appointment-reminder-1h', toGuest, readers['pt-PT'], hourBefore)
  t.match(payload, { expertName: 'o seu especialista' })
  t.notOk('meetingUrl' in payload, 'nor is an address made up')
})

t.test('what somebody typed reaches others in one line that does not run on, and only links are links', async t => {
  const reader = { ...readers['en-GB'], firstName: 'An\u202ea', lastName: 'Co\u0007sta\nBcc: x' }
  const facts = appointmentFacts(reader, {
    party: 'expert',
    guestName: `\u2028Rui\r\n\r\nYour account is\tlocked\u0000 ${'x'.repeat(300)}`,
    serviceName: 'Talk\u200b\ud800 👩\u200d⚕️',
    meetingUrl: 'javascript:alert(1)',
  })
  const { payload } = render('appointment-reminder-1h', facts, reader, hourBefore)
  t.match(payload, { serviceName: 'Talk � 👩\u200d⚕️', customerName: /^Rui Your account is locked x{92}…$/ })
  t.notOk('meetingUrl' in payload)
  for (const text of Object.values(payload)) t.notMatch(text, /[\p{Cc}\p{Zl}\p{Zp}\u202e\u200b]/u)
  const payout = render('transfer-recorded', factsFor(reader)['transfer-recorded'], reader, dayBefore).payload
  t.match(payout, { expertName: 'An a Co sta Bcc: x' })

  const voucher = (voucherUrl: string) =>
    render('payment-reminder-gentle', voucherFacts(reader, { voucherUrl }), reader, dayBefore).payload[
      'hostedVoucherUrl'
    ]
  for (const url of ['https://x.test/a?b=c#d', ' http://x.test ']) t.equal(voucher(url), url.trim())
  for (const url of [
    'data:text/html,x',
    'x.test/a',
    'https://x.test/a b',
    'https://good.test@evil.test/',
    `https://x.test/${'x'.repeat(2_000)}`,
  ])
    t.equal(voucher(url), '', url.slice(0, 40))
})

t.test('facts that do not fit are no text, but an error that shows nothing of them', async t => {
  const facts = { ...appointmentFacts(readers['en-GB']), startsAt: 'maria@example.com' }
  t.throws(() => render('appointment-reminder-24h', facts, readers['en-GB'], dayBefore), {
    message: 'the facts of appointment-reminder-24h do not fit: startsAt must be an instant in UTC',
  })
})
