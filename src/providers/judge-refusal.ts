import type { Reached } from './reachability.ts'

export interface RefusalOf {
  /** The variable with what identifies us, and the one with where we call. */
  readonly key: string
  readonly address: string
}

/**
 * What a refusal means where nothing of the vendor's own says otherwise: ours to mend, and which variable to look at.
 * Only a vendor that gave up waiting for our question (408) is down.
 */
export function judgeRefusal(status: number, { address, key }: RefusalOf): Pick<Reached, 'state' | 'detail'> {
  if (status === 408) return { state: 'down', detail: 'answered 408: it gave up waiting' }
  return { state: 'misconfigured', detail: explain(status, key, address) }
}

function explain(status: number, key: string, address: string): string {
  if (status === 401) return `refused our key (401): is ${key} right?`
  if (status === 403) return `refused our key (403): is ${key} right, and may it do this?`
  if (status < 400) return `redirects (${status}): is ${address} right?`
  if (status === 404) return `knows no such address (404): is ${address} right?`
  return `refused the call (${status}): are ${key} and ${address} right?`
}
