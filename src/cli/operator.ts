import { userInfo } from 'node:os'

/** Who the audit names: `as` where it is given, else the user of the operating system. Throws when `as` is no name. */
export function findOperator(as: string | undefined): string {
  if (as === undefined)
    return readUserName()
      .replace(/[^\w.@-]/g, '_')
      .slice(0, maxLength)
  if (/^[\w.@-]{1,64}$/.test(as)) return as
  throw new Error('--as must be 1 to 64 letters, digits or . _ @ -')
}

const maxLength = 64

/** A container may run under a number that has no name. */
function readUserName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
