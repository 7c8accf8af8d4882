import { createHash } from 'node:crypto'
import type { Answer, Reaction, Request } from '../stand-in.ts'
import { refuse } from './refusal.ts'
import type { State } from './state.ts'

/** What came of a request. */
export interface Outcome {
  /** What the API itself answered; undefined when the request never got there. */
  readonly answer: Answer | undefined
  /** What the caller gets to see of it. */
  readonly reaction: Reaction
}

const keptMs = 24 * 60 * 60_000
const underWayMs = 5 * 60_000
const headerName = 'idempotency-key'

/**
 * Carries a request out once for its key, where the organization has that: answers and refusals are repeated for a day,
 * a request under way is 409, another body under the key 422. Source: docs.novu.co, Idempotency.
 */
export async function onceForKey(state: State, request: Request, work: () => Promise<Outcome>): Promise<Reaction> {
  const key = request.headers[headerName]
  if (!state.dedupeByKey || key === undefined) return (await work()).reaction
  const now = state.clock().getTime()
  const bodyHash = createHash('sha256').update(request.body).digest('hex')
  const stored = state.answers.get(key)
  if (stored !== undefined && stored.untilMs > now) {
    if (stored.answer === undefined) return refuseWhileUnderWay(request, key)
    if (stored.bodyHash === bodyHash) return repeat(stored.answer)
    return refuse(request, 422, `Request with key "${key}" is being reused for a different body`)
  }
  state.answers.set(key, { bodyHash, answer: undefined, untilMs: now + underWayMs })
  const { answer, reaction } = await work()
  if (answer === undefined) state.answers.delete(key)
  else state.answers.set(key, { bodyHash, answer, untilMs: now + keptMs })
  return reaction
}

function refuseWhileUnderWay(request: Request, key: string): Answer {
  const message = `Request with key "${key}" is currently being processed. Please retry after 1 second`
  return { ...refuse(request, 409, message), headers: { 'Retry-After': '1' } }
}

function repeat(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'Idempotency-Replay': 'true' } }
}
