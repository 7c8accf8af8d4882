import type { Attempt, Message } from './state.ts'

/**
 * What a callback is told about an attempt, and a failure callback (with `dlqId`) about the last one: JSON bytes.
 * Source: upstash.com/docs/qstash/features/callbacks.
 */
export function callbackBody(message: Message, attempt: Attempt, dlqId?: string): Buffer {
  const { createdAt, id, notBefore, scheduleId, settings } = message
  return Buffer.from(
    JSON.stringify({
      status: attempt.status ?? 0,
      header: attempt.responseHeaders,
      body: attempt.responseBody.toString('base64'),
      retried: attempt.retried,
      maxRetries: settings.retries,
      ...(dlqId === undefined ? {} : { dlqId }),
      sourceMessageId: id,
      url: settings.url,
      method: settings.method,
      sourceHeader: listed(settings.headers),
      sourceBody: settings.body.toString('base64'),
      notBefore: notBefore.getTime(),
      createdAt: createdAt.getTime(),
      ...(scheduleId === undefined ? {} : { scheduleId }),
      callerIP: '127.0.0.1',
    }),
  )
}

/** Headers in the form of QStash's API: each name with a list of values. */
export function listed(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}
