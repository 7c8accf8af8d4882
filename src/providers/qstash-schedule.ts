import type { FlowControl, Schedule } from './schedules.ts'

// QStash does not show a schedule's timeout, so it is written down in a label too.
const timeoutPattern = /^timeout-(\d{1,6})s$/

/** A schedule with it was paused when we changed it. */
export const keptPausedLabel = 'kept-paused'

/** The label that says what the timeout is. */
export function timeoutLabel(seconds: number): string {
  return `timeout-${seconds}s`
}

/** A schedule in our words. Throws when it is none. Source: upstash.com/docs/qstash/api-reference/schedules. */
export function parseSchedule(answer: unknown): Schedule {
  const found = (typeof answer === 'object' && answer !== null ? answer : {}) as Readonly<Record<string, unknown>>
  const id = textOf(found['scheduleId'])
  const destination = textOf(found['destination'])
  if (id === undefined || destination === undefined) throw new Error('QStash listed something that is no schedule')
  const labels = labelsOf(found)
  return {
    id,
    ...parseCron(textOf(found['cron']) ?? ''),
    destination,
    method: textOf(found['method']) ?? 'POST',
    retries: numberOf(found['retries']) ?? 0,
    timeoutSeconds: numberOf(timeoutPattern.exec(labels.find(label => timeoutPattern.test(label)) ?? '')?.[1]),
    body: textOf(found['body']) ?? prefixed('base64:', textOf(found['bodyBase64'])),
    failureCallback: textOf(found['failureCallback']),
    flowControl: flowControlOf(found),
    callback: textOf(found['callback']),
    headers: headersOf(found['header']),
    queue: textOf(found['queueName']),
    delaySeconds: numberOf(found['delay']),
    retryDelay: textOf(found['retryDelayExpression']),
    paused: found['isPaused'] === true,
    keptPaused: labels.includes(keptPausedLabel),
    lastDueAt: momentOf(found['lastScheduleTime']),
    nextDueAt: momentOf(found['nextScheduleTime']),
    lastState: lastStateOf(found['lastScheduleStates']),
  }
}

function parseCron(text: string): { readonly cron: string; readonly timeZone: string } {
  const cron = text.trim().replaceAll(/\s+/g, ' ')
  const [, timeZone = 'UTC', expression = cron] = /^CRON_TZ=(\S+) (.*)$/.exec(cron) ?? []
  return { cron: expression, timeZone }
}

function labelsOf(found: Readonly<Record<string, unknown>>): string[] {
  const { label, labels } = found
  const all = Array.isArray(labels) ? labels : typeof label === 'string' ? label.split(',') : []
  return all.filter(one => typeof one === 'string')
}

// QStash's own, and those that every request has: nobody chose them.
const carried = /^(?:upstash-|content-|accept|user-agent$|host$|connection$)/

/** Those that somebody chose, with or without the prefix that they are sent to QStash with. */
function headersOf(found: unknown): Record<string, string> {
  const all = Object.entries(typeof found === 'object' && found !== null ? found : {}) as [string, unknown][]
  const named = all.map(([name, values]) => [name.toLowerCase().replace(/^upstash-forward-/, ''), values] as const)
  const chosen = named.filter(([name]) => !carried.test(name))
  return Object.fromEntries(
    chosen.map(([name, values]) => [name, Array.isArray(values) ? values.join(', ') : String(values)]),
  )
}

function flowControlOf(found: Readonly<Record<string, unknown>>): FlowControl | undefined {
  const key = textOf(found['flowControlKey'])
  if (key === undefined) return undefined
  const [parallelism, rate, period] = ['parallelism', 'rate', 'period'].map(name => numberOf(found[name]))
  return {
    key,
    ...(parallelism === undefined ? {} : { parallelism }),
    // A period says something about a rate only.
    ...(rate === undefined ? {} : { rate, ...(period === undefined ? {} : { periodSeconds: period }) }),
  }
}

function lastStateOf(states: unknown): Schedule['lastState'] {
  const last = typeof states === 'object' && states !== null ? Object.values(states) : []
  if (last.includes('FAIL')) return 'failed'
  if (last.includes('IN_PROGRESS')) return 'running'
  return last.includes('SUCCESS') ? 'succeeded' : undefined
}

/** The vendor writes what is not set as nothing, as an empty text or as 0. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) && number !== 0 ? number : undefined
}

function momentOf(value: unknown): Date | undefined {
  const ms = numberOf(value)
  return ms === undefined || ms > 8.64e15 ? undefined : new Date(ms)
}

function prefixed(prefix: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${prefix}${text}`
}
