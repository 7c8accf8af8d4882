import { redact } from '../runner/redact.ts'
import type { FlowControl, Schedule, ScheduleSettings } from '../providers/schedules.ts'
import { cleanAddress } from './clean-address.ts'
import { cleanCron } from './clean-cron.ts'

/** One setting that is not as it should be, in words. */
export interface Difference {
  readonly field: string
  readonly is: string
  readonly wanted: string
}

type Clean = (address: string) => string
type Show = (schedule: ScheduleSettings & Partial<Schedule>, clean: Clean, cleanBody: Clean) => string

// Everything that creating or changing a schedule sets or resets, so that whatever was changed elsewhere is found.
const fields: Readonly<Record<string, Show>> = {
  cron: ({ cron }) => cron,
  zone: ({ timeZone }) => timeZone,
  destination: ({ destination }, clean) => clean(destination),
  method: ({ method }) => method,
  retries: ({ retries }) => String(retries),
  timeout: ({ timeoutSeconds }) => (timeoutSeconds === undefined ? 'unknown' : `${timeoutSeconds} s`),
  body: ({ body }, _clean, cleanBody) => describeBody(body, cleanBody),
  'failure callback': ({ failureCallback }, clean) => clean(failureCallback ?? none),
  'flow control': ({ flowControl }) => describeFlow(flowControl),
  callback: ({ callback }, clean) => clean(callback ?? none),
  headers: ({ headers = {} }) => Object.keys(headers).toSorted().join(', ') || none,
  queue: ({ queue }) => queue ?? none,
  delay: ({ delaySeconds }) => (delaySeconds === undefined ? none : `${delaySeconds} s`),
  'retry delay': ({ retryDelay }) => retryDelay ?? none,
}

const none = 'none'

/**
 * Field by field, where a schedule is not what it should be, in words without secrets. Pausing is no difference: it is
 * somebody's decision.
 */
export function compareSchedules(wanted: ScheduleSettings, real: Schedule): Difference[] {
  const { origin } = new URL(wanted.destination)
  const clean: Clean = address => cleanAddress(address, origin)
  const found = Object.entries(fields).flatMap(([field, show]) => {
    if (show(real, asItIs, asItIs) === show(wanted, asItIs, asItIs)) return []
    const tell = (one: ScheduleSettings & Partial<Schedule>): string => cleanText(field, show(one, clean, redact))
    return [{ field, is: tell(real), wanted: tell(wanted) }]
  })
  if (!real.keptPaused || real.paused) return found
  // Whether somebody resumed it, or a change was cut off before it was paused again, cannot be told from here.
  return [...found, { field: 'paused', is: 'no, but it was when it was changed last', wanted: 'no' }]
}

/** Addresses are cleaned before, each as whose it is; whatever else is text may be anything. */
function cleanText(field: string, text: string): string {
  if (field === 'cron') return cleanCron(text)
  return ['destination', 'failure callback', 'callback'].includes(field) ? text : redact(text)
}

function asItIs(text: string): string {
  return text
}

/** Whole where it is short: a plan that cuts two long bodies at the same place would show no difference. */
function describeBody(body: string | undefined, clean: Clean): string {
  if (body === undefined) return none
  const text = clean(body)
  return text.length <= 80 ? text : `${text.slice(0, 60)}… (${body.length} characters, ${checksum(body)})`
}

function describeFlow(flow: FlowControl | undefined): string {
  if (flow === undefined) return none
  const { key, parallelism, periodSeconds = 1, rate } = flow
  const limits = [
    ...(parallelism === undefined ? [] : [`${parallelism} at once`]),
    ...(rate === undefined ? [] : [`${rate} in ${periodSeconds} s`]),
  ]
  return `${key}: ${limits.join(', ')}`
}

/** Enough to see that two long texts differ; it guards nothing. */
function checksum(text: string): string {
  let sum = 0
  for (const char of text) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 0xff_ff_ff_fb
  return sum.toString(16)
}
