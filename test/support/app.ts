import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { type App, createApp, type Outside } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import type { Db } from '../../src/database/connection.ts'
import { mintToken } from '../../src/sandbox/qstash-token.ts'
import { testDatabase } from './database.ts'
import { type StoppedClock, stoppedClock, testJob } from './runner.ts'

export const publicUrl = 'https://jobs.example.test'
export const signingKeys = { current: 'sig_test_current_key', next: 'sig_test_next_key' }
export const cronSecret = 'cron-secret-of-the-tests-0123456789'
export const operatorToken = 'operator-token-of-the-tests-0123456789'

export interface TestApp {
  readonly app: App
  readonly db: Db
  readonly url: string
  readonly clock: StoppedClock
  readonly logs: () => Record<string, unknown>[]
  /** Calls a route; the body is sent as it is. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Reply>
  /** Delivers a signed message, as QStash would. */
  readonly deliver: (path: string, options?: DeliverOptions) => Promise<Reply>
  /** Calls a route as the operator. */
  readonly operate: (method: string, path: string, body?: unknown) => Promise<Reply>
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface DeliverOptions extends CallOptions {
  readonly messageId?: string | null
  readonly scheduleId?: string
  readonly retried?: number
  readonly key?: string
  /** What the token says it was made for; the path itself unless given. */
  readonly signedPath?: string
  readonly token?: string
}

export interface Reply {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly json: Record<string, unknown>
}

interface TestAppOptions extends Outside {
  readonly env?: Readonly<Record<string, string>>
  readonly boot?: boolean
}

/** The real application on a real socket and a database of its own, with a stopped clock and one job that does little. */
export async function testApp(t: Test, options: TestAppOptions = {}): Promise<TestApp> {
  const { boot = true, env, ...outside } = options
  const database = await testDatabase(t)
  const clock = stoppedClock()
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: line => lines.push(line) })
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    PUBLIC_URL: publicUrl,
    APP_URL: 'http://127.0.0.1:9',
    QSTASH_CURRENT_SIGNING_KEY: signingKeys.current,
    QSTASH_NEXT_SIGNING_KEY: signingKeys.next,
    OPERATOR_TOKEN: operatorToken,
    CRON_SECRET: cronSecret,
    STRIPE_SECRET_KEY: 'sk_test_ofTheTests',
    NOVU_SECRET_KEY: 'novu-key-of-the-tests',
    NOVU_BASE_URL: 'http://127.0.0.1:9',
    STRIPE_API_BASE_URL: 'http://127.0.0.1:9',
    LEASE_SECONDS: '10',
    DRAIN_SECONDS: '1',
    ...env,
  })
  const app = await createApp(config, log, { clock, jobs: [testJob()], requestsPerMinute: 10_000, ...outside })
  const agent = new Agent()
  t.teardown(async () => {
    await agent.close()
    await app.close()
  })
  const url = await app.server.listen({ port: 0, host: '127.0.0.1' })
  if (boot) await app.boot()

  const call = async (method: string, path: string, { body, headers = {} }: CallOptions = {}): Promise<Reply> => {
    const answer = await request(`${url}${path}`, {
      method: method as 'GET',
      dispatcher: agent,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    const text = await answer.body.text()
    return { statusCode: answer.statusCode, headers: answer.headers, text, json: parse(text) }
  }
  const deliver = async (path: string, sending: DeliverOptions = {}): Promise<Reply> => {
    const { body = '', key = signingKeys.current, messageId = `msg_${randomUUID()}`, retried = 0, scheduleId } = sending
    const signed = { url: `${publicUrl}${sending.signedPath ?? path}`, body: Buffer.from(body), key, now: clock() }
    return await call('POST', path, {
      body,
      headers: {
        'content-type': 'application/json',
        'upstash-signature': sending.token ?? mintToken(signed),
        'upstash-retried': String(retried),
        ...(messageId === null ? {} : { 'upstash-message-id': messageId }),
        ...(scheduleId === undefined ? {} : { 'upstash-schedule-id': scheduleId }),
        ...sending.headers,
      },
    })
  }
  const operate = async (method: string, path: string, body?: unknown): Promise<Reply> =>
    await call(method, path, {
      headers: {
        authorization: `Bearer ${operatorToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  return {
    app,
    db: database.db,
    url,
    clock,
    logs: () => lines.map(line => JSON.parse(line) as Record<string, unknown>),
    call,
    deliver,
    operate,
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
