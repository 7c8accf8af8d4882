import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
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

/** A file that can be written, and is not there for others yet. */
export interface EnvFile {
  /** Puts the variables into it, for this user alone to read. */
  write(addresses: readonly (readonly [string, string])[]): void
  /** Leaves everything as it was. */
  drop(): void
}

/**
 * Makes the file before anything else is done, so that it can be written afterwards. With `force` it takes the place of one
 * that is there, as a new file: that one's mode, or what it links to, is not ours to trust. Throws what to do about it.
 */
export function openEnvFile(file: string, force: boolean): EnvFile {
  const target = force ? `${file}.${process.pid}.new` : file
  const descriptor = open(target, file)
  let isOpen = true
  const close = (): void => {
    if (isOpen) closeSync(descriptor)
    isOpen = false
  }
  return {
    write: addresses => {
      writeSync(descriptor, addresses.map(([name, url]) => `${name}=${url}\n`).join(''))
      close()
      if (force) renameSync(target, file)
    },
    drop: () => {
      close()
      rmSync(target, { force: true })
    },
  }
}

function open(target: string, file: string): number {
  try {
    return openSync(target, 'wx', 0o600)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new Error(`${file} is there already: --force replaces it`, { cause: thrown })
    throw new Error(`${file} cannot be written (${code}): nothing was changed`, { cause: thrown })
  }
}
