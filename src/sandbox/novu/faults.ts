import type { Answer, Reaction, Request } from '../stand-in.ts'
import { fail, refuseForNow, refuseKey } from './refusal.ts'
import type { Injected, State } from './state.ts'
import type { NovuCall, NovuFault, NovuFaultOrder } from './types.ts'

/** Puts a fault in front of the requests to come. Where several fit, the oldest goes first. */
export function injectFault({ faults }: State, order: NovuFaultOrder): void {
  faults.push({ order, skips: order.after ?? 0, left: order.times ?? 1 })
}

/** The fault that this request meets, counted. */
export function takeFault({ faults }: State, call: NovuCall, { query }: Request): NovuFault | undefined {
  const met = faults.find(injected => isMet(injected, call, query.toString()))
  if (met !== undefined) met.left -= 1
  return met?.order
}

function isMet(injected: Injected, call: NovuCall, query: string): boolean {
  const { order } = injected
  if (injected.left <= 0 || (order.call ?? call) !== call || (order.query ?? query) !== query) return false
  if (injected.skips === 0) return true
  injected.skips -= 1
  return false
}

/** What the guards in front of the API say. */
export function guard(fault: NovuFault | undefined, request: Request): Answer | undefined {
  if (fault?.kind === 'limit') return refuseForNow(request, fault.retryAfter)
  return fault?.kind === 'unauthorized' ? refuseKey(fault.status) : undefined
}

/** What comes of a request that is not carried out; undefined where it is. */
export function loseBefore(fault: NovuFault | undefined, request: Request, status: number): Reaction | undefined {
  return fault !== undefined && 'taken' in fault && !fault.taken ? spoil(fault, request, { status }) : undefined
}

/** What becomes of the answer to a request that was carried out. */
export function spoil(fault: NovuFault | undefined, request: Request, answer: Answer): Reaction {
  switch (fault?.kind) {
    case 'hang':
    case 'reset':
      return fault.kind
    case 'error':
      return fail(request, fault.status)
    case 'garbage':
      return {
        status: answer.status,
        headers: { 'Content-Type': 'text/html' },
        body: '<html><p>not what you asked for',
      }
    case 'truncate': {
      const body = JSON.stringify(answer.body)
      const headers = { ...answer.headers, 'Content-Type': 'application/json' }
      return { ...answer, headers, body, cutAfterBytes: Math.floor(Buffer.byteLength(body) / 2) }
    }
    case 'failOne':
    case 'limit':
    case 'slow':
    case 'unauthorized':
    case undefined:
      return answer
  }
}
