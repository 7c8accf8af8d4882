import { redact } from '../runner/redact.ts'

/**
 * An address without what may be a secret in it: of ours only a query, of others everything that looks like one, because
 * there a secret may be in the path. `ours` is where our own begin.
 */
export function cleanAddress(address: string, ours: string): string {
  if (address !== ours && !address.startsWith(`${ours}/`)) return redact(address)
  return address.replace(/[?#].*$/s, '?[removed]')
}
