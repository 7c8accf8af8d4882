import type { MoneyFailure, MoneyFinding } from './findings.ts'
import { planDisputes } from './disputes.ts'
import type { Hold } from './hold-reasons.ts'
import { findHold } from './limits.ts'
import { groupByLane } from './payout-batches.ts'
import { findingOfPayout, listAccountFindings, listLaneFindings } from './payout-account-findings.ts'
import type { PayoutFacts } from './payout-facts.ts'
import { type ExplainedPayout, listNowExplained, listUnexplainedPayouts } from './payout-gates.ts'
import { listHoldAges, toWaiting, toWaitingInLane } from './payout-hold-age.ts'
import { type Lane, type LanePayout, type LaneRow, planLane } from './payout-lanes.ts'
import { listPayoutFailures } from './payout-failures.ts'
import { type OpenPayoutPlan, planOpenPayouts, type ResumeOperation, type SettlePayout } from './payout-operations.ts'
import { listOperationFindings } from './payout-operation-findings.ts'
import { findingOfHold, findingOfRow } from './payout-row-findings.ts'
import { judgePayoutRow, listPaidBy } from './payout-rows.ts'
import { type JudgedRow, type PayoutWait, toLaneWait, toRowWait } from './payout-waiting.ts'

interface Paying {
  readonly amountCents: number
  readonly currency: string
  /** The Connect account whose bank gets it. */
  readonly destination: string
  readonly rows: readonly {
    readonly paymentTransferId: number
    readonly amountCents: number
    readonly eligibleSince: Date
  }[]
  /** The operation that paid one of these rows before, and came back. */
  readonly replaces?: string
  /** Clerk ids of those whose money it is. */
  readonly experts: readonly string[]
  /** What the account holds, and what of it other operations may still take. */
  readonly availableCents: number
  readonly reservedCents: number
  readonly why: string
}

export interface CreatePayout extends Paying {
  readonly kind: 'create-payout'
  readonly subject: string
}

/** Written down and not sent: a person approves it first. */
export interface HoldPayout extends Paying {
  readonly kind: 'hold-payout'
  readonly subject: string
  readonly hold: Hold
}

/** Closes the finding of a payout that has no cause any more. Moves nothing. */
export interface CloseFinding {
  readonly kind: 'close-finding'
  /** The payout. */
  readonly subject: string
  readonly destination: string
  readonly why: string
}

export type PayoutEffect = CloseFinding | SettlePayout | ResumeOperation | CreatePayout | HoldPayout

export interface PayoutPlan {
  readonly effects: readonly PayoutEffect[]
  readonly waits: readonly PayoutWait[]
  readonly findings: readonly MoneyFinding[]
  readonly failures: readonly MoneyFailure[]
  readonly left: number
  readonly unread?: number
  readonly counts: Readonly<Record<string, number>>
}

/**
 * Whom to pay at `now`, and why the others wait: (1) operations that are not through come first, (2) each row is
 * judged, (3) what may be paid goes by account and currency, as far as its funds reach, (4) the circuit breaker holds
 * what is too much, (5) what a person must look at is told. Nothing is ever paid because it is there (CONTRIBUTING.md,
 * rule of money 6).
 */
export function planPayouts(facts: PayoutFacts, now: Date): PayoutPlan {
  const paidBy = listPaidBy(facts.accounts.values())
  const judged = facts.rows.map(row => ({ row, verdict: judgePayoutRow(row, { ...facts, paidBy }, now) }))
  const unexplained = listUnexplainedPayouts(facts)
  const frozen = new Set(unexplained.map(({ account }) => account))
  const open = planOpenPayouts(facts, now, frozen)
  const disputes = planDisputes(facts.disputes)
  const lanes = listLanes(judged, facts, frozen).map(lane => ({ lane, plan: planLane(lane) }))
  const payouts = lanes.flatMap(({ plan }) => plan.payouts)
  const laneWaits = lanes.flatMap(({ plan }) => plan.waits)
  const waiting = [...judged.map(({ row, verdict }) => toWaiting(row, verdict)), ...laneWaits.map(toWaitingInLane)]
  const rowsByAccount = Map.groupBy(facts.rows, ({ account }) => account)
  const left = judged.filter(({ verdict }) => verdict.kind === 'left' || verdict.kind === 'ask').length
  return {
    effects: [...listNowExplained(facts).map(toClose), ...open.effects, ...toEffects(payouts, facts, open.sendsCents)],
    waits: [...listRowWaits(judged, open, now), ...laneWaits.map(wait => toLaneWait(wait, now))],
    findings: [
      ...unexplained.map(each => findingOfPayout(each, unexplained.length > 1)),
      ...judged.flatMap(each => toRowFindings(each, facts)),
      ...listOperationFindings(facts, now),
      ...disputes.findings,
      ...lanes.flatMap(({ lane, plan }) => listLaneFindings(lane, plan.payouts)),
      ...listHoldAges(waiting, now),
      ...[...facts.accounts.values()].flatMap(account =>
        listAccountFindings(account, rowsByAccount.get(account.id) ?? [], facts.operations),
      ),
    ],
    failures: [...listPayoutFailures(facts), ...disputes.failures],
    left: facts.left + left + open.left,
    ...(facts.unread === undefined ? {} : { unread: facts.unread }),
    counts: countFacts(facts),
  }
}

