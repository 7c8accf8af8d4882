import { type ChildProcess, fork } from 'node:child_process'
import path from 'node:path'

export interface ForkOptions {
  readonly env: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
  /** What hears the process's errors; they go on to ours unless said. */
  readonly onStderr?: (text: string) => void
}

/**
 * Starts a script of this folder as a process. It holds nothing of ours open: a process that outlives the test it
 * belongs to, frozen perhaps, would keep the whole run from ending.
 */
export function forkScript(script: string, { env, execArgv = [], onStderr = tellOn }: ForkOptions): ChildProcess {
  const child = fork(path.join(import.meta.dirname, script), {
    // The test runner's own loaders are not for the service.
    execArgv: [...execArgv, '--import', import.meta.resolve('./end-with-parent.ts')],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Most of a start is compiling, and one start is like the other.
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...env },
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    onStderr(chunk.toString())
  })
  return child
}

function tellOn(text: string): void {
  process.stderr.write(text)
}
