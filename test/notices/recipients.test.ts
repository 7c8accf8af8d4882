import { sql } from 'kysely'
import t from 'tap'
import {
  expertReader,
  findReaders,
  guestReader,
  guestRecipient,
  operatorReader,
  readExperts,
} from '../../src/notices/recipients.ts'
import { testDatabase } from '../support/database.ts'
import { factsFor, readers } from '../support/notice-facts.ts'

const nobody = { country: null, scheduleZone: null }
const guest = { paymentLocale: null, timeZone: null, email: null, name: null }

t.test('a guest is one subscriber however their address is written, and none without one', async t => {
  t.equal(guestRecipient(' Maria.Silva@Example.PT\n'), 'guest_maria.silva@example.pt')
  for (const address of ['', '   ', 'maria', null, undefined]) t.equal(guestRecipient(address), undefined)
})

t.test('an expert reads the language of their country', async t => {
  const locale = (country: string | null) => expertReader({ ...nobody, country }).reader.locale
  t.strictSame(['PT', 'pt', 'BR', 'ES', ' us ', 'FR', 'GB', '', 'constructor', null].map(locale), [
    'pt-PT',
    'pt-PT',
    'pt-BR',
    'es-ES',
    'en-US',
    'en-GB',
    'en-GB',
    'en-GB',
    'en-GB',
    'en-GB',
  ])
})

t.test('an expert’s clock is that of the schedule, then of the meeting, then UTC', async t => {
  const zone = (scheduleZone: string | null, meetingZone?: string | null) => {
    const { invalidZone, reader } = expertReader({ ...nobody, scheduleZone, meetingZone: meetingZone ?? null })
    return [reader.timeZone, invalidZone]
  }
  t.strictSame(zone('Europe/Lisbon', 'Europe/Madrid'), ['Europe/Lisbon', false])
  t.strictSame(zone(null, 'Europe/Madrid'), ['Europe/Madrid', false])
  t.strictSame(zone(null), ['UTC', false])
  t.strictSame(zone('', ''), ['UTC', true], 'an empty one is none')
  t.strictSame(zone('Lisbon time', ' Europe/Madrid '), ['Europe/Madrid', true], 'somebody has to mend the schedule')
  t.strictSame(zone('Lisbon time', 'Madrid time'), ['UTC', true])
  t.strictSame(zone('Europe/Lisbon', 'Madrid time'), ['Europe/Lisbon', false], 'what nobody needs is not looked at')
})

t.test('a guest reads the locale of the payment, else that of the meeting’s zone', async t => {
  const locale = (paymentLocale: string | null, timeZone: string | null) =>
    guestReader({ ...guest, paymentLocale, timeZone }).reader.locale
  t.strictSame(
    ['en', 'pt', 'es', 'br', 'pt-BR', 'pt_br', 'ES-mx', ' EN '].map(stored => locale(stored, 'Europe/Lisbon')),
    ['en-GB', 'pt-PT', 'es-ES', 'pt-BR', 'pt-BR', 'pt-BR', 'es-ES', 'en-GB'],
  )
  t.strictSame(
    [
      'Europe/Lisbon',
      'Atlantic/Azores',
      'America/Sao_Paulo',
      'America/Manaus',
      'Europe/Madrid',
      'Atlantic/Canary',
      'America/Argentina/Buenos_Aires',
      'America/Mexico_City',
      'Europe/Paris',
      'America/New_York',
      'UTC',
      'nowhere',
    ].map(zone => locale(zone === 'Europe/Lisbon' ? '' : 'de', zone)),
    ['pt-PT', 'pt-PT', 'pt-BR', 'pt-BR', 'es-ES', 'es-ES', 'es-ES', 'es-ES', 'en-GB', 'en-US', 'en-GB', 'en-GB'],
  )
  t.equal(locale(null, null), 'en-GB')
  t.strictSame(
    [' Europe/Lisbon\n', 'America/Sao_Paulo ', ' Europe/Madrid'].map(zone => locale(null, zone)),
    ['pt-PT', 'pt-BR', 'es-ES'],
  )
  t.match(guestReader({ ...guest, timeZone: ' ' }), { reader: { timeZone: 'UTC' }, invalidZone: true })
  t.equal(locale('constructor', null), 'en-GB')
})

