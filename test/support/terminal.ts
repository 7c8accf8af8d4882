import { spawn } from 'node:child_process'
import path from 'node:path'
import type { Test } from 'tap'
import type { Env } from './cli.ts'

const main = path.join(import.meta.dirname, '../../src/cli/main.ts')

/** Runs a command on a terminal of its own, and types the answer when the question appears. Needs /usr/bin/script. */
export async function typeInto(t: Test, args: readonly string[], env: Env, question: string, answer: string) {
  const command = [process.execPath, main, ...args].map(part => `'${part}'`).join(' ')
  const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let shown = ''
  let answered = false
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString()
    if (!answered && shown.includes(question)) {
      answered = true
      child.stdin.write(answer)
    }
  })
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code, shown }
}
