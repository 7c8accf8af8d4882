import type { Bank, Metadata, Payout, PayoutStatus } from '../records.ts'
import { put } from '../shelf.ts'
import { getBook, nowMs, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { move } from './money.ts'
import { schedule } from './timers.ts'

export interface PayoutOrder {
  readonly account: string
  readonly amount: number
  readonly currency: string
  readonly bank: Bank
  readonly atMs: number
  readonly isAutomatic?: boolean
  readonly description?: string | null
  readonly statementDescriptor?: string | null
  readonly metadata?: Metadata
}

/** Takes the money off the balance and lets the clock carry it to the bank. Checks nothing. */
export function makePayout(state: State, order: PayoutOrder): Payout {
  const { account, amount, atMs, bank, currency } = order
  const { inTransitAfterMs, paidAfterMs } = state.settings.payoutTimes
  const stamped = stamp(state, 'po', atMs)
  const [entry] = move(state, {
    currency,
    atMs,
    legs: [{ account, type: 'payout', amount: -amount, source: stamped.id }],
    outside: { banks: amount },
  })
  const payout: Payout = {
    ...stamped,
    account,
    amount,
    currency,
    bankId: bank.id,
    isAutomatic: order.isAutomatic ?? false,
    arrivalMs: atMs + paidAfterMs,
    entryId: entry?.id ?? '',
    description: order.description ?? null,
    statementDescriptor: order.statementDescriptor ?? null,
    metadata: order.metadata ?? {},
    status: 'pending',
    failureCode: null,
    returnEntryId: null,
  }
  put(getBook(state, account).payouts, payout)
  announce(state, account, 'payout.created', { kind: 'payout', record: payout }, atMs)
  schedule(state, atMs + inTransitAfterMs, () => {
    if (payout.status === 'pending') setPayoutStatus(state, payout, 'in_transit', atMs + inTransitAfterMs)
  })
  schedule(state, payout.arrivalMs, () => {
    if (payout.status === 'in_transit') setPayoutStatus(state, payout, 'paid', payout.arrivalMs)
  })
  return payout
}

export interface PayoutFailure {
  /** `could_not_process` unless given. */
  readonly code?: string
  /** False: the money comes back later. */
  readonly isMoneyBack?: boolean
}

/** Takes a payout to where it is told, with its money where that moves. */
export function takePayout(state: State, payout: Payout, status: PayoutStatus, failure: PayoutFailure = {}): void {
  if (status === 'failed') failPayout(state, payout, failure)
  else if (status === 'canceled') cancelPayout(state, payout)
  else setPayoutStatus(state, payout, status)
}

/** Throws for an id that is none of ours. */
export function getPayout({ books }: State, id: string): Payout {
  for (const { payouts } of books.values()) {
    const payout = payouts.byId.get(id)
    if (payout !== undefined) return payout
  }
  throw new Error(`the Stripe stand-in has no payout ${id}`)
}

function setPayoutStatus(state: State, payout: Payout, status: PayoutStatus, atMs = nowMs(state)): void {
  payout.status = status
  const type = status === 'in_transit' || status === 'pending' ? 'updated' : status
  announce(state, payout.account, `payout.${type}`, { kind: 'payout', record: payout }, atMs)
}

/** The bank sends it back, also after it was paid: the bank account takes no more until it is replaced. */
function failPayout(
  state: State,
  payout: Payout,
  { code = 'could_not_process', isMoneyBack = true }: PayoutFailure,
): void {
  if (payout.status === 'failed' || payout.status === 'canceled') {
    throw new Error(`payout ${payout.id} is ${payout.status} and cannot fail`)
  }
  payout.failureCode = code
  if (isMoneyBack) returnMoney(state, payout, 'payout_failure')
  const { account } = getBook(state, payout.account)
  for (const bank of account.banks) if (bank.id === payout.bankId) bank.status = 'errored'
  setPayoutStatus(state, payout, 'failed')
}

/** Gives the money of a payout back to the balance, once. */
export function returnMoney(state: State, payout: Payout, type: 'payout_failure' | 'payout_cancel'): void {
  if (payout.returnEntryId !== null) throw new Error(`the money of payout ${payout.id} is back already`)
  const { account, amount, currency, id } = payout
  const [entry] = move(state, {
    currency,
    atMs: nowMs(state),
    legs: [{ account, type, amount, source: id }],
    outside: { banks: -amount },
  })
  payout.returnEntryId = entry?.id ?? null
}

export function cancelPayout(state: State, payout: Payout): void {
  returnMoney(state, payout, 'payout_cancel')
  setPayoutStatus(state, payout, 'canceled')
}