t.test('English has the clock of the United States there, and nowhere else', async t => {
  const guestIn = (paymentLocale: string | null, timeZone: string) =>
    guestReader({ ...guest, paymentLocale, timeZone }).reader.locale
  const expertIn = (country: string | null, scheduleZone: string | null, meetingZone: string | null = null) =>
    expertReader({ ...nobody, country, scheduleZone, meetingZone }).reader.locale
  for (const zone of [
    'America/New_York',
    'America/Indiana/Knox',
    'Pacific/Honolulu',
    'US/Eastern',
    ' America/Denver ',
  ]) {
    t.strictSame([guestIn('en', zone), guestIn(null, zone), expertIn(null, zone)], ['en-US', 'en-US', 'en-US'], zone)
    t.strictSame([guestIn('en-GB', zone), guestIn('pt', zone), expertIn('FR', zone)], ['en-GB', 'pt-PT', 'en-GB'])
  }
  for (const zone of ['America/Toronto', 'Europe/London', 'America/Mexico_City', 'US/Nowhere']) {
    t.strictSame([guestIn('en', zone), expertIn('', zone)], ['en-GB', 'en-GB'], zone)
  }
  t.equal(expertIn(null, null, 'America/Chicago'), 'en-US', 'without a schedule, the meeting’s zone says it')
  t.match(guestReader({ ...guest, paymentLocale: 'en', timeZone: 'America/New_York' }).reader, { language: 'en' })
})

t.test('a guest’s name and address are as given, and what is empty is not there', async t => {
  t.strictSame(
    guestReader({
      paymentLocale: 'pt',
      timeZone: 'Europe/Lisbon',
      email: ' Maria@example.pt ',
      name: '  Maria  da\nLuz\u202e Silva ',
    }),
    {
      reader: {
        language: 'pt',
        locale: 'pt-PT',
        timeZone: 'Europe/Lisbon',
        email: 'Maria@example.pt',
        firstName: 'Maria',
        lastName: 'da Luz Silva',
      },
      invalidZone: false,
    },
  )
  t.strictSame(guestReader({ ...guest, email: '', name: ' ', timeZone: 'Europe/Atlantis' }), {
    reader: { language: 'en', locale: 'en-GB', timeZone: 'UTC' },
    invalidZone: true,
  })
})

t.test('every zone of a language is one that this build knows', async t => {
  const { brazilianZones, portugueseZones, spanishSpeakingZones, unitedStatesZones } = await import(
    '../../src/notices/zones.ts'
  )
  for (const timeZone of [...brazilianZones, ...portugueseZones, ...spanishSpeakingZones, ...unitedStatesZones]) {
    t.doesNotThrow(() => new Intl.DateTimeFormat('en', { timeZone }), timeZone)
  }
})

t.test('experts are read in one query, as they are when the notice goes', async t => {
  const { db } = await testDatabase(t)
  await sql`insert into users ("clerkUserId", email, first_name, last_name, country) values
    ('user_ana', 'ana@example.pt', 'Ana', 'Costa', 'PT'), ('user_bo', 'bo@example.com', null, ' ', null)`.execute(db)
  await sql`insert into schedules (timezone, "clerkUserId") values ('Atlantic/Azores', 'user_ana')`.execute(db)
  const ana = { language: 'pt', locale: 'pt-PT', timeZone: 'Atlantic/Azores', email: 'ana@example.pt' }
  const experts = await readExperts(db, ['user_ana', 'user_bo', 'user_gone', 'user_ana'])
  t.strictSame([...experts.keys()].toSorted(), ['user_ana', 'user_bo'])
  t.strictSame(experts.get('user_ana')?.reader, { ...ana, firstName: 'Ana', lastName: 'Costa' })
  t.strictSame(experts.get('user_bo')?.reader, {
    language: 'en',
    locale: 'en-GB',
    timeZone: 'UTC',
    email: 'bo@example.com',
  })

  const facts = factsFor(readers['es-ES'])
  const found = await findReaders(db, [
    { id: '1', kind: 'transfer-recorded', recipient: 'user_ana', facts: facts['transfer-recorded'] },
    { id: '2', kind: 'payout-upcoming', recipient: 'user_gone', facts: facts['payout-upcoming'] },
    { id: '3', kind: 'reservation-expired', recipient: 'guest_a@b', facts: facts['reservation-expired'] },
    { id: '4', kind: 'job-failing', recipient: 'user_admin', facts: facts['job-failing'] },
  ])
  t.strictSame([...found.keys()].toSorted(), ['1', '3', '4'], 'nobody reads for an expert who is gone')
  t.equal(found.get('1')?.reader.timeZone, 'Atlantic/Azores')
  t.strictSame(found.get('3')?.reader, readers['es-ES'])
  t.strictSame(found.get('4')?.reader, operatorReader)
})
