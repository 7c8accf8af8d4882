import type { Schedules as SdkSchedules } from '@upstash/qstash'
import { PermanentError } from '../errors.ts'
import { createRequester, type QstashCallOptions } from './qstash-calls.ts'
import { keptPausedLabel, parseSchedule, timeoutLabel } from './qstash-schedule.ts'
import type { FlowControl, Schedule, ScheduleSettings, Schedules } from './schedules.ts'

type SdkRequest = Parameters<SdkSchedules['create']>[0]

const mostDeadLetters = 100

/** The schedules of a QStash account, through the official SDK, which is imported at the first call. */
export function createQstashSchedules(options: QstashCallOptions): Schedules {
  const open = async (signal: AbortSignal): Promise<SdkSchedules> => {
    const { Schedules } = await import('@upstash/qstash')
    return new Schedules(createRequester(options, signal))
  }
  return {
    list: async signal => {
      const { request } = createRequester(options, signal)
      // Not the SDK's `list`: a body that is no list is a TypeError there.
      const path = ['v2', 'schedules']
      return parseList(await request({ method: 'GET', path }).catch(explainAbsence))
    },
    put: async (settings, mark, signal) => {
      await (await open(signal)).create(toRequest(settings, mark.keptPaused))
    },
    pause: async (id, signal) => {
      await (await open(signal)).pause({ schedule: requireId(id) })
    },
    remove: async (id, signal) => {
      await (await open(signal)).delete(requireId(id)).catch((thrown: unknown) => {
        if (!(thrown instanceof PermanentError) || thrown.code !== 'absent') throw thrown
      })
    },
    countDeadLetters: async signal => {
      const { request } = createRequester(options, signal)
      const path = ['v2', `dlq?count=${mostDeadLetters}`]
      const { messages } = await request<{ readonly messages?: unknown }>({ method: 'GET', path })
      return Array.isArray(messages) ? messages.length : 0
    },
  }
}

/** Every account has a list, be it empty. */
function explainAbsence(thrown: unknown): never {
  if (!(thrown instanceof PermanentError) || thrown.code !== 'absent') throw thrown
  throw new PermanentError('QStash knows no schedules there (404): is QSTASH_URL right?', { cause: thrown })
}

function parseList(answer: unknown): Schedule[] {
  if (!Array.isArray(answer)) throw new Error('QStash answered something that is no list of schedules')
  return answer.map(parseSchedule)
}

function toRequest(settings: ScheduleSettings, keptPaused: boolean): SdkRequest {
  const { body, cron, destination, failureCallback, flowControl, id, method, retries, timeZone, timeoutSeconds } =
    settings
  const labels = [
    ...(timeoutSeconds === undefined ? [] : [timeoutLabel(timeoutSeconds)]),
    ...(keptPaused ? [keptPausedLabel] : []),
  ]
  return {
    scheduleId: requireId(id),
    destination,
    cron: timeZone === 'UTC' ? cron : `CRON_TZ=${timeZone} ${cron}`,
    method: method as 'POST',
    retries,
    label: labels,
    ...(timeoutSeconds === undefined ? {} : { timeout: timeoutSeconds }),
    ...(body === undefined ? {} : { body }),
    ...(failureCallback === undefined ? {} : { failureCallback }),
    ...(flowControl === undefined ? {} : { flowControl: toFlowControl(flowControl) }),
  }
}

function toFlowControl({ key, parallelism, periodSeconds, rate }: FlowControl): SdkRequest['flowControl'] & {} {
  const period = periodSeconds === undefined ? {} : { period: periodSeconds }
  if (parallelism === undefined) return { key, rate: rate ?? 1, ...period }
  return { key, parallelism, ...(rate === undefined ? {} : { rate, ...period }) }
}

/** The SDK puts ids into the address as they are: one with a slash or a question mark would name something else. */
function requireId(id: string): string {
  if (/^[\w.-]+$/.test(id) && !/^\.+$/.test(id)) return id
  throw new PermanentError(`a schedule's id has letters, digits and . _ - alone: ${JSON.stringify(id.slice(0, 60))}`)
}
