import { mintToken } from '../qstash-token.ts'
import { type Reply, sendAttempt } from './attempt.ts'
import type { Settings } from './settings.ts'
import { type Attempt, changed, remember, type State } from './state.ts'

/** Where and as what one attempt goes out. */
export interface Outgoing {
  readonly messageId: string
  readonly scheduleId?: string
  readonly settings: Settings
  readonly retried: number
  readonly isDuplicate: boolean
}

/** One signed request, recorded; no retry follows from it. */
export async function attemptOnce(state: State, outgoing: Outgoing): Promise<Attempt> {
  const { isDuplicate, messageId, retried, scheduleId, settings } = outgoing
  const requestHeaders = deliveryHeaders(state, outgoing)
  const startedAt = state.clock()
  const started = performance.now()
  state.inFlight += 1
  const { body, headers, ...ending } = await send(state, settings, requestHeaders)
  state.inFlight -= 1
  const attempt: Attempt = {
    messageId,
    ...(scheduleId === undefined ? {} : { scheduleId }),
    url: settings.url,
    method: settings.method,
    retried,
    isDuplicate,
    startedAt,
    durationMs: performance.now() - started,
    ...ending,
    requestHeaders,
    responseHeaders: headers,
    responseBody: body,
  }
  remember(state.attempts, attempt)
  changed(state)
  return attempt
}

async function send(state: State, settings: Settings, headers: Readonly<Record<string, string>>): Promise<Reply> {
  if (!state.accepts(new URL(settings.url))) {
    return { headers: {}, body: Buffer.alloc(0), error: `this stand-in does not deliver to ${settings.url}` }
  }
  const timeoutMs = settings.timeoutMs / state.limits.timeoutSpeed
  return await sendAttempt({ ...settings, headers, timeoutMs, signal: state.closing.signal, ...takeDrop(state) })
}

function deliveryHeaders(state: State, { messageId, retried, scheduleId, settings }: Outgoing): Record<string, string> {
  const { notBefore, signWith, skewMs } = state.faults
  const body = settings.method === 'GET' ? Buffer.alloc(0) : settings.body
  const now = new Date(state.clock().getTime() + skewMs)
  return {
    ...settings.headers,
    'User-Agent': 'Upstash-QStash',
    'Upstash-Signature': mintToken({ url: settings.url, body, key: state.keys[signWith], now, notBefore }),
    'Upstash-Message-Id': messageId,
    'Upstash-Retried': String(retried),
    ...(scheduleId === undefined ? {} : { 'Upstash-Schedule-Id': scheduleId }),
    'Upstash-Caller-Ip': '127.0.0.1',
    'Upstash-Region': 'EU-CENTRAL-1',
  }
}

function takeDrop({ faults }: State): { dropAfterMs?: number } {
  if (faults.drops === 0) return {}
  faults.drops -= 1
  return { dropAfterMs: faults.dropAfterMs }
}
