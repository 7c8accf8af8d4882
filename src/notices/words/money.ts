import type { PayloadOf } from '../catalogue.ts'
import type { FactsOf, Reader } from '../facts.ts'
import { toLine } from '../clean-text.ts'
import { toBankDay, toDay, toDays, toDecimal, toList, toMoney, toTime } from './phrases.ts'
import type { Wanted } from '../render.ts'
import { type FailureReason, wordingFor } from './wording.ts'

/** The site's pages for experts. */
const earningsPath = '/dashboard/earnings'
const billingPath = '/account/billing'
const supportPath = '/support'

/** The money is the expert's, and still at Stripe: that it went to a bank would not be true. */
export function renderTransferRecorded(wanted: Wanted<'transfer-recorded'>): PayloadOf<'expert-management'> {
  const { appUrl, facts, reader } = wanted
  const words = wordingFor(reader)
  return {
    ...toUpdate(reader),
    message: words.transferRecorded(toMoney(facts.amountCents, facts.currency, reader), toSubject(facts, reader)),
    actionUrl: `${appUrl}${earningsPath}`,
    actionText: words.viewEarnings,
  }
}

/** From which day of the expert's calendar the money can be paid out. */
export function renderPayoutUpcoming(wanted: Wanted<'payout-upcoming'>): PayloadOf<'expert-management'> {
  const { appUrl, facts, reader } = wanted
  const words = wordingFor(reader)
  const payoutDate = toDay(new Date(facts.eligibleFrom), reader)
  const money = toMoney(facts.amountCents, facts.currency, reader)
  return {
    ...toUpdate(reader),
    message: words.payoutUpcoming(money, toSubject(facts, reader), payoutDate),
    payoutDate,
    actionUrl: `${appUrl}${earningsPath}`,
    actionText: words.viewEarnings,
  }
}

/** That the money did not arrive, and whether there is something to mend; the vendor's own words are not for experts. */
export function renderPayoutFailed(wanted: Wanted<'payout-failed'>): PayloadOf<'expert-management'> {
  const { appUrl, facts, reader } = wanted
  const words = wordingFor(reader)
  const reason = failureReasons.get(facts.failureCode ?? '') ?? 'other'
  const money = toMoney(facts.amountCents, facts.currency, reader)
  return {
    ...toUpdate(reader),
    message: `${words.payoutFailed(money, toSubject(facts, reader))} ${words.failureReasons[reason]}`,
    actionUrl: `${appUrl}${reason === 'other' ? earningsPath : billingPath}`,
    actionText: reason === 'other' ? words.viewEarnings : words.checkBankDetails,
    ...(reason === 'other' ? {} : { templateVariant: 'urgent' as const }),
  }
}

/** What was paid out, for which appointments, and when the bank should have it. It names no client: money knows none. */
export function renderPayout(wanted: Wanted<'expert-payout-notification'>): PayloadOf<'expert-payout-notification'> {
  const { appUrl, facts, reader } = wanted
  const services = toServices(facts.rows, reader)
  return {
    payoutAmount: toDecimal(facts.amountCents, facts.currency),
    currency: facts.currency.toUpperCase(),
    expertName: greetedAs(reader),
    ...toAppointment(facts.rows, reader),
    ...(services === undefined ? {} : { serviceName: services }),
    ...(facts.payoutId === undefined ? {} : { payoutId: facts.payoutId }),
    ...(typeof facts.arrivesAt === 'string'
      ? { expectedArrivalDate: toBankDay(new Date(facts.arrivesAt), reader) }
      : {}),
    dashboardUrl: `${appUrl}${earningsPath}`,
    supportUrl: `${appUrl}${supportPath}`,
    locale: reader.language,
  }
}

type MoneyFacts = Pick<FactsOf<'transfer-recorded'>, 'amountCents' | 'currency' | 'rows'>

/**
 * An update of the account: what the workflow calls a payout notice says in its own words that money was sent. The message
 * says the amount as its reader writes it, so that no field repeats it in another form.
 */
function toUpdate(reader: Reader) {
  return {
    notificationType: 'account-update' as const,
    expertName: greetedAs(reader),
    locale: reader.language,
  }
}

/** What the money is for, inside a sentence. */
function toSubject({ rows }: MoneyFacts, reader: Reader): string {
  const words = wordingFor(reader)
  const [first] = rows
  if (first === undefined || rows.length > 1) return words.ofAppointments(rows.length)
  return words.ofAppointment(toDay(new Date(first.startsAt), reader), first.serviceName?.trim() || undefined)
}

/** One appointment's day and time; of several their days. */
function toAppointment(rows: MoneyFacts['rows'], reader: Reader) {
  const starts = rows.map(row => Date.parse(row.startsAt))
  const [first, last] = [new Date(Math.min(...starts)), new Date(Math.max(...starts))]
  if (rows.length > 1) return { appointmentDate: toDays(first, last, reader) }
  return { appointmentDate: toDay(first, reader), appointmentTime: toTime(first, reader) }
}

/** What one appointment is called; of several how many there are, and what they are called. */
function toServices(rows: MoneyFacts['rows'], reader: Reader): string | undefined {
  const names = [...new Set(rows.flatMap(({ serviceName }) => serviceName?.trim() || []))]
  const shown = names.length === 0 ? undefined : toLine(toList(names, reader))
  if (rows.length === 1) return shown
  const count = wordingFor(reader).appointments(rows.length)
  return shown === undefined ? count : `${count} (${shown})`
}

/** By name, else as somebody without one. */
function greetedAs(reader: Reader): string {
  const { firstName, lastName } = reader
  return [firstName, lastName].filter(part => part !== undefined).join(' ') || wordingFor(reader).unnamedReader
}

const failureReasons: ReadonlyMap<string, FailureReason> = new Map([
  ['account_closed', 'closed'],
  ['no_account', 'closed'],
  ['bank_ownership_changed', 'details'],
  ['incorrect_account_holder_name', 'details'],
  ['invalid_account_number', 'details'],
  ['account_frozen', 'refused'],
  ['bank_account_restricted', 'refused'],
  ['debit_not_authorized', 'refused'],
  ['declined', 'refused'],
  ['invalid_currency', 'currency'],
])
