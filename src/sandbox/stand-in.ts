import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { toError } from '../errors.ts'

/** One HTTP request as it came in; `target` is the raw request line, because a router would normalise it. */
export interface Request {
  readonly method: string
  readonly target: string
  /** The part of the target before the question mark. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Length on the wire; more than `body.length` when the body was over the limit and cut. */
  readonly bodyBytes: number
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, anything else as JSON; nothing at all when absent. */
  readonly body?: unknown
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfterBytes?: number
}

/** `hang`: the connection stays open without an answer. `reset`: it is closed without one. */
export type Reaction = Answer | 'hang' | 'reset'

export interface ListenOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly maxBodyBytes: number
  /** `closed` fires when the stand-in closes, so that a slow answer does not outlive it. */
  readonly answer: (request: Request, closed: AbortSignal) => Reaction | Promise<Reaction>
}

export interface Listening {
  readonly url: string
  /** Drops every connection and frees the port; calling it again does nothing more. */
  readonly close: () => Promise<void>
}

/** Starts an HTTP server on 127.0.0.1. A bug in `answer` becomes a 500 that says what was thrown. */
export async function listen({ answer, maxBodyBytes, port = 0 }: ListenOptions): Promise<Listening> {
  const closing = new AbortController()
  const server = createServer((incoming, response) => {
    read(incoming, maxBodyBytes)
      .then(async request => await answer(request, closing.signal))
      .catch((thrown: unknown) => ({ status: 500, body: { error: `the stand-in failed: ${toError(thrown).message}` } }))
      .then(reaction => react(response, reaction))
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  const closed = Promise.withResolvers<void>()
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      if (!closing.signal.aborted) {
        closing.abort()
        server.close(() => {
          closed.resolve()
        })
        server.closeAllConnections()
      }
      await closed.promise
    },
  }
}

/** What a stand-in says to a call that it does not model: loud, and with the name of the call. */
export function notModelled(vendor: string, call: string): Answer {
  return { status: 501, body: { error: `the ${vendor} stand-in does not model ${call}` } }
}

/** What can go wrong on command in the plain stand-ins, for every call until it is taken back. */
export type Fault =
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** 200 with bytes that are no JSON. */
  | { readonly kind: 'garbage' }

/** The reaction that `fault` puts in the place of an answer; undefined where the answer still comes, late or not. */
export async function reactTo(fault: Fault | undefined, closed: AbortSignal): Promise<Reaction | undefined> {
  switch (fault?.kind) {
    case undefined:
      return undefined
    case 'hang':
    case 'reset':
      return fault.kind
    case 'status': {
      const headers = fault.retryAfter === undefined ? {} : { 'Retry-After': fault.retryAfter }
      return { status: fault.status, headers, body: { error: `answered ${fault.status} on command` } }
    }
    case 'slow':
      await delay(fault.delayMs, undefined, { signal: closed }).catch(() => undefined)
      return undefined
    case 'garbage':
      return { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html><p>not what you asked for' }
  }
}

async function read(incoming: IncomingMessage, maxBodyBytes: number): Promise<Request> {
  const kept: Buffer[] = []
  let bodyBytes = 0
  let room = maxBodyBytes
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bodyBytes += chunk.length
    kept.push(chunk.subarray(0, room))
    room = Math.max(0, room - chunk.length)
  }
  const target = incoming.url ?? '/'
  const mark = target.indexOf('?')
  return {
    method: incoming.method ?? 'GET',
    target,
    path: mark === -1 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)),
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(kept),
    bodyBytes,
  }
}

function react(response: ServerResponse, reaction: Reaction): unknown {
  if (reaction === 'hang') return undefined
  if (reaction === 'reset') return response.socket?.resetAndDestroy()
  const { body, cutAfterBytes, headers = {}, status } = reaction
  const text = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body)
  const type = typeof body === 'object' ? { 'Content-Type': 'application/json' } : {}
  if (cutAfterBytes === undefined) return response.writeHead(status, { ...type, ...headers }).end(text)
  const bytes = Buffer.from(text)
  response.writeHead(status, { ...type, ...headers, 'Content-Length': bytes.length })
  return response.write(bytes.subarray(0, cutAfterBytes), () => response.socket?.destroySoon())
}
