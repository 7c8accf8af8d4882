import { spawn } from 'node:child_process'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { Test } from 'tap'

const main = path.join(import.meta.dirname, '../../src/cli/main.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Env = Readonly<Record<string, string>>

/** Starts the command as a process of its own, with no other environment than the given one. */
export function start(t: Test, args: readonly string[], env: Env, execArgv: readonly string[] = []) {
  const child = spawn(process.execPath, [...execArgv, main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>(resolve => {
    child.on('close', code => {
      const all = stdout + stderr
      t.notMatch(all, /planted|^ {4}at /m, `no secret and no stack in: ${args.join(' ')}`)
      if (env['DATABASE_URL'] !== undefined) t.notOk(all.includes(env['DATABASE_URL']), 'no connection string')
      resolve({ code, stdout, stderr })
    })
  })
  return { child, ended }
}

/** Runs a command to its end. */
export async function cli(t: Test, args: readonly string[], env: Env = {}): Promise<Ended> {
  return await start(t, args, env).ended
}

/** Runs a command with --json and reads its one document. */
export async function json(t: Test, args: readonly string[], env: Env) {
  const { code, stdout } = await cli(t, [...args, '--json'], env)
  return { code, document: JSON.parse(stdout) as Record<string, never> }
}

/** Everything that a run needs. The heartbeat goes nowhere: nothing may ever be sent to it. */
export function serviceEnv(url: string, overrides: Env = {}): Env {
  return {
    NODE_ENV: 'test',
    DATABASE_URL: url,
    PUBLIC_URL: 'http://127.0.0.1:9',
    APP_URL: 'http://127.0.0.1:9',
    QSTASH_CURRENT_SIGNING_KEY: 'sig_planted_current',
    QSTASH_NEXT_SIGNING_KEY: 'sig_planted_next',
    OPERATOR_TOKEN: 'ana:planted-operator-token',
    STRIPE_SECRET_KEY: 'sk_test_planted_key',
    STRIPE_API_BASE_URL: 'http://127.0.0.1:9',
    BETTERSTACK_TASKS_HEARTBEAT: 'http://127.0.0.1:9/planted-heartbeat',
    ...overrides,
  }
}

/** The marketplace's site, which answers when and what a test wants. */
export async function openSite(t: Test, answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => answer(response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Three at a time: every command is a process, and there are few cores. */
export async function inTurns<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values()
  const visitAll = async (): Promise<void> => {
    for (const item of waiting) await visit(item)
  }
  await Promise.all([visitAll(), visitAll(), visitAll()])
}
