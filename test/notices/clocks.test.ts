import t from 'tap'
import type { Reader } from '../../src/notices/facts.ts'
import { createRenderer } from '../../src/notices/render.ts'
import { appointmentFacts, voucherFacts } from '../support/notice-facts.ts'

const render = createRenderer({ appUrl: 'https://eleva.care', environment: 'production' })
const lisbon: Reader = { language: 'pt', locale: 'pt-PT', timeZone: 'Europe/Lisbon' }
const madrid: Reader = { language: 'es', locale: 'es-ES', timeZone: 'Europe/Madrid' }
const saoPaulo: Reader = { language: 'pt', locale: 'pt-BR', timeZone: 'America/Sao_Paulo' }
const newYork: Reader = { language: 'en', locale: 'en-US', timeZone: 'America/New_York' }
const auckland: Reader = { language: 'en', locale: 'en-GB', timeZone: 'Pacific/Auckland' }

type Kind = 'appointment-reminder-24h' | 'appointment-reminder-1h'

function remind(reader: Reader, startsAt: string, now: string, kind: Kind = 'appointment-reminder-24h') {
  const endsAt = new Date(Date.parse(startsAt) + 60 * 60_000).toISOString()
  const { payload } = render(kind, appointmentFacts(reader, { startsAt, endsAt }), reader, new Date(now))
  const [day, time, until, message] = ['appointmentDate', 'appointmentTime', 'timeUntilAppointment', 'message'].map(
    name => String(payload[name]).replaceAll('\u202f', ' '),
  )
  return { day, time, until, message }
}

const times = (reader: Reader, ...instants: string[]) =>
  instants.map(startsAt => {
    const { day, time } = remind(reader, startsAt, '2026-01-01T00:00:00Z')
    return `${day}, ${time}`
  })

t.test('the days on which clocks change are told by the clock of that moment', async t => {
  t.strictSame(
    times(
      lisbon,
      '2026-03-29T00:59:59.999Z',
      '2026-03-29T01:00:00.000Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
    ),
    [
      'domingo, 29 de março de 2026, 00:59 WET',
      'domingo, 29 de março de 2026, 02:00 WEST',
      'domingo, 25 de outubro de 2026, 01:30 WEST',
      'domingo, 25 de outubro de 2026, 01:30 WET',
    ],
  )
  t.strictSame(
    times(
      madrid,
      '2026-03-29T00:59:59.999Z',
      '2026-03-29T01:00:00.000Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
    ),
    [
      'domingo, 29 de marzo de 2026, 01:59 CET',
      'domingo, 29 de marzo de 2026, 03:00 CEST',
      'domingo, 25 de octubre de 2026, 02:30 CEST',
      'domingo, 25 de octubre de 2026, 02:30 CET',
    ],
  )
  t.strictSame(
    times(
      newYork,
      '2026-03-08T06:59:59.999Z',
      '2026-03-08T07:00:00.000Z',
      '2026-11-01T05:30:00Z',
      '2026-11-01T06:30:00Z',
    ),
    [
      'Sunday, March 8, 2026, 1:59 AM EST',
      'Sunday, March 8, 2026, 3:00 AM EDT',
      'Sunday, November 1, 2026, 1:30 AM EDT',
      'Sunday, November 1, 2026, 1:30 AM EST',
    ],
  )
  t.strictSame(
    times(
      auckland,
      '2026-04-04T13:30:00Z',
      '2026-04-04T14:30:00Z',
      '2026-09-26T13:59:59.999Z',
      '2026-09-26T14:00:00.000Z',
    ),
    [
      'Sunday, 5 April 2026, 02:30 GMT+13',
      'Sunday, 5 April 2026, 02:30 GMT+12',
      'Sunday, 27 September 2026, 01:59 GMT+12',
      'Sunday, 27 September 2026, 03:00 GMT+13',
    ],
  )
  // Brazil changed its clocks until 2019 and does not now.
  t.strictSame(times(saoPaulo, '2018-11-04T02:59:59.999Z', '2018-11-04T03:00:00.000Z', '2026-11-01T03:00:00Z'), [
    'sábado, 3 de novembro de 2018, 23:59 BRT',
    'domingo, 4 de novembro de 2018, 01:00 BRST',
    'domingo, 1 de novembro de 2026, 00:00 BRT',
  ])
})

t.test('tomorrow is what the reader’s calendar says, to the millisecond', async t => {
  const midnight = '2026-07-15T23:00:00.000Z'
  t.equal(remind(lisbon, '2026-07-16T08:00:00Z', '2026-07-15T22:59:59.999Z').until, 'amanhã')
  t.equal(remind(lisbon, '2026-07-16T08:00:00Z', midnight).until, 'hoje')
  t.match(remind(lisbon, '2026-07-16T22:30:00Z', midnight), {
    until: 'hoje',
    message: 'A sua consulta com Ana Costa (Nutrição) é hoje, quinta-feira, 16 de julho de 2026, às 23:30 WEST.',
  })
  // One moment, and another day for each who reads it.
  const [startsAt, now] = ['2026-07-16T02:30:00Z', '2026-07-15T04:30:00Z']
  t.equal(remind(newYork, startsAt, now).until, 'today')
  t.equal(remind(madrid, startsAt, now).until, 'mañana')
  t.equal(remind(saoPaulo, startsAt, '2026-07-15T02:45:00Z').until, 'amanhã')
  t.equal(
    remind(saoPaulo, '2026-07-16T03:15:00Z', '2026-07-15T02:45:00Z').until,
    'em 25 horas',
    'the day after tomorrow',
  )
})

