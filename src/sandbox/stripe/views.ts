import type { Happening, Payout, Transfer } from './records.ts'
import { listAll } from './shelf.ts'
import { type Asked, getBook, type State } from './state.ts'
import { pendingCents, purseOf } from './world/money.ts'
import { runDue } from './world/timers.ts'

type Cents = Readonly<Record<string, number>>

export interface Outflow {
  /** Cents by account and currency that are on their way to a bank or there: failed and canceled ones count until their money is back. */
  readonly payouts: Readonly<Record<string, Cents>>
  /** Cents by account and currency that callers had transferred, less what was reversed; those of destination charges do not count. */
  readonly transfers: Readonly<Record<string, Cents>>
}

export interface Balances {
  readonly [account: string]: { readonly [currency: string]: { readonly available: number; readonly pending: number } }
}

/** What one can see of the stand-in without asking it over HTTP. */
export interface StripeViews {
  /** Every request, oldest first. */
  calls(): readonly Asked[]
  /** What asked for nothing that is modelled. */
  notModelled(): readonly string[]
  /** Bugs of the stand-in: answers that did not fit Stripe's description, or that it could not make. */
  invalid(): readonly string[]
  /** What really left. */
  outflow(): Outflow
  balances(): Balances
  /** Cents that each place outside of Stripe gained, by place and currency; with all balances they add up to zero. */
  outside(): Cents
  /** Every payout, oldest first, of one account where given. */
  payouts(account?: string): ReadonlyArray<Readonly<Payout>>
  /** Every transfer, oldest first. */
  transfers(): ReadonlyArray<Readonly<Transfer>>
  /** Every event, oldest first, of one account where given; `thing` is the object as it was then. */
  events(account?: string): ReadonlyArray<Readonly<Happening>>
  /** Everything as plain data that a read does not change: equal before and after means that nothing happened. */
  snapshot(): object
}

export function createViews(state: State): StripeViews {
  const look = <T>(view: () => T): (() => T) => {
    return () => {
      runDue(state)
      return view()
    }
  }
  const payouts = (account?: string): Payout[] =>
    account === undefined
      ? [...state.books.values()].flatMap(book => listAll(book.payouts))
      : [...listAll(getBook(state, account).payouts)]
  const events = (account?: string): Happening[] =>
    account === undefined
      ? [...state.books.values()].flatMap(book => listAll(book.events)).toSorted((a, b) => a.seq - b.seq)
      : [...listAll(getBook(state, account).events)]
  return {
    calls: () => [...state.asked],
    notModelled: () => [...state.notModelled],
    invalid: () => [...state.problems],
    outflow: look(() => ({ payouts: sumPayouts(payouts()), transfers: sumTransfers(listAll(state.transfers)) })),
    balances: look(() => balancesOf(state)),
    outside: look(() => Object.fromEntries(state.outside)),
    payouts: account => look(() => payouts(account))(),
    transfers: look(() => [...listAll(state.transfers)]),
    events: account => look(() => events(account))(),
    snapshot: look(() => snapshotOf(state)),
  }
}

function balancesOf(state: State): Balances {
  const accounts = [...state.books].map(([account, { purses }]) => {
    const currencies = [...purses.keys()].map(currency => {
      const purse = purseOf(state, account, currency)
      return [currency, { available: purse.available, pending: pendingCents(purse) }] as const
    })
    return [account, Object.fromEntries(currencies)] as const
  })
  return Object.fromEntries(accounts)
}

function snapshotOf(state: State): object {
  const books = [...state.books.values()].map(book => ({
    account: book.account,
    entries: listAll(book.entries),
    charges: listAll(book.charges),
    payouts: listAll(book.payouts),
    events: listAll(book.events),
  }))
  const { disputes, intents, outside, refunds, transfers } = state
  return structuredClone({
    books,
    intents: listAll(intents),
    transfers: listAll(transfers),
    refunds: listAll(refunds),
    disputes: listAll(disputes),
    outside: Object.fromEntries(outside),
    keys: Object.fromEntries(state.keys),
  })
}

function sumPayouts(payouts: readonly Payout[]): Outflow['payouts'] {
  return sumBy(
    payouts.filter(({ returnEntryId }) => returnEntryId === null).map(each => ({ ...each, cents: each.amount })),
  )
}

function sumTransfers(transfers: readonly Transfer[]): Outflow['transfers'] {
  const asked = transfers.filter(({ origin }) => origin === 'api')
  return sumBy(
    asked.map(({ amount, amountReversed, currency, destination }) => ({
      account: destination,
      currency,
      cents: amount - amountReversed,
    })),
  )
}

function sumBy(
  parts: ReadonlyArray<{ readonly account: string; readonly currency: string; readonly cents: number }>,
): Record<string, Record<string, number>> {
  const sums: Record<string, Record<string, number>> = {}
  for (const { account, cents, currency } of parts) {
    const ofAccount = (sums[account] ??= {})
    ofAccount[currency] = (ofAccount[currency] ?? 0) + cents
  }
  return sums
}
