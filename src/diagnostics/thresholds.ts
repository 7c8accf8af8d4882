import { fail, type Issue, warn } from './component.ts'

/** From `warnFrom` on it is a warning, above `failAbove` a failure. Rates are shares of one. */
interface Threshold {
  readonly warnFrom: number
  readonly failAbove: number
}

const megabyte = 2 ** 20

/** What the guide for operators calls healthy, warning and critical. */
export const thresholds = {
  /** Of events, delivered or not; the guide counts the successes: below 99 % and below 95 %. */
  undeliveredRate: { warnFrom: 0.01, failAbove: 0.05 },
  webhookLatencyMs: { warnFrom: 1_000, failAbove: 5_000 },
  poolUse: { warnFrom: 0.7, failAbove: 0.9 },
  memoryBytes: { warnFrom: 200 * megabyte, failAbove: 500 * megabyte },
  errorRate: { warnFrom: 0.01, failAbove: 0.05 },
  /** Any at all is a warning. */
  discrepancyRate: { warnFrom: Number.MIN_VALUE, failAbove: 0.05 },
} as const satisfies Record<string, Threshold>

/** The issue that a figure is, if it is one. */
export function judge(value: number, { failAbove, warnFrom }: Threshold, issue: string, advice: string): Issue[] {
  if (value > failAbove) return [fail(issue, advice)]
  return value >= warnFrom ? [warn(issue, advice)] : []
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
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return `${Math.round(ms / 1000)} s`
  if (minutes < 120) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`
}