t.test('a day with a clock change is a day, and its hours are real ones', async t => {
  t.equal(remind(lisbon, '2026-03-29T09:00:00Z', '2026-03-28T10:00:00Z').until, 'amanhã')
  t.equal(remind(lisbon, '2026-03-29T22:30:00Z', '2026-03-29T00:15:00Z').until, 'hoje')
  t.equal(remind(newYork, '2026-11-02T04:45:00Z', '2026-11-01T04:15:00Z').until, 'today', 'within one day of 25 hours')
  t.equal(remind(auckland, '2026-09-27T10:30:00Z', '2026-09-26T12:30:00Z').until, 'today')
  t.equal(
    remind(madrid, '2026-10-25T00:45:00Z', '2026-10-24T23:55:00Z', 'appointment-reminder-1h').until,
    'dentro de 50 minutos',
  )
})

t.test('months and years end where the reader’s do', async t => {
  t.match(remind(saoPaulo, '2026-03-01T02:59:59.999Z', '2026-02-28T03:00:00Z'), {
    day: 'sábado, 28 de fevereiro de 2026',
    time: '23:59 BRT',
    until: 'hoje',
  })
  t.match(remind(auckland, '2026-12-31T11:00:00.000Z', '2026-12-30T11:00:00Z'), {
    day: 'Friday, 1 January 2027',
    time: '00:00 GMT+13',
    until: 'tomorrow',
  })
  t.match(remind(newYork, '2028-02-29T17:00:00Z', '2028-02-28T17:00:00Z'), {
    day: 'Tuesday, February 29, 2028',
    time: '12:00 PM EST',
    until: 'tomorrow',
  })
})

t.test('the last hour is counted in minutes, rounded, also across midnight', async t => {
  const at = (now: string) => remind(madrid, '2026-03-14T23:15:00.000Z', now, 'appointment-reminder-1h').until
  const about = 'dentro de aproximadamente una hora'
  t.equal(at('2026-03-14T21:59:00.000Z'), 'dentro de 76 minutos')
  t.equal(at('2026-03-14T22:00:00.000Z'), about)
  t.equal(at('2026-03-14T22:15:29.999Z'), 'dentro de 1 hora')
  t.equal(at('2026-03-14T22:15:30.001Z'), about)
  t.equal(at('2026-03-14T22:17:30.000Z'), about)
  t.equal(at('2026-03-14T22:17:30.001Z'), 'dentro de 57 minutos')
  t.equal(at('2026-03-14T23:14:00.000Z'), 'dentro de 1 minuto')
  t.equal(at('2026-03-14T23:15:00.000Z'), 'ahora')
  const { message } = remind(madrid, '2026-03-14T23:15:00Z', '2026-03-14T22:20:00Z', 'appointment-reminder-1h')
  t.equal(message, 'Su cita con Ana Costa (Nutrição) empieza dentro de 55 minutos, a las 00:15 CET.')
})

t.test('nobody reads that it is in 66 minutes', async t => {
  const about = (reader: Reader) =>
    remind(reader, '2026-03-14T12:00:00Z', '2026-03-14T10:54:00Z', 'appointment-reminder-1h').message
  t.strictSame([lisbon, saoPaulo, madrid, newYork].map(about), [
    'A sua consulta com Ana Costa (Nutrição) começa dentro de cerca de uma hora, às 12:00 WET.',
    'Sua consulta com Ana Costa (Nutrição) começa em cerca de uma hora, às 09:00 BRT.',
    'Su cita con Ana Costa (Nutrição) empieza dentro de aproximadamente una hora, a las 13:00 CET.',
    'Your appointment with Ana Costa (Nutrição) starts in about an hour, at 8:00 AM EDT.',
  ])
})

t.test('one o’clock is singular where it is', async t => {
  const one = (reader: Reader, startsAt: string) => remind(reader, startsAt, '2026-07-15T20:00:00Z').message
  t.match(one(madrid, '2026-07-15T23:05:00Z'), /, a la 01:05 CEST\.$/)
  t.match(one(lisbon, '2026-07-16T00:05:00Z'), /, à 01:05 WEST\.$/)
  t.match(one(lisbon, '2026-07-16T12:05:00Z'), /, às 13:05 WEST\.$/)
})

t.test('who has no zone that is known reads UTC, and sees it', async t => {
  t.match(remind({ ...madrid, timeZone: 'UTC' }, '2026-07-15T12:00:00Z', '2026-07-14T12:00:00Z'), {
    time: '12:00 UTC',
    message: /, a las 12:00 UTC\.$/,
  })
})

t.test('the days that a voucher has left are days of the guest’s calendar', async t => {
  const days = (reader: Reader, voucherExpiresAt: string, now: string) =>
    render('payment-reminder-urgent', voucherFacts(reader, { voucherExpiresAt }), reader, new Date(now)).payload[
      'daysRemaining'
    ]
  t.equal(days(lisbon, '2026-03-29T22:59:59.999Z', '2026-03-28T12:00:00Z'), 1, 'of 23 hours')
  t.equal(days(lisbon, '2026-03-29T23:00:00.000Z', '2026-03-28T12:00:00Z'), 2)
  t.equal(days(lisbon, '2026-03-28T20:00:00Z', '2026-03-28T12:00:00Z'), 0, 'today')
  t.equal(days(lisbon, '2026-04-01T12:00:00Z', '2026-03-28T12:00:00Z'), 4)
  t.equal(days(lisbon, '2026-03-27T12:00:00Z', '2026-03-28T12:00:00Z'), 0, 'nothing is less than none')
})
