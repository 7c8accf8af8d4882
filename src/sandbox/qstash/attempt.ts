import http from 'node:http'
import https from 'node:https'
import { gunzipSync } from 'node:zlib'

export interface Sending {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly timeoutMs: number
  /** Closes the connection this long after the request was written, whatever the receiver says. */
  readonly dropAfterMs?: number
  readonly signal: AbortSignal
}

/** What came back: a status with headers (lower-case names) and body, or the reason why there is none. */
export interface Reply {
  readonly status?: number
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly body: Buffer
  readonly error?: string
}

const keptBytes = 64 * 1024
const nothing = { headers: {}, body: Buffer.alloc(0) }

/** One real HTTP request on a connection of its own. It follows no redirect and never throws. */
export async function sendAttempt(sending: Sending): Promise<Reply> {
  const reply = Promise.withResolvers<Reply>()
  const request = openRequest(sending)
  // The first reason counts: what breaks because of it afterwards is not the cause.
  const giveUp = (error: string): void => {
    reply.resolve({ ...nothing, error })
    request.destroy()
  }
  const limit = setTimeout(() => {
    giveUp(`no answer within ${sending.timeoutMs} ms`)
  }, sending.timeoutMs)
  const stop = (): void => {
    giveUp('the stand-in was closed')
  }
  sending.signal.addEventListener('abort', stop)
  request.on('error', err => {
    giveUp(describe(err))
  })
  const dropping = watch(request, sending, reply.resolve, giveUp)
  request.end(sending.method === 'GET' ? undefined : sending.body)
  try {
    return await reply.promise
  } finally {
    clearTimeout(limit)
    clearTimeout(dropping.timer)
    sending.signal.removeEventListener('abort', stop)
  }
}

function openRequest({ body, headers, method, url }: Sending): http.ClientRequest {
  const { request } = url.toLowerCase().startsWith('https:') ? https : http
  const length = method === 'GET' ? {} : { 'Content-Length': String(body.length) }
  return request(url, { method, agent: false, headers: { ...headers, ...length, 'Accept-Encoding': 'gzip' } })
}

function watch(
  request: http.ClientRequest,
  { dropAfterMs }: Sending,
  resolve: (reply: Reply) => void,
  giveUp: (error: string) => void,
): { timer?: NodeJS.Timeout } {
  const dropping: { timer?: NodeJS.Timeout } = {}
  if (dropAfterMs === undefined) {
    request.on('response', response => {
      readReply(response).then(resolve, (err: unknown) => {
        giveUp(describe(err))
      })
    })
    return dropping
  }
  // Listening without reading leaves the answer in the socket.
  request.on('response', () => undefined)
  request.on('finish', () => {
    dropping.timer = setTimeout(() => {
      giveUp('the connection was dropped on command')
    }, dropAfterMs)
  })
  return dropping
}

async function readReply(response: http.IncomingMessage): Promise<Reply> {
  const kept: Buffer[] = []
  let room = keptBytes
  for await (const chunk of response as AsyncIterable<Buffer>) {
    kept.push(chunk.subarray(0, room))
    room = Math.max(0, room - chunk.length)
  }
  const raw = Buffer.concat(kept)
  const headers = Object.entries(response.headersDistinct).map(([name, values]) => [name, values ?? []])
  return {
    status: response.statusCode ?? 0,
    headers: Object.fromEntries(headers) as Reply['headers'],
    body: response.headers['content-encoding'] === 'gzip' && room > 0 ? gunzipSync(raw) : raw,
  }
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown)
}
