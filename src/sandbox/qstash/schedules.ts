import { isUtf8 } from 'node:buffer'
import { Cron } from 'croner'
import { listed } from './callback.ts'
import { submit } from './delivery.ts'
import { ApiError, type Headers, parseSettings, scheduleOnly } from './settings.ts'
import { isFinal, type Schedule, type State } from './state.ts'
import { randomId } from '../qstash-token.ts'

const field = '[0-9A-Za-z*,/-]+'
const cronText = new RegExp(String.raw`^(?:CRON_TZ=(\S+) )?(${field} ${field} ${field} ${field} ${field})$`)

/**
 * Creates a schedule, or replaces every setting of the one with that id. Throws ApiError: 400 for a bad cron, id or
 * destination, 412 at the quota. Source: upstash.com/docs/qstash/features/schedules.
 */
export function upsertSchedule(state: State, destination: string, headers: Headers, body: Buffer): Schedule {
  const id = headers['upstash-schedule-id'] ?? randomId('scd', 28)
  if (!/^[\w.-]+$/.test(id)) throw new ApiError(400, `invalid schedule id: ${id}`)
  const { cron, due } = parseCron(headers['upstash-cron'])
  const settings = parseSettings(destination, headers, body, scheduleOnly)
  const old = state.schedules.get(id)
  if (old === undefined && state.schedules.size >= state.limits.schedules) {
    throw new ApiError(412, `schedule quota exceeded: ${state.limits.schedules}`)
  }
  old?.disarm()
  const schedule: Schedule = {
    id,
    cron,
    due,
    settings,
    createdAt: old?.createdAt ?? state.clock(),
    isPaused: state.limits.upsertResumes ? false : (old?.isPaused ?? false),
    disarm: () => undefined,
  }
  state.schedules.set(id, schedule)
  arm(state, schedule)
  return schedule
}

/** Throws ApiError 404 for an unknown id. */
export function getSchedule(state: State, id: string): Schedule {
  const schedule = state.schedules.get(id)
  if (schedule === undefined) throw new ApiError(404, `schedule ${id} not found`)
  return schedule
}

/** Removes it; messages that it already made are still delivered. Throws ApiError 404 for an unknown id. */
export function deleteSchedule(state: State, id: string): void {
  getSchedule(state, id).disarm()
  state.schedules.delete(id)
}

/** Makes the message of one trigger, now, and gives its id. Throws when the schedule is paused. */
export function trigger(state: State, schedule: Schedule): string {
  if (schedule.isPaused) throw new Error(`the schedule ${schedule.id} is paused`)
  const message = submit(state, schedule.settings, { scheduleId: schedule.id })
  schedule.lastMessageId = message.id
  return message.id
}

/** The schedule as `GET /v2/schedules/{id}` shows it. Source: upstash.com/docs/qstash/features/schedules. */
export function describeSchedule(state: State, schedule: Schedule): Record<string, unknown> {
  const { createdAt, cron, id, isPaused, lastMessageId, lastSlotAt, settings } = schedule
  const last = lastMessageId === undefined ? undefined : state.messages.get(lastMessageId)
  return {
    scheduleId: id,
    cron,
    destination: settings.url,
    method: settings.method,
    createdAt: createdAt.getTime(),
    header: listed(settings.headers),
    ...bodyFields(settings.body),
    retries: settings.retries,
    retryDelayExpression: settings.retryDelay,
    delay: settings.delayMs === 0 ? undefined : settings.delayMs / 1_000,
    callback: settings.callback?.url,
    failureCallback: settings.failureCallback?.url,
    callerIP: '127.0.0.1',
    isPaused,
    ...flowFields(settings),
    ...labelFields(settings),
    lastScheduleTime: lastSlotAt?.getTime(),
    nextScheduleTime: nextSlot(state, schedule)?.getTime(),
    lastScheduleStates: last === undefined ? undefined : { [last.id]: outcomeOf(last) },
  }
}

/** `body` for text, `bodyBase64` for other bytes, nothing when there are none. */
export function bodyFields(body: Buffer): { readonly body?: string; readonly bodyBase64?: string } {
  if (body.length === 0) return {}
  return isUtf8(body) ? { body: body.toString() } : { bodyBase64: body.toString('base64') }
}

/** The first label and all of them, as the API gives both. */
export function labelFields({ labels }: Schedule['settings']): Record<string, unknown> {
  return labels.length === 0 ? {} : { label: labels[0], labels }
}

/** The flow control of a message or schedule, flat, with the period in seconds. */
export function flowFields({ flow }: Schedule['settings']): Record<string, unknown> {
  if (flow === undefined) return {}
  const { key, parallelism, periodMs, rate } = flow
  return { flowControlKey: key, parallelism, rate, period: periodMs / 1_000 }
}

function parseCron(text: string | undefined): { readonly cron: string; readonly due: Cron } {
  const cron = (text ?? '').trim().replaceAll(/\s+/g, ' ')
  const found = cronText.exec(cron)
  if (found === null) throw new ApiError(400, `invalid cron: ${cron}`)
  const [, timezone = 'UTC', expression = ''] = found
  try {
    // An unknown zone would be noticed only when the next slot is asked for.
    new Intl.DateTimeFormat('en', { timeZone: timezone }).format()
    return { cron, due: new Cron(expression, { mode: '5-part', timezone, paused: true }) }
  } catch (err) {
    throw new ApiError(400, `invalid cron: ${cron}: ${err instanceof Error ? err.message : ''}`)
  }
}

function nextSlot(state: State, { due, lastSlotAt }: Schedule): Date | undefined {
  return due.nextRun(position(state, lastSlotAt)) ?? undefined
}

/**
 * Where the schedule is in time: a clock slower than `speed` may still be before the slot that just fired, which must
 * not fire again.
 */
function position(state: State, lastSlotAt: Date | undefined): Date {
  const now = state.clock()
  return lastSlotAt !== undefined && lastSlotAt > now ? lastSlotAt : now
}

function arm(state: State, schedule: Schedule): void {
  const slot = nextSlot(state, schedule)
  if (slot === undefined) return
  const waitMs = slot.getTime() - position(state, schedule.lastSlotAt).getTime()
  schedule.disarm = state.timers.after(waitMs, () => {
    schedule.lastSlotAt = slot
    if (!schedule.isPaused) trigger(state, schedule)
    arm(state, schedule)
  })
}

function outcomeOf(message: Parameters<typeof isFinal>[0]): 'IN_PROGRESS' | 'SUCCESS' | 'FAIL' {
  if (!isFinal(message)) return 'IN_PROGRESS'
  return message.state === 'DELIVERED' ? 'SUCCESS' : 'FAIL'
}
