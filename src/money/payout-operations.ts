import { type Resumption, tellForesight } from './foresights.ts'
import type { Hold } from './hold-reasons.ts'
import type { ListedPayout, OpenPayout, PayoutFacts } from './payout-facts.ts'
import { judgePayout } from './payout-results.ts'

/** Reads at Stripe what became of a payout, and writes it down. */
export interface SettlePayout {
  readonly kind: 'settle-payout'
  /** The operation. */
  readonly subject: string
  readonly currency: string
  readonly destination: string
  readonly experts: OpenPayout['experts']
  readonly why: string
}

/** Takes up an operation that is not through. */
export type ResumeOperation = FinishOperation | ReleaseOperation

/** Takes it as far as it can go. */
interface FinishOperation {
  readonly kind: 'resume-operation'
  /** The operation. */
  readonly subject: string
  readonly amountCents: number
  readonly currency: string
  readonly destination: string
  readonly rows: OpenPayout['rows']
  readonly experts: OpenPayout['experts']
  /** It is held, and not sent: nobody has approved that yet. */
  readonly hold?: Hold
  /** All that it will be held for, each with what it is about. */
  readonly holds?: readonly string[]
  readonly why: string
}

/** Gives it up: it was not sent, or refused, and its rows have changed. Moves nothing. */
interface ReleaseOperation {
  readonly kind: 'release-operation'
  /** The operation. */
  readonly subject: string
  readonly currency: string
  readonly destination: string
  readonly experts: OpenPayout['experts']
  readonly why: string
}

export interface OpenPayoutPlan {
  readonly effects: readonly (SettlePayout | ResumeOperation)[]
  /** Cents by currency that resuming will send for the first time. */
  readonly sendsCents: Readonly<Record<string, number>>
  /** Payouts whose state nobody had the time to read. */
  readonly left: number
}

type OpenFacts = Pick<PayoutFacts, 'accounts' | 'foresights' | 'limits' | 'operations' | 'sentCents'>

/** The operations that are to be finished at `now`: what will come of each has to be read. */
export function listResumable(operations: readonly OpenPayout[], now: Date): readonly OpenPayout[] {
  return inTurn(operations).filter(operation => isDue(operation, now) && !isPointless(operation, now))
}

/**
 * What to do first: settle payouts that Stripe tells something new about, finish what was begun, give up what is
 * pointless. Out of a `frozen` account nothing is sent, so only what may have been sent already is looked up there.
 */
export function planOpenPayouts(
  { accounts, foresights, limits, operations, sentCents }: OpenFacts,
  now: Date,
  frozen: ReadonlySet<string> = new Set(),
): OpenPayoutPlan {
  const settles: SettlePayout[] = []
  const resumes: FinishOperation[] = []
  const releases: ReleaseOperation[] = []
  const sendsCents: Record<string, number> = {}
  let left = 0
  for (const operation of inTurn(operations)) {
    if (operation.state === 'created' || operation.state === 'paid') {
      const asked = accounts.get(operation.account)?.atStripe ?? { kind: 'left' }
      if (asked.kind === 'left' && operation.state === 'created') left += 1
      const why = asked.kind === 'known' ? findNews(operation, asked.value.payouts) : undefined
      if (why !== undefined) settles.push(toSettle(operation, why))
    } else if (isPointless(operation, now)) {
      releases.push(toRelease(operation))
    } else if (isDue(operation, now) && !(frozen.has(operation.account) && isUnsent(operation))) {
      const { amountCents, currency, id } = operation
      const before = (sentCents[currency] ?? 0) + (sendsCents[currency] ?? 0)
      const resumption = tellForesight(foresights.get(id), operation, before, limits)
      resumes.push(toResume(operation, resumption))
      if (isUnsent(operation) && resumption.isNew) sendsCents[currency] = (sendsCents[currency] ?? 0) + amountCents
    }
  }
  return { effects: [...settles, ...resumes, ...releases], sendsCents, left }
}

/** What was approved while another one was on its way follows that, the oldest first. */
function inTurn(operations: readonly OpenPayout[]): readonly OpenPayout[] {
  return operations.toSorted((a, b) => Number(a.isQueued ?? false) - Number(b.isQueued ?? false))
}

/** What Stripe says about a payout that its operation does not; undefined when that is nothing. */
function findNews({ state, stripeId, vendorStatus }: OpenPayout, payouts: readonly ListedPayout[]): string | undefined {
  const payout = payouts.find(({ id }) => id === stripeId)
  // Not in the list, although it goes back as far as the operation: only asking for it by its id can tell.
  if (payout === undefined) return `${stripeId} is not among the account's payouts`
  const result = judgePayout(payout)
  // The state decides: the word may have been written down before the money was back, or with the receipt.
  const isSettled = result === 'unsettled' || result === state
  if (isSettled && payout.status === (vendorStatus ?? state)) return undefined
  return `${stripeId} was ${vendorStatus ?? state} and is ${payout.status}`
}

function isDue({ isQueued = false, state, wakeAt }: OpenPayout, now: Date): boolean {
  if (state === 'held') return isQueued
  if (state === 'blocked') return wakeAt === null || wakeAt <= now
  return state === 'planned' || state === 'sending' || state === 'unknown'
}

/** Nothing of it can be on its way. */
function isUnsent({ state }: OpenPayout): boolean {
  return state === 'planned' || state === 'blocked' || state === 'held'
}

/** It would be given up when it is taken up: nothing of it can have been sent, and its rows have changed. */
function isPointless(operation: OpenPayout, now: Date): boolean {
  const { changedRows, firstSentAt, state } = operation
  if (changedRows.length === 0) return false
  if (state === 'held') return true
  return isDue(operation, now) && (state === 'blocked' || (state === 'planned' && firstSentAt === null))
}

function toSettle({ account, currency, experts, id }: OpenPayout, why: string): SettlePayout {
  return { kind: 'settle-payout', subject: id, currency, destination: account, experts, why }
}

function toResume(operation: OpenPayout, { hold, holds, says }: Resumption): FinishOperation {
  const { account, amountCents, currency, experts, id, reason, rows, state } = operation
  const isApproved = state === 'planned' || state === 'held'
  const stands = isApproved ? 'approved, and not sent yet' : `${state}${reason === null ? '' : `: ${reason}`}`
  return {
    kind: 'resume-operation',
    subject: id,
    amountCents,
    currency,
    destination: account,
    rows,
    experts,
    ...(hold === undefined ? {} : { hold }),
    ...(holds === undefined ? {} : { holds }),
    why: says === undefined ? stands : `${stands}, and ${says}`,
  }
}

function toRelease({ account, changedRows, currency, experts, id, state }: OpenPayout): ReleaseOperation {
  const stands = state === 'planned' ? 'approved, and not sent yet' : state
  const why = `${stands}, and payment_transfers ${changedRows.join(', ')} changed since: it will be given up`
  return { kind: 'release-operation', subject: id, currency, destination: account, experts, why }
}
