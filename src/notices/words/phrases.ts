import type { Reader } from '../facts.ts'
import { remember } from '../remember.ts'

/** Times, days, lengths and amounts as a reader writes them. All of it is Intl's; no word is made up here. */

type Reading = Pick<Reader, 'locale' | 'timeZone'>

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
/** Minutes, both ends excluded. */
const aboutAnHour = { from: 57, to: 76 }

/** A day with its weekday, on the reader's calendar. */
export function toDay(at: Date, { locale, timeZone }: Reading): string {
  return dayFormat(locale, timeZone).format(at)
}

/** The days from one moment to another, without weekdays; one day where they are the same. */
export function toDays(from: Date, to: Date, { locale, timeZone }: Reading): string {
  return dateRangeFormat(locale, timeZone).formatRange(from, to)
}

/** A time with the short name of its zone, by the reader's clock: twelve hours in the United States, else twenty-four. */
export function toTime(at: Date, { locale, timeZone }: Reading): string {
  return timeFormat(locale, timeZone).format(at)
}

/** Whether the reader's clock says one o'clock something, which some languages treat as singular. */
export function isOneOClock(at: Date, { timeZone }: Reading): boolean {
  return hourFormat(timeZone).format(at) === '01'
}

/**
 * The day a bank counts on: the vendor writes it as midnight UTC, which is another day by many clocks. Anything else is a
 * moment, and told by the reader's clock.
 */
export function toBankDay(at: Date, reader: Reading): string {
  return toDay(at, at.getTime() % dayMs === 0 ? { locale: reader.locale, timeZone: 'UTC' } : reader)
}

/**
 * How long it is until then: with `byDay` today or tomorrow, by the reader's calendar, where it is more than an hour and a
 * half; else minutes, hours or days, rounded. Undefined where it is about an hour, for which Intl has no words; `now` when
 * it has begun.
 */
export function toTimeUntil(at: Date, now: Date, reader: Reading, { byDay = true } = {}): string | undefined {
  const minutes = Math.round((at.getTime() - now.getTime()) / minuteMs)
  if (minutes <= 0) return plainWords(reader.locale).format(0, 'second')
  if (byDay && isTodayOrTomorrow(at, now, reader)) {
    return plainWords(reader.locale).format(daysUntil(at, now, reader), 'day')
  }
  if (minutes > aboutAnHour.from && minutes < aboutAnHour.to && minutes !== 60) return undefined
  const numbers = inNumbers(reader.locale)
  if (minutes < 90 && minutes !== 60) return numbers.format(minutes, 'minute')
  const hours = Math.round(minutes / 60)
  return hours < 36 ? numbers.format(hours, 'hour') : numbers.format(Math.round(hours / 24), 'day')
}

/** Whether it is today or tomorrow by the reader's calendar, and not within the next hour and a half. */
export function isTodayOrTomorrow(at: Date, now: Date, reader: Reading): boolean {
  return at.getTime() - now.getTime() > 90 * minuteMs && daysUntil(at, now, reader) <= 1
}

/** How many midnights of the reader's calendar lie between now and then. */
export function daysUntil(at: Date, now: Date, { timeZone }: Reading): number {
  return Math.round((dayNumber(at, timeZone) - dayNumber(now, timeZone)) / dayMs)
}

/** A length in whole minutes, in words. */
export function toMinutes(minutes: number, { locale }: Reading): string {
  return minuteFormat(locale).format(minutes)
}

/** An amount with its currency, as the reader writes it. */
export function toMoney(amountCents: number, currency: string, { locale }: Reading): string {
  return moneyFormat(locale, currency).format(toUnits(amountCents, currency))
}

/** An amount without its currency, as machines write it: `51.00`. */
export function toDecimal(amountCents: number, currency: string): string {
  return toUnits(amountCents, currency).toFixed(digitsOf(currency))
}

/** Several things in one phrase. */
export function toList(things: readonly string[], { locale }: Reading): string {
  return listFormat(locale).format(things)
}

const dayFormat = remember(
  (locale: string, timeZone: string) => new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeZone }),
)
const dateRangeFormat = remember(
  (locale: string, timeZone: string) => new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone }),
)
const timeFormat = remember((locale: string, timeZone: string) => {
  const clock = locale === 'en-US' ? twelveHours : twentyFourHours
  return new Intl.DateTimeFormat(locale, { ...clock, minute: '2-digit', timeZone, timeZoneName: 'short' })
})
const hourFormat = remember((timeZone: string) => new Intl.DateTimeFormat('en-GB', { ...twentyFourHours, timeZone }))
const dateFormat = remember(
  (timeZone: string) =>
    new Intl.DateTimeFormat('en', { calendar: 'iso8601', year: 'numeric', month: 'numeric', day: 'numeric', timeZone }),
)
const inNumbers = remember((locale: string) => new Intl.RelativeTimeFormat(locale))
const plainWords = remember((locale: string) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }))
const minuteFormat = remember(
  (locale: string) => new Intl.NumberFormat(locale, { style: 'unit', unit: 'minute', unitDisplay: 'long' }),
)
const moneyFormat = remember(
  (locale: string, currency: string) => new Intl.NumberFormat(locale, { style: 'currency', currency }),
)
const listFormat = remember((locale: string) => new Intl.ListFormat(locale))

const twelveHours = { hour: 'numeric', hourCycle: 'h12' } as const
const twentyFourHours = { hour: '2-digit', hourCycle: 'h23' } as const

function dayNumber(at: Date, timeZone: string): number {
  const parts = dateFormat(timeZone)
    .formatToParts(at)
    .map(({ type, value }) => [type, Number(value)] as const)
  const { day = 1, month = 1, year = 0 } = Object.fromEntries(parts) as Record<string, number>
  return Date.UTC(year, month - 1, day)
}

function toUnits(amountCents: number, currency: string): number {
  return amountCents / 10 ** digitsOf(currency)
}

/** Yen have no hundredths. */
function digitsOf(currency: string): number {
  return moneyFormat('en', currency).resolvedOptions().maximumFractionDigits ?? 2
}
