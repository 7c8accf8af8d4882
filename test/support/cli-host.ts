/**
 * Runs commands of the CLI one after another in one process, each with an environment and an output of its own: most of
 * what a command takes is loading it. What only a process of its own can show is tested with one (`spawned`).
 */
const main = new URL('../../src/cli/main.ts', import.meta.url)

export interface ToHost {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface FromHost {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const said = { stdout: '', stderr: '' }
for (const name of ['stdout', 'stderr'] as const) {
  process[name].setMaxListeners(0)
  process[name].write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    const done = rest.at(-1)
    if (typeof done === 'function') (done as () => void)()
    return true
  }
}
// A command ends its process when something lingers; here the next one is waiting.
process.exit = (() => {}) as typeof process.exit

let commands = 0
process.on('message', ({ args, env }: ToHost) => {
  void perform(args, env).then(ended => process.send?.(ended))
})

/** The parent sends the next command when this one has been answered. */
async function perform(args: readonly string[], env: ToHost['env']): Promise<FromHost> {
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
  process.argv = [process.execPath, main.pathname, ...args]
  process.exitCode = 0
  said.stdout = said.stderr = ''
  commands += 1
  await import(`${main.href}?command=${commands}`)
  const code = process.exitCode
  process.exitCode = 0
  return { code, ...said }
}
