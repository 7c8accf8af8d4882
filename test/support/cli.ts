import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import tap, { type Test } from 'tap'
import type { FromHost, ToHost } from './cli-host.ts'

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
      resolve(inspect(t, args, env, { code, stdout, stderr }))
    })
  })
  return { child, ended }
}

/** Whatever a command says, it says no secret. */
function inspect(t: Test, args: readonly string[], env: Env, ended: Ended): Ended {
  const all = ended.stdout + ended.stderr
  t.notMatch(all, /planted|^ {4}at /m, `no secret and no stack in: ${args.join(' ')}`)
  if (env['DATABASE_URL'] !== undefined) t.notOk(all.includes(env['DATABASE_URL']), 'no connection string')
  return ended
}

/** Runs a command to its end as a process of its own: where that matters, or where two have to race. */
export async function spawned(t: Test, args: readonly string[], env: Env = {}): Promise<Ended> {
  return await start(t, args, env).ended
}

let host: ChildProcess | undefined
let earlier: Promise<unknown> = Promise.resolve()

/** Runs a command to its end, after those that were asked for earlier; they share a process, and nothing else. */
export async function cli(t: Test, args: readonly string[], env: Env = {}): Promise<Ended> {
  const ended = earlier.then(async () => await tellHost({ args, env }))
  earlier = ended.catch(() => {})
  return inspect(t, args, env, await ended)
}

async function tellHost(command: ToHost): Promise<FromHost> {
  host ??= startHost()
  const child = host
  const { promise, reject, resolve } = Promise.withResolvers<FromHost>()
  const onExit = (): void => {
    reject(new Error(`the process of commands ended at: ${command.args.join(' ')}`))
  }
  child.once('message', resolve).once('exit', onExit)
  child.send(command)
  try {
    return await promise
  } finally {
    child.off('message', resolve).off('exit', onExit)
  }
}

function startHost(): ChildProcess {
  const child = fork(path.join(import.meta.dirname, 'cli-host.ts'), {
    execArgv: ['--import', import.meta.resolve('./end-with-parent.ts')],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  })
  tap.teardown(() => {
    child.kill('SIGKILL')
  })
  return child
}

/** Runs a command with --json and reads its one document. */
export async function json(t: Test, args: readonly string[], env: Env) {
  return readJson(await cli(t, [...args, '--json'], env))
}

/** The one document of a command that was run with --json. */
export function readJson({ code, stdout }: Ended) {
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
    NOVU_SECRET_KEY: 'planted-novu-key',
    NOVU_BASE_URL: 'http://127.0.0.1:9',
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
