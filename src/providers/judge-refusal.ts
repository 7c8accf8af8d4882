import type { Reached } from './reachability.ts'

export interface RefusalOf {
  /** The variable with what identifies us, and the one with where we call. */
  readonly key: string
  readonly address: string
}

/**
 * What a refusal means where nothing of the vendor's own says otherwise: ours to mend, and which variable to look at.
 * Only a vendor that gave up waiting for our question (408) is down, and only 401 says that the key is wrong: 403 says
 * that it lacks a permission. Source: `reference/monitoring.md` section 6.
 */
export function judgeRefusal(status: number, { address, key }: RefusalOf): Omit<Reached, 'latencyMs'> {
  if (status === 408) return { state: 'down', detail: 'answered 408: it gave up waiting' }
  if (status === 403) {
    const detail = `knows our key, which may not do this (403): is ${key} right, and what may it do?`
    return { state: 'misconfigured', scopeOnly: true, detail }
  }
  return { state: 'misconfigured', detail: explain(status, key, address) }
}

function explain(status: number, key: string, address: string): string {
  if (status === 401) return `refused our key (401): is ${key} right?`
  if (status === 402) return 'asks for payment (402): see its billing limits'
  if (status < 400) return `redirects (${status}): is ${address} right?`
  if (status === 404) return `knows no such address (404): is ${address} right?`
  return `refused the call (${status}): are ${key} and ${address} right?`
}
