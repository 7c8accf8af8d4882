/** The statement of a run: which transfers are recorded or made now, what waits for what, and what a person must see. */

import { type MoneyFailure, type MoneyFinding, subjectOf } from './findings.ts'
import { planDisputes } from './disputes.ts'
import { planFailedRows } from './failed-rows.ts'
import { explainHold } from './hold-reasons.ts'
import { findRefunded } from './refunded-rows.ts'
import {
  decideTransfer,
  overdueAfterMs,
  type Release,
  type TransferDecision,
  type TransferRow,
} from './transfer-decisions.ts'
import type {
  BegunTransfer,
  ReleaseTransfer,
  Releasing,
  ResumeTransfer,
  TransferEffect,
  TransferFacts,
  TransferWaiting,
} from './transfer-facts.ts'
import { passGate } from './transfer-gates.ts'
import { findGivenUp, findMaybeTransferred, findMissing, findOdd, findOverdue } from './transfer-findings.ts'
import { transferWaitSentences } from './transfer-reasons.ts'

interface TransferPlan {
  readonly effects: TransferEffect[]
  readonly waits: TransferWaiting[]
  readonly findings: MoneyFinding[]
  readonly failures: MoneyFailure[]
  readonly counts: Record<string, number>
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
export function planTransfers(facts: TransferFacts, now: Date): TransferPlan {
  const disputes = planDisputes(facts.disputes)
  const failed = planFailedRows(facts.failed)
  const plan: TransferPlan = {
    effects: facts.begun.filter(begun => isAwake(begun, now)).map(toResume),
    waits: [],
    findings: [
      ...facts.givenUp.map(findGivenUp),
      ...disputes.findings,
      ...failed.findings,
      ...facts.refunded.map(findRefunded),
    ],
    failures: [...disputes.failures, ...failed.failures],
    counts: { candidates: facts.rows.length, asked: 0 },
    left: facts.left,
    ...(facts.unread === undefined ? {} : { unread: facts.unread }),
  }
  const resumed = new Set(plan.effects.map(({ subject }) => subject))
  for (const row of facts.rows) addRow(plan, row, facts, now)
  // What is being finished does not wait.
  const waits = plan.waits.filter(({ operationId }) => operationId === undefined || !resumed.has(operationId))
  return { ...plan, waits }
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
  plan.effects.push(toEffect(row, decision))
  if (decision.doubts.length > 0) plan.findings.push(findMaybeTransferred(row, decision.doubts))
  const { operation } = row
  if (operation?.state !== 'canceled' || now.getTime() - decision.since.getTime() <= overdueAfterMs) return
  const why = `its transfer was given up before it was sent (${operation.reason ?? 'no reason'}), and is tried again`
  plan.findings.push(findOverdue(row, why, decision.since))
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

function isAwake({ state, wakeAt }: BegunTransfer, now: Date): boolean {
  return state !== 'blocked' || wakeAt === null || wakeAt <= now
}

/** It would be given up when it is taken up: nothing of it can have been sent, and its row has changed. */
function isPointless({ changedRows, firstSentAt, state }: BegunTransfer): boolean {
  if (changedRows.length === 0) return false
  return state === 'held' || state === 'blocked' || (state === 'planned' && firstSentAt === null)
}

function toResume(begun: BegunTransfer): ResumeTransfer | ReleaseTransfer {
  const { account, amountCents, changedRows, currency, experts, id, paymentTransferIds, state } = begun
  if (isPointless(begun)) {
    const stands = state === 'planned' ? 'approved, and not sent yet' : state
    const why = `${stands}, and payment_transfers ${changedRows.join(', ')} changed since: it will be given up`
    return { kind: 'release-operation', subject: id, currency, destination: account, experts, why }
  }
  const why =
    state === 'planned'
      ? 'approved, and not sent yet'
      : `it was begun and is ${state}: it is taken as far as it can go now`
  // A transfer is of one row.
  const rows = paymentTransferIds.map(paymentTransferId => ({ paymentTransferId, amountCents }))
  return { kind: 'resume-transfer', subject: id, amountCents, currency, destination: account, rows, experts, why }
}

function count(plan: TransferPlan, name: string): void {
  plan.counts[name] = (plan.counts[name] ?? 0) + 1
}
