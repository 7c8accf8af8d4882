import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { findFreePort } from '../../src/sandbox/postgres.ts'
import { mintToken } from '../../src/sandbox/qstash-token.ts'
import { forkScript } from './fork-script.ts'

export const childKeys = { current: 'sig_test_current_key', next: 'sig_test_next_key' }
export const operatorToken = 'operator-token-of-the-tests-0123456789'

/** What QStash would call; every process of a test is behind the same public address. */
const publicUrl = 'https://jobs.example.test'

export interface Child {
  readonly process: ChildProcess
  readonly url: string
  /** Resolves when a run of this process has come to the step. */
  at(step: string): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
}

export interface ChildOptions {
  readonly databaseUrl: string
  readonly env?: Readonly<Record<string, string>>
  /** What counts as started; `booted` unless said. */
  readonly waitFor?: 'listening' | 'booted'
}

/** Starts the service as a process and waits until it is ready. Killed, if it still lives, when the test ends. */
export async function startChild(t: Test, { databaseUrl, env = {}, waitFor = 'booted' }: ChildOptions): Promise<Child> {
  const port = await findFreePort()
  let stderr = ''
  const child = forkScript('child.ts', {
    onStderr: text => {
      stderr = (stderr + text).slice(-4_000)
    },
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      PUBLIC_URL: publicUrl,
      APP_URL: 'https://www.example.test',
      QSTASH_CURRENT_SIGNING_KEY: childKeys.current,
      QSTASH_NEXT_SIGNING_KEY: childKeys.next,
      OPERATOR_TOKEN: operatorToken,
      STRIPE_SECRET_KEY: 'sk_test_ofTheTests',
      NOVU_SECRET_KEY: 'novu-key-of-the-tests',
      NOVU_BASE_URL: 'http://127.0.0.1:9',
      STRIPE_API_BASE_URL: 'http://127.0.0.1:9',
      LEASE_SECONDS: '2',
      DRAIN_SECONDS: '5',
      ...env,
    },
  })
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  t.teardown(async () => {
    await kill('SIGKILL')
  })
  const steps = new Set<string>()
  child.on('message', (message: { step?: string }) => steps.add(message.step ?? ''))
  await new Promise<void>((resolve, reject) => {
    child.on('message', message => {
      if (Object.hasOwn(message as object, waitFor)) resolve()
    })
    child.once('exit', code => {
      reject(new Error(`the process ended (${code}) before it was ready:\n${stderr}`))
    })
  })
  const at = async (step: string): Promise<void> => {
    while (!steps.has(step)) await once(child, 'message')
  }
  return { process: child, url: `http://127.0.0.1:${port}`, at, kill }
}

export interface Reply {
  /** 0 when the connection broke before an answer. */
  readonly statusCode: number
  readonly retryAfter: string | undefined
  readonly body: Record<string, unknown>
  readonly error: string | undefined
}

// QStash opens what it needs; a kept connection to a process that ends would be broken by design.
const fresh = new Agent({ pipelining: 0, keepAliveTimeout: 1 })

export interface Sending {
  readonly job?: string
  readonly messageId: string
  readonly retried?: number
  readonly scheduleId?: string
  readonly now?: Date
  readonly query?: string
}

/** Delivers one signed message, as QStash would, and never throws: a broken connection is an answer too. */
export async function send(child: { readonly url: string }, sending: Sending): Promise<Reply> {
  const { job = 'traced-0', messageId, now = new Date(), query = '', retried = 0, scheduleId } = sending
  const pathname = `/jobs/${job}${query}`
  const body = Buffer.alloc(0)
  const token = mintToken({ url: `${publicUrl}${pathname}`, body, key: childKeys.current, now })
  try {
    const answer = await request(`${child.url}${pathname}`, {
      method: 'POST',
      dispatcher: fresh,
      headers: {
        'content-type': 'application/json',
        'upstash-signature': token,
        'upstash-message-id': messageId,
        'upstash-retried': String(retried),
        ...(scheduleId === undefined ? {} : { 'upstash-schedule-id': scheduleId }),
      },
    })
    const retryAfter = answer.headers['retry-after']
    return {
      statusCode: answer.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      body: (await answer.body.json()) as Record<string, unknown>,
      error: undefined,
    }
  } catch (err) {
    return { statusCode: 0, retryAfter: undefined, body: {}, error: String(err) }
  }
}

/** Delivers a message again and again, as its retries would, until it is answered 200. */
export async function sendUntilDone(child: { readonly url: string }, sending: Sending): Promise<Reply> {
  for (;;) {
    const reply = await send(child, sending)
    if (reply.statusCode === 200) return reply
    if (![0, 409, 500, 503].includes(reply.statusCode)) throw new Error(`answered ${reply.statusCode}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
