import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Reaction } from '../../stand-in.ts'
import type { StripeFault } from './faults.ts'

/** What becomes of a request on its way, where it never arrives. */
export function loseBefore(fault: StripeFault | undefined): Reaction | undefined {
  if (fault?.kind === 'drop' && !fault.executed) return 'reset'
  if (fault?.kind === 'freeze' && !fault.executed) return 'hang'
  return fault?.kind === 'html' && !fault.executed ? proxyPage(fault) : undefined
}

/** What becomes of an answer on its way back. */
export async function spoil(fault: StripeFault | undefined, answer: Answer, closed: AbortSignal): Promise<Reaction> {
  switch (fault?.kind) {
    case 'drop':
      return 'reset'
    case 'freeze':
      return 'hang'
    case 'html':
      return proxyPage(fault)
    case 'truncate':
      return { ...answer, cutAfterBytes: Math.floor(String(answer.body).length / 2) }
    case 'slow':
      if (fault.executes === 'first') await wait(fault.delayMs, closed)
      return answer
    case 'conflict':
    case 'error':
    case 'forbidden':
    case 'limit':
    case 'unauthorized':
    case undefined:
      return answer
  }
}

function proxyPage({ status = 502 }: Extract<StripeFault, { kind: 'html' }>): Answer {
  const text = status === 502 ? '502 Bad Gateway' : 'Sign in'
  return { status, headers: { 'Content-Type': 'text/html' }, body: `<html><title>${text}</title>${text}</html>` }
}

/** A 5xx in Stripe's shape. */
export function failureOf(
  { shouldRetry, status = 500 }: Extract<StripeFault, { kind: 'error' }>,
  headers: Readonly<Record<string, string>>,
): Answer {
  const advice = shouldRetry === undefined ? {} : { 'Stripe-Should-Retry': String(shouldRetry) }
  const error = { type: 'api_error', message: 'Sorry, something went wrong. We have been notified of the problem.' }
  return { status, headers: { ...headers, ...advice }, body: JSON.stringify({ error }) }
}

/** What every answer of Stripe's carries. */
export function headersOf(key: string | undefined, requestId: string): Record<string, string> {
  const echoed = key === undefined ? {} : { 'Idempotency-Key': key }
  return { 'Content-Type': 'application/json', 'Request-Id': requestId, ...echoed }
}

/** Rejects when the stand-in is closed meanwhile, so that nothing is carried out after that. */
export async function wait(delayMs: number, closed: AbortSignal): Promise<void> {
  await delay(delayMs, undefined, { signal: closed })
}
