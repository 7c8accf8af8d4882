import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { findFreePort } from '../../src/sandbox/postgres.ts'
import type { ToChild } from './money-child.ts'
import { childKeys, operatorToken } from './processes.ts'
import { forkScript } from './fork-script.ts'

/** One process of the service. */
export interface MoneyChild {
  readonly url: string
  readonly pid: number
  /** It will stop the next time it comes to the step; null: nowhere. */
  stopAt(step: string | null): Promise<void>
  /** Resolves when it stands still at the step it was told. */
  stopped(): Promise<void>
  /** Lets it go on from where it stands. */
  goOn(): void
  signal(signal: NodeJS.Signals): void
  /** Its exit code, once it has ended; null when it was killed. */
  ended(): Promise<number | null>
  kill(): Promise<void>
}

export interface MoneyChildOptions {
  readonly databaseUrl: string
  readonly stripeUrl: string
  readonly stripeKey: string
  readonly clockFile: string
  /** In this folder; the one with the jobs that move money unless given. */
  readonly script?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the service as a process, and resolves once it is ready. Killed, if it still lives, when the test ends. */
export async function startMoneyChild(t: Test, options: MoneyChildOptions): Promise<MoneyChild> {
  const port = await findFreePort()
  const child = forkScript(options.script ?? 'money-child.ts', {
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: options.databaseUrl,
      PORT: String(port),
      PUBLIC_URL: 'https://jobs.example.test',
      APP_URL: 'https://www.example.test',
      QSTASH_CURRENT_SIGNING_KEY: childKeys.current,
      QSTASH_NEXT_SIGNING_KEY: childKeys.next,
      OPERATOR_TOKEN: operatorToken,
      STRIPE_SECRET_KEY: options.stripeKey,
      NOVU_SECRET_KEY: 'novu-key-of-the-tests',
      NOVU_BASE_URL: 'http://127.0.0.1:9',
      STRIPE_API_BASE_URL: options.stripeUrl,
      MONEY_SINCE: '2020-01-01T00:00:00Z',
      CHILD_CLOCK: options.clockFile,
      LEASE_SECONDS: '20',
      DRAIN_SECONDS: '0',
      ...options.env,
    },
  })
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  t.teardown(kill)
  await waitFor(child, 'booted')
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
  const stopped = { promise: Promise.resolve() }
  const tell = (message: ToChild): void => {
    child.send(message)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stopAt: async step => {
      stopped.promise = waitFor(child, 'stoppedAt')
      // Nobody need ever wait for it.
      stopped.promise.catch(() => {})
      const told = waitFor(child, 'told')
      tell({ stopAt: step })
      await told
    },
    stopped: async () => {
      await stopped.promise
    },
    goOn: () => {
      tell({ goOn: true })
    },
    signal: signal => {
      child.kill(signal)
    },
    ended: async () => await ended,
    kill,
  }
}

/** Resolves at the first message with the property; rejects when the process ends before. */
async function waitFor(child: ChildProcess, property: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onMessage = (message: object): void => {
      if (Object.hasOwn(message, property)) end(resolve)
    }
    const onExit = (code: number | null): void => {
      end(() => {
        reject(new Error(`the process ended (${code}) before it said ${property}`))
      })
    }
    const end = (settle: () => void): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      settle()
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}
