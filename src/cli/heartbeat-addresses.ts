import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Step } from '../provision/plan-monitoring.ts'

/** The heartbeats' addresses by variable. Secrets. */
export function listAddresses(steps: readonly Step[]): (readonly [variable: string, url: string])[] {
  return steps.flatMap(step => {
    if (!('real' in step && 'wanted' in step) || step.wanted.variable === undefined) return []
    const { url } = step.real.attributes
    // What a shell or a line of a file would take for something else is no address.
    return typeof url === 'string' && /^https?:\/\/[\w.:/-]+$/.test(url) ? [[step.wanted.variable, url] as const] : []
  })
}

/** Throws before anything is done, where the file could not be written afterwards. */
export function checkEnvFile(file: string, force: boolean): void {
  if (!force && existsSync(file)) throw new Error(`${file} is there already: --force replaces it`)
}

/** Writes the variables for this user alone to read. Throws where the file is there and may not be replaced. */
export function writeEnvFile(file: string, addresses: readonly (readonly [string, string])[], force: boolean): void {
  const text = addresses.map(([name, url]) => `${name}=${url}\n`).join('')
  // A new file, also where an old one is replaced: that one's mode, or what it links to, is not ours to trust.
  const target = force ? `${file}.${process.pid}.new` : file
  try {
    writeFileSync(target, text, { mode: 0o600, flag: 'wx' })
    if (force) renameSync(target, file)
  } catch (thrown) {
    if (force) rmSync(target, { force: true })
    throw thrown
  }
}
