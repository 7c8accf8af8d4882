import { listAttributedTransfers } from '../database/attributed-transfers.ts'
import { listFailedRows } from '../database/failed-rows.ts'
import { findCutOver, listGivenUpRows, listOpenTransfers } from '../database/open-transfers.ts'
import { listTransferCandidates, type TransferCandidate } from '../database/payment-transfers.ts'
import { listSentCents } from '../database/payout-accounts.ts'
import { listRefundedRows } from '../database/refunded-rows.ts'
import { askDisputes } from '../facts/ask-disputes.ts'
import { askEach, type AskOptions, isHalfOver } from '../facts/ask-each.ts'
import { askForesights } from '../facts/ask-foresights.ts'
import { type AskedPayment, askPayments } from '../facts/ask-payments.ts'
import type { Asked } from '../money/asked.ts'
import type { AskedFailedRow } from '../money/failed-rows.ts'
import { standingTransferFindings } from '../money/standing-findings.ts'
import { listStandingItems } from '../money/standing-items.ts'
import { listResumable } from '../money/transfer-begun.ts'
import { isUnlabelled } from '../money/transfer-doubts.ts'
import type { TransferEffect, TransferFacts } from '../money/transfer-facts.ts'
import type { ReceivingAccount } from '../money/transfer-gates.ts'
import { listReceivingAccounts, mustAsk, planTransfers } from '../money/transfer-plan.ts'
import type { PaymentReads } from '../providers/payments.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

/** Questions to Stripe that are open at once; how many there are in a second is the provider's business. */
export const questionsAtOnce = 8
/** The old job gave a row up at its third failure. */
export const givenUpAfter = 3
const dayMs = 24 * 60 * 60_000
const givenUpShown = 1_000
/** FAILED rows that one run asks about; where there are more, others have their turn an hour later. */
export const failedRowsPerRun = 100
/** Each is told once, so that more have their turn in the next run. */
const refundedShown = 200
/** Less than the 15 minutes for which QStash waits (upstash.com/pricing/qstash). */
export const timeoutMs = 13 * 60_000

export const processExpertTransfers = defineJob({
  name: 'process-expert-transfers',
  summary: 'Gives experts the money of appointments whose waiting time is over: records the transfer, or makes it.',
  class: 'financial',
  priority: 'critical',
  cron: '0 */2 * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: true,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_EXPERT_TRANSFERS_HEARTBEAT',
  // What is due now is still due two hours later.
  everySlotCounts: false,
  standingFindings: [...standingTransferFindings, ...listStandingItems('process-expert-transfers')],
  parse: () => undefined,
  gather: gatherFacts,
  plan: planTransfers,
  apply: applyTransfer,
})

/** Our own rows first, then Stripe, about those that nothing of ours decides. */
async function gatherFacts(context: JobContext): Promise<TransferFacts> {
  const { clock, db, ledger, now, providers, signal } = context
  await ledger.checkAccount(context)
  const { limits } = ledger
  const cutOver = await findCutOver(db, limits.since)
  const { left, rows, unread } = await listTransferCandidates(db, { by: now })
  const begun = await listOpenTransfers(db)
  const givenUp = await listGivenUpRows(db, givenUpAfter, givenUpShown)
  const asked = rows.filter(row => mustAsk(row, { cutOver, limits }, now))
  const options = { concurrency: questionsAtOnce, isTimeUp: () => isHalfOver(now, timeoutMs, clock), signal, now }
  const foresee = async (id: string) => await ledger.foresee(id, context)
  const foresights = await askForesights(listResumable(begun, now), foresee, options)
  const answers = await askPayments(asked, providers.payments, options)
  const answered = pair(asked, answers)
  const attributed = await listAttributedTransfers(db, listUnlabelled(answers))
  const receiving = listReceivingAccounts(rows, { answers: answered, attributed, cutOver, limits }, now)
  const accounts = await askEach(receiving, async id => await readReceiving(id, providers.payments, signal), options)
  const disputes = await askDisputes({ db, payments: providers.payments }, { released: false, now }, options)
  const failed = await askFailedRows(context, options)
  const refunded = await listRefundedRows(db, refundedShown)
  return {
    rows,
    answers: answered,
    attributed,
    accounts: new Map(receiving.map((id, index) => [id, accounts[index] ?? { kind: 'left' }])),
    begun,
    foresights,
    givenUp,
    disputes,
    failed,
    refunded,
    limits,
    sentCents: await listSentCents(db, new Date(now.getTime() - dayMs)),
    cutOver,
    left,
    unread,
  }
}

/** What Stripe says of the payments of FAILED rows that may have gone through later. */
async function askFailedRows(
  { db, now, providers, signal }: JobContext,
  options: AskOptions,
): Promise<readonly AskedFailedRow[]> {
  const turn = now.toISOString().slice(0, 13)
  const rows = await listFailedRows(db, { triedLessThan: givenUpAfter, limit: failedRowsPerRun, turn })
  const answers = await askEach(
    rows,
    async row => await providers.payments.readPayment(row.paymentIntentId, signal),
    options,
  )
  return rows.map((row, index) => ({ row, answer: answers[index] ?? { kind: 'left' } }))
}

async function readReceiving(id: string, payments: PaymentReads, signal: AbortSignal): Promise<ReceivingAccount> {
  const [{ transfersActive }, { available }] = await Promise.all([
    payments.readAccount(id, signal),
    payments.readBalance(id, signal),
  ])
  return { transfersActive, available }
}

function pair(rows: readonly TransferCandidate[], answers: readonly Asked<AskedPayment>[]) {
  return new Map(rows.map((row, index) => [row.paymentTransferId, answers[index] ?? { kind: 'left' as const }]))
}

function listUnlabelled(answers: readonly Asked<AskedPayment>[]): string[] {
  return answers.flatMap(answer => {
    if (answer.kind !== 'known') return []
    return answer.value.transfers.filter(isUnlabelled).map(({ id }) => id)
  })
}

async function applyTransfer(effect: TransferEffect, context: JobContext): Promise<Applied> {
  const { ledger } = context
  if (effect.kind === 'resume-transfer' || effect.kind === 'release-operation') {
    return await ledger.resume(effect.subject, context)
  }
  const { amountCents, chargeId, currency, destination: account, expectedStatus, paymentTransferId } = effect
  const order = { paymentTransferId, expectedStatus, amountCents, currency, account, chargeId }
  switch (effect.kind) {
    case 'record-transfer':
      return await ledger.recordTransfer({ ...order, transferId: effect.transferId, isOld: effect.isOld }, context)
    case 'create-transfer':
      return await ledger.createTransfer(order, context)
    case 'hold-transfer':
      return await ledger.createTransfer({ ...order, hold: effect.hold, doubts: effect.doubts }, context)
  }
}
