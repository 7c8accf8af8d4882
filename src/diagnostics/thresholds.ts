import { fail, type Issue, warn } from './component.ts'

/** From `warnFrom` on it is a warning, above `failAbove` a failure. Rates are shares of one. */
interface Threshold {
  readonly warnFrom: number
  readonly failAbove: number
}

const megabyte = 2 ** 20
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Every limit of the diagnostics, those of the guide for operators (healthy, warning and critical) first. */
export const thresholds = {
  /** Of events, delivered or not; the guide counts the successes: below 99 % and below 95 %. */
  undeliveredRate: { warnFrom: 0.01, failAbove: 0.05 },
  webhookLatencyMs: { warnFrom: 1_000, failAbove: 5_000 },
  poolUse: { warnFrom: 0.7, failAbove: 0.9 },
  memoryBytes: { warnFrom: 200 * megabyte, failAbove: 500 * megabyte },
  errorRate: { warnFrom: 0.01, failAbove: 0.05 },
  /** Any at all is a warning. */
  discrepancyRate: { warnFrom: Number.MIN_VALUE, failAbove: 0.05 },
  /** Younger events are on their way; after two days a person has one left before Stripe gives up. */
  undeliveredAgeMs: { warnFrom: 2 * minuteMs, failAbove: 2 * dayMs },
  databaseAnswerMs: { warnFrom: 1_000, failAbove: Number.POSITIVE_INFINITY },
  /** Pings are tried again every minute, with waits of up to five. */
  pingOwedMs: { warnFrom: 15 * minuteMs + 1, failAbove: Number.POSITIVE_INFINITY },
  /** The sender looks every minute; a vendor that has a bad moment is tried again within this time. */
  noticeDueMs: { warnFrom: 15 * minuteMs + 1, failAbove: Number.POSITIVE_INFINITY },
  /** Of operations that may have reached Stripe; the next run looks them up, and after 48 hours a person decides. */
  operationInDoubtMs: { warnFrom: hourMs, failAbove: 2 * dayMs - 1 },
  operationPlannedMs: { warnFrom: dayMs, failAbove: Number.POSITIVE_INFINITY },
} as const satisfies Record<string, Threshold>

/** For how many periods of the schedule that calls most often none at all may call. */
export const quietPeriods = 3

/** The issue that a figure is, if it is one. */
export function judge(value: number, { failAbove, warnFrom }: Threshold, issue: string, advice: string): Issue[] {
  if (value > failAbove) return [fail(issue, advice)]
  return value >= warnFrom ? [warn(issue, advice)] : []
}

/** So many of something that is named in the singular; `more` where nobody has counted to the end. */
export function toCount(count: number, noun: string, more = false): string {
  return `${count}${more ? ' or more' : ''} ${noun}${count === 1 && !more ? '' : 's'}`
}

/** A share of one as people read it. */
export function toPercent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`
}

export function toMegabytes(bytes: number): number {
  return Math.round(bytes / megabyte)
}

/** A length of time as people say it. */
export function toSpan(ms: number): string {
  const minutes = Math.round(ms / minuteMs)
  if (minutes < 1) return `${Math.round(ms / 1000)} s`
  if (minutes < 120) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`
}
