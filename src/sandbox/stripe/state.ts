import { randomBytes } from 'node:crypto'
import type { Recorded } from './door/idempotency.ts'
import type { Injected } from './door/faults.ts'
import type { Spec } from './door/spec.ts'
import type {
  Account,
  Charge,
  Dispute,
  Endpoint,
  Entry,
  Happening,
  Intent,
  Payout,
  Refund,
  Reversal,
  Transfer,
} from './records.ts'
import { createShelf, type Index, type Shelf } from './shelf.ts'
import type { Purse } from './world/money.ts'

export interface StripeOptions {
  /** The real clock unless given. */
  readonly clock?: () => Date
  /** A free port unless given. */
  readonly port?: number
  readonly secretKey?: string
  /** Of the OpenAPI document against which every request and answer is checked; nothing is checked without it. */
  readonly specPath?: string | undefined
  /** How long a payment's money stays pending: two days unless given. */
  readonly settlementDelayMs?: number
  /** When a payout leaves, and when it arrives, after its creation: a day and two days unless given. */
  readonly payoutTimes?: { readonly inTransitAfterMs: number; readonly paidAfterMs: number }
  /** Below it a payout is refused with `amount_too_small`: 100 of every currency unless given. */
  readonly minimumPayoutCents?: Readonly<Record<string, number>>
  readonly platform?: { readonly id?: string; readonly country?: string }
}

/** One request of a caller, as it was answered. */
export interface Asked {
  readonly method: string
  /** With its ids, without the query. */
  readonly path: string
  readonly query: string
  /** The idempotency key, where one was sent. */
  readonly key: string | undefined
  /** The Stripe-Account header, where one was sent. */
  readonly account: string | undefined
  readonly at: Date
  /** 0 when there was no answer. */
  readonly status: number
  readonly code: string | undefined
  /** Whether this request made the endpoint run: not when refused before, replayed, or lost on the way. */
  readonly executed: boolean
  readonly replayed: boolean
}

/** What one account owns. */
export interface Book {
  readonly account: Account
  readonly purses: Map<string, Purse>
  readonly entries: Shelf<Entry>
  readonly entriesBySource: Index<Entry>
  readonly charges: Shelf<Charge>
  readonly payouts: Shelf<Payout>
  readonly events: Shelf<Happening>
}

export interface Timer {
  readonly atMs: number
  readonly run: () => void
}

export interface State {
  readonly clock: () => Date
  readonly secretKey: string
  readonly settings: Required<Pick<StripeOptions, 'settlementDelayMs' | 'payoutTimes' | 'minimumPayoutCents'>>
  readonly spec: Spec | undefined
  readonly books: Map<string, Book>
  readonly intents: Shelf<Intent>
  readonly chargesByIntent: Index<Charge>
  readonly transfers: Shelf<Transfer>
  readonly transfersByDestination: Index<Transfer>
  readonly transfersByGroup: Index<Transfer>
  readonly transfersByCharge: Index<Transfer>
  readonly reversals: Map<string, Reversal>
  readonly refunds: Shelf<Refund>
  readonly refundsByCharge: Index<Refund>
  readonly disputes: Shelf<Dispute>
  readonly endpoints: Shelf<Endpoint>
  /** Where money came from and went to outside of Stripe: cents by place and currency. All of them and all balances add up to zero. */
  readonly outside: Map<string, number>
  readonly keys: Map<string, Recorded>
  readonly timers: Timer[]
  readonly faults: Injected[]
  readonly asked: Asked[]
  readonly notModelled: string[]
  readonly problems: string[]
  readonly idPrefix: string
  platform: Account
  offsetMs: number
  seq: number
  /** The request that is being carried out: events name it. */
  current: { readonly requestId: string; readonly key: string | null } | undefined
}

const dayMs = 86_400_000

export function createState(options: StripeOptions, spec: Spec | undefined): Omit<State, 'platform'> {
  return {
    clock: options.clock ?? (() => new Date()),
    secretKey: options.secretKey ?? `sk_test_${randomBytes(18).toString('hex')}`,
    settings: {
      settlementDelayMs: options.settlementDelayMs ?? 2 * dayMs,
      payoutTimes: options.payoutTimes ?? { inTransitAfterMs: dayMs, paidAfterMs: 2 * dayMs },
      minimumPayoutCents: options.minimumPayoutCents ?? {},
    },
    spec,
    books: new Map(),
    intents: createShelf(),
    chargesByIntent: new Map(),
    transfers: createShelf(),
    transfersByDestination: new Map(),
    transfersByGroup: new Map(),
    transfersByCharge: new Map(),
    reversals: new Map(),
    refunds: createShelf(),
    refundsByCharge: new Map(),
    disputes: createShelf(),
    endpoints: createShelf(),
    outside: new Map(),
    keys: new Map(),
    timers: [],
    faults: [],
    asked: [],
    notModelled: [],
    problems: [],
    idPrefix: randomBytes(6).toString('hex'),
    offsetMs: 0,
    seq: 0,
    current: undefined,
  }
}

/** The time of the stand-in: its clock, and what was added to it. */
export function nowMs({ clock, offsetMs }: Pick<State, 'clock' | 'offsetMs'>): number {
  return clock().getTime() + offsetMs
}

/** What every new record begins with. */
export function stamp(state: Pick<State, 'seq' | 'idPrefix'>, kind: string, createdMs: number) {
  state.seq += 1
  return { id: `${kind}_1${state.idPrefix}${state.seq.toString(36).padStart(8, '0')}`, createdMs, seq: state.seq }
}

/** Throws for an account that is none of ours: a mistake of the test. */
export function getBook({ books }: Pick<State, 'books'>, account: string): Book {
  const book = books.get(account)
  if (book === undefined) throw new Error(`the Stripe stand-in has no account ${account}`)
  return book
}