/** What is approved, and whose turn it is, waits for no operator. */
function listRowWaits(judged: readonly JudgedRow[], { effects }: OpenPayoutPlan, now: Date): PayoutWait[] {
  const resumed = new Set(effects.filter(({ kind }) => kind === 'resume-operation').map(({ subject }) => subject))
  return judged
    .flatMap(each => toRowWait(each, now))
    .filter(({ operationId = '', reason }) => reason !== 'held' || !resumed.has(operationId))
}

function listLanes(judged: readonly JudgedRow[], facts: PayoutFacts, frozen: ReadonlySet<string>): Lane[] {
  const rows = judged.flatMap(({ row, verdict }): LaneRow[] => {
    if (verdict.kind !== 'payable') return []
    const { account, booking, paymentTransferId } = row
    const { amountCents, currency } = booking
    return [
      { paymentTransferId, account, currency, amountCents, eligibleSince: verdict.since, hold: verdict.hold, row },
    ]
  })
  const operations = Map.groupBy(facts.operations, ({ account, currency }) => `${account} ${currency}`)
  return [...groupByLane(rows)].flatMap(([name, laneRows]) => {
    const id = laneRows[0]?.account ?? ''
    const account = facts.accounts.get(id)
    if (account?.atStripe.kind !== 'known') return []
    const { atStripe } = account
    return [
      {
        name,
        rows: laneRows,
        account: { ...account, atStripe },
        isFrozen: frozen.has(id),
        operations: operations.get(name) ?? [],
      },
    ]
  })
}

/** In the order in which they are planned, each beside what those before it will have sent. */
function toEffects(
  payouts: readonly LanePayout[],
  facts: PayoutFacts,
  sendsCents: PayoutFacts['sentCents'],
): PayoutEffect[] {
  const sent = new Map(Object.entries(facts.sentCents))
  for (const [currency, cents] of Object.entries(sendsCents)) sent.set(currency, (sent.get(currency) ?? 0) + cents)
  const created: CreatePayout[] = []
  const held: HoldPayout[] = []
  for (const payout of payouts) {
    const currency = payout.rows[0]?.currency ?? ''
    const sentCents = sent.get(currency) ?? 0
    const hold = payout.hold ?? findHold({ amountCents: payout.amountCents, sentCents }, facts.limits)
    if (hold !== undefined) {
      held.push(toHold(payout, hold))
      continue
    }
    sent.set(currency, sentCents + payout.amountCents)
    created.push({ kind: 'create-payout', subject: laneOf(payout.rows), ...toPaying(payout) })
  }
  return [...created, ...held]
}

const explanations: Readonly<Record<ExplainedPayout['by'], string>> = {
  rows: 'rows that name this payout add up to it by now',
  operation: 'an operation of ours has this payout as its receipt by now',
  return: 'its money is back on the account, as if it had never been made',
}

function toClose({ account, by, payout }: ExplainedPayout): CloseFinding {
  return { kind: 'close-finding', subject: payout.id, destination: account, why: explanations[by] }
}

function toHold(payout: LanePayout, hold: HoldPayout['hold']): HoldPayout {
  const ids = payout.rows.map(({ paymentTransferId }) => paymentTransferId).join(',')
  return { kind: 'hold-payout', subject: `payment_transfers ${ids}`, ...toPaying(payout), hold }
}

function toPaying({ amountCents, funds, rows }: LanePayout): Paying {
  const replaces = rows.findLast(({ row }) => row.earlier?.state === 'failed')?.row.earlier?.id
  const [currency = '', destination = ''] = [rows[0]?.currency, rows[0]?.account]
  return {
    amountCents,
    currency,
    destination,
    rows: rows.map(row => ({
      paymentTransferId: row.paymentTransferId,
      amountCents: row.amountCents,
      eligibleSince: row.eligibleSince,
    })),
    ...(replaces === undefined ? {} : { replaces }),
    experts: [...new Set(rows.map(({ row }) => row.expert))].toSorted(),
    availableCents: funds.availableCents,
    reservedCents: funds.reservedCents,
    why: `${rows.length === 1 ? '1 booking is' : `${rows.length} bookings are`} due, and the account has the money for it`,
  }
}

function toRowFindings({ row, verdict }: JudgedRow, facts: PayoutFacts): MoneyFinding[] {
  if (verdict.kind === 'stopped') return [findingOfRow(row, verdict.problem)]
  // As long as it is held the doubt stands, although nobody asks Stripe again.
  const isHeld = verdict.kind === 'waits' && verdict.reason === 'held'
  const hold = isHeld ? verdict.operation?.reason : verdict.kind === 'payable' ? verdict.hold : undefined
  const finding = findingOfHold(row, hold, facts, verdict.kind === 'payable' ? verdict.paidAt : undefined)
  return finding === undefined ? [] : [finding]
}

function countFacts({ accounts, accountsLeft, operations, rows }: PayoutFacts): Record<string, number> {
  const asked = [...accounts.values()].map(({ atStripe }) => atStripe.kind)
  return {
    candidates: rows.length,
    accounts: asked.filter(kind => kind === 'known').length,
    accounts_unread: accountsLeft + asked.filter(kind => kind === 'left').length,
    open_operations: operations.length,
  }
}

function laneOf(rows: readonly LaneRow[]): string {
  return `${rows[0]?.account ?? ''} ${rows[0]?.currency ?? ''}`
}
