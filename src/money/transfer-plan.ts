/** The statement of a run: which transfers are recorded or made now, what waits for what, and what a person must see. */

import { type MoneyFailure, type MoneyFinding, subjectOf } from './findings.ts'
import { planDisputes } from './disputes.ts'
import { planFailedRows } from './failed-rows.ts'
import { explainHold } from './hold-reasons.ts'
import { findHold } from './limits.ts'
import { findRefunded } from './refunded-rows.ts'
import { planBegun } from './transfer-begun.ts'
import {
  decideTransfer,
  overdueAfterMs,
  type Release,
  type TransferDecision,
  type TransferRow,
} from './transfer-decisions.ts'
import type { Releasing, TransferEffect, TransferFacts, TransferWaiting } from './transfer-facts.ts'
import { passGate } from './transfer-gates.ts'
import { findGivenUp, findMaybeTransferred, findMissing, findOdd, findOverdue } from './transfer-findings.ts'
import { type TransferHold, transferWaitSentences } from './transfer-reasons.ts'

interface TransferPlan {
  readonly effects: TransferEffect[]
  readonly waits: TransferWaiting[]
  readonly findings: MoneyFinding[]
  readonly failures: MoneyFailure[]
  readonly counts: Record<string, number>
  /** Cents by currency that will have been sent before what is planned next. */
  readonly sentCents: Record<string, number>
  left: number
  readonly unread?: number
}

/** Whether Stripe has to be asked about a row's payment before anything can be decided. */
export function mustAsk(row: TransferRow, facts: Pick<TransferFacts, 'cutOver' | 'limits'>, now: Date): boolean {
  return decideTransfer(row, undefined, { ...facts, attributed: new Set(), now }).kind === 'ask'
}

type DecidingFacts = Pick<TransferFacts, 'answers' | 'attributed' | 'cutOver' | 'limits'>

/** The Connect accounts to which a transfer has to be made, which Stripe has to be asked about too. */
export function listReceivingAccounts(rows: readonly TransferRow[], facts: DecidingFacts, now: Date): string[] {
  const receiving = rows.filter(row => decideRow(row, facts, now).kind === 'create')
  return [...new Set(receiving.map(({ account }) => account))]
}

/** What to do at `now`. What was begun is finished first; then rows in their order. Pure. */
export function planTransfers(facts: TransferFacts, now: Date): Omit<TransferPlan, 'sentCents'> {
  const begun = planBegun(facts, now)
  const disputes = planDisputes(facts.disputes)
  const failed = planFailedRows(facts.failed)
  const plan: TransferPlan = {
    effects: [...begun.effects],
    waits: [],
    findings: [
      ...facts.givenUp.map(findGivenUp),
      ...disputes.findings,
      ...failed.findings,
      ...facts.refunded.map(findRefunded),
    ],
    failures: [...disputes.failures, ...failed.failures],
    counts: { candidates: facts.rows.length, asked: 0 },
    sentCents: { ...begun.sentCents },
    left: facts.left,
    ...(facts.unread === undefined ? {} : { unread: facts.unread }),
  }
  const resumed = new Set(plan.effects.map(({ subject }) => subject))
  for (const row of facts.rows) addRow(plan, row, facts, now)
  // What is being finished does not wait.
  const waits = plan.waits.filter(({ operationId }) => operationId === undefined || !resumed.has(operationId))
  const { sentCents: _, ...statement } = plan
  return { ...statement, waits }
}

function addSent({ sentCents }: TransferPlan, sent: { readonly amountCents: number; readonly currency: string }): void {
  const currency = sent.currency.toLowerCase()
  sentCents[currency] = (sentCents[currency] ?? 0) + sent.amountCents
}

function addRow(plan: TransferPlan, row: TransferRow, facts: TransferFacts, now: Date): void {
  const answer = facts.answers.get(row.paymentTransferId)
  const subject = subjectOf(row)
  if (answer?.kind === 'left') {
    plan.left += 1
    return
  }
  if (answer !== undefined) count(plan, 'asked')
  if (answer?.kind === 'failed') {
    plan.failures.push({ subject, code: answer.code, message: 'Stripe did not tell about the payment of this row' })
    return
  }
  if (answer?.kind === 'refused') {
    plan.findings.push(findMissing(row, answer.code))
    return
  }
  const decision = decideRow(row, facts, now)
  if (decision.kind === 'record') plan.effects.push(toEffect(row, decision))
  else if (decision.kind === 'create') addCreation(plan, row, decision, facts, now)
  // A row that should have been asked about and was not is work that is left.
  else if (decision.kind === 'ask') plan.left += 1
  else if (decision.kind === 'odd') plan.findings.push(findOdd(row, decision))
  else addWait(plan, row, decision)
}

