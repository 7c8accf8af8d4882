import { parseExpression } from './expression.ts'

const dayMs = 86_400_000
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: dayMs,
}
const retryAfterHeaders = [
  'retry-after',
  'x-ratelimit-reset',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
] as const

export interface Failure {
  /** Retries already made. */
  readonly retried: number
  /** The message's `Upstash-Retry-Delay`. */
  readonly retryDelay?: string
  /** Headers of the failed answer, by lower-case name; empty when there was none. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly now: Date
}

/**
 * How long QStash waits before the next retry, in milliseconds: what the answer asks for (up to a day), else the
 * message's own expression, else e^(2.5 n) seconds up to a day. Source: upstash.com/docs/qstash/features/retry.
 */
export function retryDelayMs({ headers, now, retried, retryDelay }: Failure): number {
  for (const name of retryAfterHeaders) {
    const asked = parseRetryAfter(headers[name]?.[0], now)
    if (asked !== undefined && asked <= dayMs) return asked
  }
  if (retryDelay === undefined) return Math.min(dayMs, Math.floor(Math.exp(2.5 * (retried + 1))) * 1_000)
  const wanted = parseExpression(retryDelay)(retried)
  return Number.isFinite(wanted) ? Math.min(dayMs, Math.max(0, wanted)) : dayMs
}

/** Milliseconds of a duration like `1d10h30m`, `6m5s` or bare seconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1_000
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)]
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0)
}

function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  const text = value?.trim() ?? ''
  const duration = parseDuration(text)
  if (duration !== undefined) return duration
  // Only the RFC 1123 form, because Date.parse takes many others.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined
  return Math.max(0, Date.parse(text) - now.getTime())
}
