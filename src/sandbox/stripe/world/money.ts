import type { Entry, EntryType } from '../records.ts'
import { addTo, put } from '../shelf.ts'
import { getBook, nowMs, type State, stamp } from '../state.ts'

/** What an account has in one currency. */
export interface Purse {
  available: number
  /** What becomes available later, in no order. */
  waiting: ReadonlyArray<{ readonly cents: number; readonly atMs: number }>
  /** The earliest moment in `waiting`. */
  nextMs: number
}

export interface Leg {
  readonly account: string
  readonly type: EntryType
  readonly amount: number
  /** Taken off the amount. */
  readonly fee?: number
  readonly source: string | null
  /** At once unless given. */
  readonly availableMs?: number | undefined
  readonly exchangeRate?: number | null
}

/** Where money comes from or goes to when it leaves the balances. */
export type Outside = 'guests' | 'banks' | 'stripe' | 'unexplained'

export interface Movement {
  readonly currency: string
  readonly atMs: number
  readonly legs: readonly Leg[]
  /** Cents that each place outside gained. */
  readonly outside?: Partial<Record<Outside, number>>
}

/** Moves money between balances and the outside, one balance transaction a leg. Throws unless it adds up to zero. */
export function move(state: State, { atMs, currency, legs, outside = {} }: Movement): Entry[] {
  const gained = Object.values(outside).reduce((sum, cents) => sum + cents, 0)
  const total = legs.reduce((sum, { amount, fee = 0 }) => sum + amount - fee, gained)
  if (total !== 0)
    throw new Error(`a movement of ${legs.map(({ type }) => type).join(', ')} leaves ${total} ${currency}`)
  for (const [place, cents] of Object.entries(outside)) {
    const name = `${place} ${currency}`
    state.outside.set(name, (state.outside.get(name) ?? 0) + cents)
  }
  return legs.map(leg => enter(state, leg, currency, atMs))
}

/** Cents that the account can spend now. */
export function availableCents(state: State, account: string, currency: string): number {
  return purseOf(state, account, currency).available
}

/** What the account has in one currency, now. */
export function purseOf(state: State, account: string, currency: string): Readonly<Purse> {
  const { purses } = getBook(state, account)
  const purse = purses.get(currency) ?? { available: 0, waiting: [], nextMs: Infinity }
  purses.set(currency, purse)
  ripen(purse, nowMs(state))
  return purse
}

export function pendingCents({ waiting }: Readonly<Purse>): number {
  return waiting.reduce((sum, { cents }) => sum + cents, 0)
}

function enter(state: State, leg: Leg, currency: string, atMs: number): Entry {
  const { account, amount, availableMs = atMs, exchangeRate = null, fee = 0, source, type } = leg
  const book = getBook(state, account)
  const entry: Entry = {
    ...stamp(state, 'txn', atMs),
    account,
    type,
    amount,
    fee,
    net: amount - fee,
    currency,
    source,
    availableMs,
    exchangeRate,
  }
  put(book.entries, entry)
  if (source !== null) addTo(book.entriesBySource, source, entry)
  add(book.purses, currency, entry.net, availableMs, nowMs(state))
  return entry
}

function add(purses: Map<string, Purse>, currency: string, cents: number, atMs: number, now: number): void {
  const purse = purses.get(currency) ?? { available: 0, waiting: [], nextMs: Infinity }
  purses.set(currency, purse)
  if (atMs <= now) {
    purse.available += cents
    return
  }
  ;(purse.waiting as Array<{ cents: number; atMs: number }>).push({ cents, atMs })
  purse.nextMs = Math.min(purse.nextMs, atMs)
}

function ripen(purse: Purse, now: number): void {
  if (purse.nextMs > now) return
  const ripe = purse.waiting.filter(({ atMs }) => atMs <= now)
  purse.available += ripe.reduce((sum, { cents }) => sum + cents, 0)
  purse.waiting = purse.waiting.filter(({ atMs }) => atMs > now)
  purse.nextMs = purse.waiting.reduce((next, { atMs }) => Math.min(next, atMs), Infinity)
}
