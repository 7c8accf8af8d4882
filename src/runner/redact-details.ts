import { redact } from './redact.ts'

/**
 * The same data without secrets and personal data: every text in it as `redact` leaves it, and nothing of what stands
 * under a name that speaks of a person. Numbers, times and our own ids stay.
 */
export function redactDetails<T>(value: T): T {
  return clean(value, '') as T
}

const aboutPeople = /mail|phone|iban|address|^(?:(?:first|last|full|guest|expert|client|customer|user)_?)?name$/i

function clean(value: unknown, name: string): unknown {
  if (value === null || value === undefined) return value
  if (aboutPeople.test(name)) return '[removed]'
  if (typeof value === 'string') return cleanText(value, name)
  if (Array.isArray(value)) return value.map(part => clean(part, name))
  if (typeof value !== 'object' || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [redact(key), clean(part, key)]))
}

/** Its name is read with it, as in a line of text: a password has no form of its own. */
function cleanText(text: string, name: string): string {
  const prefix = `${name}: `
  const line = redact(prefix + text)
  return line.startsWith(prefix) ? line.slice(prefix.length) : redact(text)
}
