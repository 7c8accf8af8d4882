import type { Language } from '../types.ts'

export interface Rendered {
  readonly subject: string
  /** Undefined lines are left out; an empty one is a gap. */
  readonly lines: ReadonlyArray<string | undefined>
}

/** Gives a field of the payload, empty where it is not there. */
export type Word = (name: string) => string

export type Template = Readonly<Record<Language, (word: Word) => Rendered>>

export function wordIn(payload: Readonly<Record<string, unknown>>, name: string): string {
  const value = payload[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** `label: value`, and nothing without a value. */
export function line(label: string, value: string): string | undefined {
  return value === '' ? undefined : `${label}: ${value}`
}

/** The time, and its zone where it says nothing about it itself. */
export function clock(word: Word): string {
  const [time, zone] = [word('appointmentTime'), word('timezone')]
  return zone === '' || time.includes(zone) ? time : `${time} (${zone})`
}
