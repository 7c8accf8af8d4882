import { submit } from './delivery.ts'
import { describeDeadLetter, describeEvent, readFilter } from './messages.ts'
import { ApiError } from './settings.ts'
import type { DeadLetter, State } from './state.ts'

const pageSize = 100
const longestPage = 1_000

interface Page<Line> {
  readonly lines: Line[]
  readonly cursor?: string
}

/** The log, newest first, by `messageId`, `state`, `label` and the other filters, 100 lines unless `count` says less or more. */
export function listEvents(state: State, query: URLSearchParams): Page<Record<string, unknown>> {
  const states = query.getAll('state')
  const selects = readFilter(query)
  const chosen = state.events
    .filter(event => states.length === 0 || states.includes(event.state))
    .filter(event => selects(event.message, event.time))
    .toReversed()
  const { cursor, lines } = page(chosen, query, event => String(event.number))
  return { lines: lines.map(describeEvent), ...(cursor === undefined ? {} : { cursor }) }
}

/** Dead letters, newest first. */
export function listDeadLetters(state: State, query: URLSearchParams): Page<Record<string, unknown>> {
  const { cursor, lines } = page(chooseDeadLetters(state, query), query, ({ dlqId }) => dlqId)
  return { lines: lines.map(describeDeadLetter), ...(cursor === undefined ? {} : { cursor }) }
}

/** Throws ApiError 404 for an unknown id. */
export function getDeadLetter(state: State, dlqId: string): DeadLetter {
  const found = state.deadLetters.get(dlqId)
  if (found === undefined) throw new ApiError(404, `dlq message ${dlqId} not found`)
  return found
}

/** Removes the chosen page; no filter chooses all. */
export function deleteDeadLetters(state: State, query: URLSearchParams): { deleted: number; cursor?: string } {
  const { cursor, lines } = page(chooseDeadLetters(state, query), query, ({ dlqId }) => dlqId)
  for (const { dlqId } of lines) state.deadLetters.delete(dlqId)
  return { deleted: lines.length, ...(cursor === undefined ? {} : { cursor }) }
}

/** Delivers the chosen page again as new messages with new ids, and removes the entries. */
export function retryDeadLetters(
  state: State,
  query: URLSearchParams,
): { cursor: string; responses: Array<{ messageId: string }> } {
  const { cursor = '', lines } = page(chooseDeadLetters(state, query), query, ({ dlqId }) => dlqId)
  return { cursor, responses: lines.map(line => retryDeadLetter(state, line)) }
}

/** Delivers one dead letter again as a new message with a new id, and removes the entry. */
export function retryDeadLetter(state: State, { dlqId, message }: DeadLetter): { messageId: string } {
  state.deadLetters.delete(dlqId)
  const origin = message.scheduleId === undefined ? {} : { scheduleId: message.scheduleId }
  return { messageId: submit(state, { ...message.settings, delayMs: 0 }, origin).id }
}

function chooseDeadLetters(state: State, query: URLSearchParams): DeadLetter[] {
  const ids = query.getAll('dlqIds').flatMap(value => value.split(','))
  const statuses = query.getAll('responseStatus')
  const selects = readFilter(query)
  return [...state.deadLetters.values()]
    .filter(({ dlqId }) => ids.length === 0 || ids.includes(dlqId))
    .filter(({ attempt }) => statuses.length === 0 || statuses.includes(String(attempt.status ?? 0)))
    .filter(({ message }) => selects(message))
    .toReversed()
}

/** The lines after the one that the cursor names: the cursor is the id of the last line of the page before. */
function page<Line>(all: readonly Line[], query: URLSearchParams, idOf: (line: Line) => string): Page<Line> {
  const cursor = query.get('cursor') ?? ''
  const from = cursor === '' ? 0 : all.findIndex(line => idOf(line) === cursor) + 1
  const count = Math.min(longestPage, Number(query.get('count') ?? pageSize))
  const lines = all.slice(from, from + count)
  const last = lines.at(-1)
  return { lines, ...(last === undefined || from + count >= all.length ? {} : { cursor: idOf(last) }) }
}
