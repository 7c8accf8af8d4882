import { randomUUID } from 'node:crypto'
import type { Answer, Request } from '../stand-in.ts'
import { checkPayload, type PayloadProblem } from './check-payload.ts'
import { isRecord, readEvent, type TriggerEvent } from './read-event.ts'
import { refuse } from './refusal.ts'
import type { State } from './state.ts'

const maxEvents = 100

/** POST /v1/events/trigger */
export function trigger(state: State, request: Request): Answer {
  const event = readEvent(parse(request))
  if (typeof event === 'string') return refuseShape(request, event)
  const result = take(state, event)
  if (result.kind === 'refused') return refuse(request, result.status, result.message, result.more)
  return { status: 201, body: { data: result.answer } }
}

/** POST /v1/events/trigger/bulk: what one event gets wrong is in its own answer. `failing` is the one that a fault meets. */
export function triggerBulk(state: State, request: Request, failing: number | undefined): Answer {
  const body = parse(request)
  const list: unknown = isRecord(body) ? body['events'] : undefined
  if (!Array.isArray(list) || list.length < 1 || list.length > maxEvents) {
    return refuseShape(request, `events must contain 1 to ${maxEvents} elements`)
  }
  const events = list.map(readEvent)
  const wrong = events.find(event => typeof event === 'string')
  if (wrong !== undefined) return refuseShape(request, `events.${events.indexOf(wrong)}.${wrong}`)
  const answers = events.map((event, index) => takeOne(state, event as TriggerEvent, index === failing))
  return { status: 201, body: { data: answers } }
}

function takeOne(state: State, event: TriggerEvent, fails: boolean): object {
  const error = { acknowledged: true, status: 'error', transactionId: event.transactionId }
  if (fails) return { ...error, error: ['failed on command'] }
  const result = take(state, event)
  return result.kind === 'refused' ? { ...error, error: [result.message] } : result.answer
}

type Taken =
  | { readonly kind: 'answered'; readonly answer: object }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly message: string
      readonly more?: object & Record<string, unknown>
    }

/** Looks at an event as the API does, in its order, and puts it into the queue of the worker. */
function take(state: State, { payload, to, transactionId = randomUUID(), workflow: id }: TriggerEvent): Taken {
  const workflow = state.workflows.get(id)
  if (workflow === undefined) return { kind: 'refused', status: 422, message: 'workflow_not_found' }
  if (workflow.validatePayload) {
    const { problems } = checkPayload(payload, workflow.payloadSchema, 'api')
    if (problems.length > 0) return refusePayload(problems)
  }
  const status = !workflow.active
    ? 'trigger_not_active'
    : workflow.steps === 0
      ? 'no_workflow_steps_defined'
      : 'processed'
  if (status === 'processed') {
    const dueMs = state.clock().getTime() + state.delayMs
    state.queue.push({ workflow: id, to, payload, transactionId, dueMs })
  }
  return { kind: 'answered', answer: { acknowledged: true, status, transactionId } }
}

function refusePayload(errors: readonly PayloadProblem[]): Taken {
  const words = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  const more = { type: 'PAYLOAD_VALIDATION_ERROR', errors }
  return { kind: 'refused', status: 400, message: `Payload validation failed: ${words}`, more }
}

function refuseShape(request: Request, problem: string): Answer {
  const errors = { general: { messages: [problem], value: 'No Value Recorded' } }
  return refuse(request, 422, 'Validation Error', { errors })
}

function parse({ body }: Request): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
