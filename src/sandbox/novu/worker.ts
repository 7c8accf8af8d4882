import { checkPayload } from './check-payload.ts'
import { createId, type Queued, type State } from './state.ts'
import { languageOf, renderMessage } from './templates.ts'
import type { NovuSubscriber } from './types.ts'

/**
 * Works through the events that are due, as Novu's worker does: an event whose transaction id is already there is
 * dropped, if it is of the same workflow; what the workflow's schema refuses shows as an event, and nothing is sent.
 */
export function runDue(state: State): void {
  const now = state.clock().getTime()
  const due = state.queue.filter(({ dueMs }) => dueMs <= now)
  state.queue = state.queue.filter(({ dueMs }) => dueMs > now)
  for (const event of due) work(state, event)
}

function work(state: State, event: Queued): void {
  const isKnown = state.events.some(
    ({ transactionId, workflow }) => transactionId === event.transactionId && workflow === event.workflow,
  )
  if (isKnown && state.dedupeByTransaction) return
  const schema = state.workflows.get(event.workflow)?.payloadSchema
  const { payload, problems } = checkPayload(event.payload, schema, 'worker')
  const outcome = problems.length === 0 ? 'sent' : 'failed'
  const { transactionId, workflow } = event
  const at = new Date(event.dueMs)
  for (const person of event.to) {
    const to = keepSubscriber(state, person)
    state.events.push({ id: createId(), workflow, subscriberId: to.subscriberId, transactionId, at, outcome })
    if (outcome === 'failed') continue
    const rendered = renderMessage(workflow, payload)
    state.inbox.push({
      to,
      workflow,
      payload: event.payload,
      transactionId,
      at,
      language: languageOf(payload),
      ...rendered,
    })
  }
}

/** Creates the subscriber, or brings what is known up to date with what the event says. */
function keepSubscriber({ subscribers }: State, person: NovuSubscriber): NovuSubscriber {
  const kept = { ...subscribers.get(person.subscriberId), ...person }
  subscribers.set(person.subscriberId, kept)
  return kept
}
