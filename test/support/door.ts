import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import sensible from '@fastify/sensible'
import { fastify, type FastifyInstance, LogController } from 'fastify'
import { pino } from 'pino'
import type { Test } from 'tap'
import errorHandler, { answerError } from '../../src/plugins/error-handler.ts'
import { expectedUrl } from '../../src/plugins/expected-url.ts'
import methodNotAllowed from '../../src/plugins/method-not-allowed.ts'
import operatorAuth from '../../src/plugins/operator-auth.ts'
import qstashSignature, { type QstashSignatureOptions } from '../../src/plugins/qstash-signature.ts'
import rateLimit, { type RateLimitOptions } from '../../src/plugins/rate-limit.ts'

export const keys = { current: 'sig_FAKEcurrentKeyForOurTests0001', next: 'sig_FAKEnextKeyForOurTestsAAA0002' }
export const publicUrl = 'https://jobs.example.com'
export const now = 1_790_000_100
export const operators = [
  { name: 'ana', token: 'token-of-ana-0123456789abcdef' },
  { name: 'rui', token: 'token-of-rui-0123456789abcdef' },
]

export function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}

export function hashBody(body: Uint8Array | string): string {
  return createHash('sha256').update(body).digest('base64url')
}

/** The claims of a token as QStash mints them today. */
export function claimsFor(url: string, body: Uint8Array | string, overrides: object = {}): object {
  const times = { exp: now + 298, iat: now - 2, nbf: 0 }
  return { aud: '', body: `${hashBody(body)}=`, ...times, iss: 'Upstash', jti: 'jwt_1', sub: url, ...overrides }
}

export interface Minted {
  readonly key?: string
  readonly algorithm?: string
  readonly header?: unknown
}

/** A token made by hand, so that it can also be wrong in any one way. Claims given as text are signed as they stand. */
export function mint(claims: unknown, { header, ...options }: Minted = {}): string {
  const parts = [header ?? { alg: 'HS256', typ: 'JWT' }, claims]
  return seal(parts.map(part => encode(typeof part === 'string' ? part : JSON.stringify(part))).join('.'), options)
}

/** Signs two segments, whatever they are. */
export function seal(signed: string, { key = keys.current, algorithm = 'sha256' }: Minted = {}): string {
  return `${signed}.${createHmac(algorithm, key).update(signed).digest('base64url')}`
}

/** A valid token for the address and the body. */
export function sign(path: string, body: Uint8Array | string = '', options: Minted = {}): string {
  return mint(claimsFor(`${publicUrl}${path}`, body), options)
}

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface RawRequest {
  readonly method?: string
  /** As it stands on the request line. */
  readonly target?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Uint8Array | string
  /** Announced instead of the true length. */
  readonly contentLength?: number
}

/** One request, byte by byte as given, over a socket of its own. */
export async function call(port: number, request: RawRequest): Promise<RawAnswer> {
  const { body = '', headers = [], method = 'POST', target = '/' } = request
  const bytes = Buffer.from(body as string)
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(headers.some(([name]) => name.toLowerCase() === 'host') ? [] : ['Host: jobs.example.com']),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${request.contentLength ?? bytes.length}`,
    'Connection: close',
  ]
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]))
  const chunks: Buffer[] = []
  // A server that refuses early may reset the connection once it has answered.
  socket.on('error', () => {})
  socket.on('data', chunk => chunks.push(chunk))
  await new Promise(resolve => socket.once('close', resolve))
  return parseAnswer(Buffer.concat(chunks).toString('latin1'))
}

function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { status: Number(statusLine.split(' ')[1]), headers: new Map(headers), body: rest.join('\r\n\r\n') }
}

export interface TestDoorOptions extends Partial<QstashSignatureOptions> {
  readonly publicUrl?: string
  readonly limit?: RateLimitOptions
  readonly operators?: readonly { readonly name: string; readonly token: string }[]
  /** Routes outside the guarded scope. */
  readonly open?: (app: FastifyInstance) => void
  /** Routes inside it; the usual one answers what arrived, for every method and address. */
  readonly guarded?: (app: FastifyInstance) => void
}

export interface TestDoor {
  readonly app: FastifyInstance
  readonly port: number
  /** What was logged from warn up, parsed. */
  readonly lines: readonly Record<string, unknown>[]
}

/** A listening server with the plugins of the door, and everything it logs. Closed when the test ends. */
export async function openDoor(t: Test, options: TestDoorOptions = {}): Promise<TestDoor> {
  const lines: Record<string, unknown>[] = []
  const loggerInstance = pino(
    { level: 'warn' },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    frameworkErrors: answerError,
  }) as unknown as FastifyInstance
  t.teardown(async () => await app.close())
  await app.register(sensible)
  await app.register(errorHandler)
  await app.register(methodNotAllowed)
  await app.register(operatorAuth, { operators: options.operators ?? operators })
  await app.register(rateLimit, options.limit ?? {})
  options.open?.(app)
  await app.register(async scope => {
    const clock = () => new Date(now * 1000)
    await scope.register(qstashSignature, {
      keys,
      clock,
      expectedUrl: expectedUrl(options.publicUrl ?? publicUrl),
      ...options,
    })
    const guarded = options.guarded ?? echoEverything
    guarded(scope)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, port: (app.server.address() as AddressInfo).port, lines }
}

function echoEverything(scope: FastifyInstance): void {
  scope.all('/*', { config: { door: 'signature' } }, async request => ({
    bytes: request.rawBody.toString('base64'),
    key: request.signed?.key,
    tokenHash: request.signed?.tokenHash.toString('hex'),
  }))
}
