import { findCutOver, listGivenUpRows, listOpenTransfers } from '../database/open-transfers.ts'
import { listTransferCandidates, type TransferCandidate } from '../database/payment-transfers.ts'
import type { TransferAnswer, TransferEffect, TransferFacts } from '../money/transfer-facts.ts'
import { mustAsk, planTransfers } from '../money/transfer-plan.ts'
import type { Payment, PaymentReads, Transfer } from '../providers/payments.ts'
import { type Asked, askEach, type AskOptions, isHalfOver } from '../runner/ask-each.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

/** Questions to Stripe that are open at once; how many there are in a second is the provider's business. */
export const questionsAtOnce = 8
/** The old job gave a row up at its third failure (reference/domain.md section 3.5). */
export const givenUpAfter = 3
const givenUpShown = 1_000
const dayMs = 24 * 60 * 60_000
/** Less than the 15 minutes for which QStash waits (reference/qstash.md section 1.6). */
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
  heartbeat: 'BETTERSTACK_EXPERT_TRANSFERS_HEARTBEAT',
  // What is due now is still due two hours later.
  everySlotCounts: false,
  parse: () => undefined,
  gather: gatherFacts,
  plan: planTransfers,
  apply: applyTransfer,
})

async function gatherFacts(context: JobContext): Promise<TransferFacts> {
  const { db, ledger, now } = context
  await ledger.checkAccount(context)
  const { limits } = ledger
  const cutOver = await findCutOver(db, limits.since)
  const { left, rows } = await listTransferCandidates(db)
  const begun = await listOpenTransfers(db)
  const givenUp = await listGivenUpRows(db, givenUpAfter, givenUpShown)
  const answers = await askAboutPayments(
    rows.filter(row => mustAsk(row, { cutOver, limits }, now)),
    context,
  )
  return { rows, answers, begun, givenUp, limits, cutOver, left }
}

/** What Stripe says about each row's payment, and the transfers to its account where the charge has none of its own. */
async function askAboutPayments(
  rows: readonly TransferCandidate[],
  { clock, now, providers: { payments }, signal }: JobContext,
): Promise<ReadonlyMap<number, TransferAnswer>> {
  const options = { concurrency: questionsAtOnce, isTimeUp: () => isHalfOver(now, timeoutMs, clock), signal }
  const asked = await askEach(rows, async row => await payments.readPayment(row.paymentIntentId, signal), options)
  const lists = await listTransfersTo(findAccounts(rows, asked), payments, options)
  return new Map(
    rows.map((row, index) => [row.paymentTransferId, join(asked[index] ?? { kind: 'left' }, lists.get(row.account))]),
  )
}

/** The accounts of charges without a transfer of their own, each with the day before its oldest row was made. */
function findAccounts(rows: readonly TransferCandidate[], asked: readonly Asked<Payment>[]): ReadonlyMap<string, Date> {
  const accounts = new Map<string, Date>()
  for (const [index, { account, createdAt }] of rows.entries()) {
    if (!lacksTransfer(asked[index])) continue
    const from = new Date(createdAt.getTime() - dayMs)
    const known = accounts.get(account)
    if (known === undefined || from < known) accounts.set(account, from)
  }
  return accounts
}

async function listTransfersTo(
  accounts: ReadonlyMap<string, Date>,
  payments: PaymentReads,
  options: AskOptions,
): Promise<ReadonlyMap<string, Asked<readonly Transfer[]>>> {
  const asked = await askEach(
    [...accounts],
    async ([destination, from]) => await payments.listTransfers({ destination, from }, options.signal),
    options,
  )
  return new Map([...accounts.keys()].map((account, index) => [account, asked[index] ?? { kind: 'left' }]))
}

function join(asked: Asked<Payment>, listed: Asked<readonly Transfer[]> | undefined): TransferAnswer {
  if (asked.kind === 'refused') return { ...asked, what: 'payment' }
  if (asked.kind !== 'known') return asked
  if (!lacksTransfer(asked)) return { kind: 'known', value: { payment: asked.value, transfers: [] } }
  if (listed === undefined) return { kind: 'left' }
  if (listed.kind === 'refused') return { ...listed, what: 'account' }
  return listed.kind === 'known' ? { kind: 'known', value: { payment: asked.value, transfers: listed.value } } : listed
}

function lacksTransfer(asked: Asked<Payment> | undefined): boolean {
  return asked?.kind === 'known' && asked.value.charge !== undefined && asked.value.charge.transfer === undefined
}

async function applyTransfer(effect: TransferEffect, context: JobContext): Promise<Applied> {
  const { ledger } = context
  if (effect.kind === 'resume-transfer') return await ledger.resume(effect.subject, context)
  const { amountCents, chargeId, currency, destination: account, expectedStatus, paymentTransferId } = effect
  const order = { paymentTransferId, expectedStatus, amountCents, currency, account, chargeId }
  switch (effect.kind) {
    case 'record-transfer':
      return await ledger.recordTransfer({ ...order, transferId: effect.transferId }, context)
    case 'create-transfer':
      return await ledger.createTransfer(order, context)
    case 'hold-transfer':
      return await ledger.createTransfer({ ...order, hold: effect.hold }, context)
  }
}