/** Sends nothing to an account that cannot take it: such an operation would be given up and made again in every run. */
function addCreation(
  plan: TransferPlan,
  row: TransferRow,
  decision: TransferDecision & { kind: 'create' },
  facts: TransferFacts,
  now: Date,
): void {
  const answer = facts.accounts.get(row.account)
  if (answer === undefined || answer.kind === 'left') {
    plan.left += 1
    return
  }
  if (answer.kind === 'failed') {
    const message = "Stripe did not tell about this row's account"
    plan.failures.push({ subject: subjectOf(row), code: answer.code, message })
    return
  }
  const passed = passGate(row, decision, answer, now)
  if (passed.kind === 'wait') {
    addWait(plan, row, passed)
    return
  }
  const hold = decision.hold ?? findLimit(plan, row, facts)
  plan.effects.push(toEffect(row, { ...decision, hold }))
  if (hold === undefined) addSent(plan, row)
  if (decision.doubts.length > 0) plan.findings.push(findMaybeTransferred(row, decision.doubts))
  const { operation } = row
  if (operation?.state !== 'canceled' || now.getTime() - decision.since.getTime() <= overdueAfterMs) return
  const why = `its transfer was given up before it was sent (${operation.reason ?? 'no reason'}), and is tried again`
  plan.findings.push(findOverdue(row, why, decision.since))
}

/** By what is sent before it: the ledger asks once more. */
function findLimit({ sentCents }: TransferPlan, row: TransferRow, { limits }: TransferFacts): TransferHold | undefined {
  return findHold({ amountCents: row.amountCents, sentCents: sentCents[row.currency.toLowerCase()] ?? 0 }, limits)
}

function decideRow(
  row: TransferRow,
  { answers, attributed, cutOver, limits }: DecidingFacts,
  now: Date,
): TransferDecision {
  const answer = answers.get(row.paymentTransferId)
  return decideTransfer(row, answer?.kind === 'known' ? answer.value : undefined, { attributed, cutOver, limits, now })
}

function addWait(plan: TransferPlan, row: TransferRow, decision: TransferDecision & { kind: 'wait' }): void {
  const { overdueSince, reason, until } = decision
  const { account: destination, amountCents, currency, operation } = row
  const heldFor = reason === 'held' ? operation?.reason : undefined
  const why = [transferWaitSentences[reason], ...(heldFor == null ? [] : [explainHold(heldFor)])].join(': ')
  count(plan, `waits_${reason}`)
  plan.waits.push({
    subject: subjectOf(row),
    reason,
    ...(until === undefined ? {} : { until }),
    why,
    amountCents,
    currency,
    destination,
    ...(operation === undefined ? {} : { operationId: operation.id }),
  })
  if (overdueSince !== undefined) plan.findings.push(findOverdue(row, why, overdueSince))
}

function toEffect(row: TransferRow, decision: TransferDecision & { kind: 'record' | 'create' }): TransferEffect {
  const releasing = describeRelease(row, decision)
  if (decision.kind === 'record') {
    const why = 'it is due, and Stripe made its transfer when the client paid'
    return { kind: 'record-transfer', ...releasing, why, transferId: decision.transferId, isOld: decision.isOld }
  }
  if (decision.hold === undefined) {
    return { kind: 'create-transfer', ...releasing, why: 'it is due, and its charge has no transfer' }
  }
  const why = 'it is due, its charge has no transfer, and somebody has to approve it'
  return { kind: 'hold-transfer', ...releasing, why, hold: decision.hold, doubts: decision.doubts }
}

function describeRelease(row: TransferRow, { chargeId, paidAt, since }: Release): Omit<Releasing, 'why'> {
  return {
    subject: subjectOf(row),
    amountCents: row.amountCents,
    currency: row.currency.toLowerCase(),
    destination: row.account,
    experts: [row.expert],
    paidAt,
    appointmentEndedAt: row.appointmentEndsAt,
    eligibleSince: since,
    paymentTransferId: row.paymentTransferId,
    expectedStatus: row.status,
    chargeId,
  }
}

function count(plan: TransferPlan, name: string): void {
  plan.counts[name] = (plan.counts[name] ?? 0) + 1
}
