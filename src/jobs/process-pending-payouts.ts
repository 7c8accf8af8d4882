import { findCutOver } from '../database/open-transfers.ts'
import { closeExplained } from '../database/explained-payouts.ts'
import { findPayoutOwners, listPayoutAccounts, listSentCents } from '../database/payout-accounts.ts'
import {
  listOpenPayouts,
  listPayoutCandidates,
  type OpenPayoutOperation,
  type PayoutCandidate,
} from '../database/payout-candidates.ts'
import { askDisputes } from '../facts/ask-disputes.ts'
import { askEach, type AskOptions, isHalfOver } from '../facts/ask-each.ts'
import { askForesights } from '../facts/ask-foresights.ts'
import { askPayments } from '../facts/ask-payments.ts'
import type { Asked } from '../money/asked.ts'
import type { AccountAtStripe, KnownAccount, PayoutAccount, PayoutFacts, RowPayment } from '../money/payout-facts.ts'
import { listResumable } from '../money/payout-operations.ts'
import { type PayoutEffect, planPayouts } from '../money/payout-plan.ts'
import { listUndecided } from '../money/payout-rows.ts'
import { standingPayoutFindings } from '../money/standing-findings.ts'
import { listStandingItems } from '../money/standing-items.ts'
import type { PaymentReads } from '../providers/payments.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

/** Questions to Stripe that are open at once; how many there are in a second is the provider's business. */
export const questionsAtOnce = 8
/** Accounts with nothing due that one run looks at; the others have their turn on another day. */
export const idleAccountsPerRun = 500
/** A payout that arrived can still come back (docs.stripe.com/payouts). */
const mayComeBackDays = 10
const dayMs = 24 * 60 * 60_000
/** Less than the 15 minutes for which QStash waits (upstash.com/pricing/qstash). */
export const timeoutMs = 13 * 60_000

export const processPendingPayouts = defineJob({
  name: 'process-pending-payouts',
  summary:
    "Pays experts' money out to their banks, per account and currency, each payout tied to the bookings it pays.",
  class: 'financial',
  priority: 'critical',
  cron: '0 6 * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: true,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_PENDING_PAYOUTS_HEARTBEAT',
  // The next slot is a day away, and experts wait for their money.
  everySlotCounts: true,
  alertAfter: 1,
  standingFindings: [...standingPayoutFindings, ...listStandingItems('process-pending-payouts')],
  parse: () => undefined,
  gather: gatherFacts,
  plan: planPayouts,
  apply: applyPayout,
})

/**
 * Our own rows first, then Stripe: the accounts that money hangs on, the payments of rows that nothing else decides, what
 * became of disputes, and with what is left of the time the accounts where nothing is due.
 */
async function gatherFacts(context: JobContext): Promise<PayoutFacts> {
  const { clock, db, ledger, now, providers, signal } = context
  await ledger.checkAccount(context)
  // Without any cut-over every payment may be an old one, so that a person approves each.
  const since = (await findCutOver(db, ledger.limits.since)) ?? now
  const { left, rows, unread } = await listPayoutCandidates(db, { by: now })
  const open = await listOpenPayouts(db, new Date(now.getTime() - mayComeBackDays * dayMs))
  const wanted = listWantedAccounts(rows, open.operations)
  const day = now.toISOString().slice(0, 10)
  const known = await listPayoutAccounts(db, { wanted, othersLimit: idleAccountsPerRun, day })
  const sentCents = await listSentCents(db, new Date(now.getTime() - dayMs))

  const options = { concurrency: questionsAtOnce, isTimeUp: () => isHalfOver(now, timeoutMs, clock), signal, now }
  const foresee = async (id: string) => await ledger.foresee(id, context)
  const foresights = await askForesights(listResumable(open.operations, now), foresee, options)
  const ask = createAccountQuestion(rows, open.operations, since, providers.payments, options)
  const due = await ask(known.accounts.slice(0, wanted.length))
  const asked = listUndecided(rows, { accounts: due, since }, now)
  const answers = await askPayments(asked, providers.payments, options)
  const disputes = await askDisputes({ db, payments: providers.payments }, { released: true, now }, options)
  const idle = await ask(known.accounts.slice(wanted.length))
  const accounts = new Map([...due, ...idle])
  const owners = await findPayoutOwners(db, [...accounts.values()].flatMap(listPayoutsOf))
  return {
    rows,
    disputes,
    payments: new Map(asked.map((row, index) => [row.paymentTransferId, toRowPayment(answers[index])])),
    accounts,
    operations: open.operations,
    foresights,
    owners,
    since,
    limits: ledger.limits,
    sentCents,
    left: left + open.left,
    unread,
    accountsLeft: known.left,
  }
}

/** Accounts of rows that may be paid, of their experts today, and of payouts that are not through; the oldest row's first. */
function listWantedAccounts(rows: readonly PayoutCandidate[], operations: readonly OpenPayoutOperation[]): string[] {
  const ofRows = rows.flatMap(({ account, currentAccount }) => [account, currentAccount])
  const all = [...ofRows, ...operations.map(({ account }) => account)]
  return [...new Set(all.filter(account => account !== null && account !== ''))] as string[]
}

/** Asks about accounts: what they are, what they hold, and their payouts as far back as our rows and operations go. */
function createAccountQuestion(
  rows: readonly PayoutCandidate[],
  operations: readonly OpenPayoutOperation[],
  since: Date,
  payments: PaymentReads,
  options: AskOptions,
) {
  const { signal } = options
  const moments = Map.groupBy(
    [
      ...rows.map(({ account, createdAt }) => ({ account, at: createdAt })),
      ...rows.map(({ createdAt, currentAccount }) => ({ account: currentAccount, at: createdAt })),
      ...operations.map(({ account, createdAt }) => ({ account, at: createdAt })),
    ],
    ({ account }) => account,
  )
  // A day of doubt between the clocks: Stripe lists by its own.
  const oldestOf = (id: string): number =>
    (moments.get(id) ?? []).reduce((oldest, { at }) => Math.min(oldest, at.getTime() - dayMs), since.getTime())
  const askOne = async ({ id }: KnownAccount): Promise<AccountAtStripe> => {
    const [account, balance, payouts] = await Promise.all([
      payments.readAccount(id, signal),
      payments.readBalance(id, signal),
      payments.listPayouts({ account: id, from: new Date(oldestOf(id)) }, signal),
    ])
    return { ...account, ...balance, payouts }
  }
  return async (accounts: readonly KnownAccount[]): Promise<ReadonlyMap<string, PayoutAccount>> => {
    const asked = await askEach(accounts, askOne, options)
    return new Map(
      accounts.map((account, index) => [account.id, { ...account, atStripe: asked[index] ?? { kind: 'left' } }]),
    )
  }
}

function listPayoutsOf({ atStripe }: PayoutAccount) {
  return atStripe.kind === 'known' ? atStripe.value.payouts : []
}

function toRowPayment(asked: Asked<RowPayment> | undefined): Asked<RowPayment> {
  return asked ?? { kind: 'left' }
}

async function applyPayout(effect: PayoutEffect, context: JobContext): Promise<Applied> {
  const { ledger } = context
  switch (effect.kind) {
    case 'close-finding':
      return { counts: { findings_closed: await closeExplained(context.db, effect, context.clock()) } }
    case 'settle-payout':
      return await ledger.settlePayout(effect.subject, context)
    case 'resume-operation':
    case 'release-operation':
      return await ledger.resume(effect.subject, context)
    case 'create-payout':
      return await ledger.createPayout(toOrder(effect), context)
    case 'hold-payout':
      return await ledger.createPayout({ ...toOrder(effect), hold: effect.hold }, context)
  }
}

function toOrder(effect: PayoutEffect & { readonly kind: 'create-payout' | 'hold-payout' }) {
  const { amountCents, currency, destination, replaces, rows } = effect
  return {
    account: destination,
    currency,
    amountCents,
    rows: rows.map(row => ({ paymentTransferId: row.paymentTransferId, amountCents: row.amountCents })),
    ...(replaces === undefined ? {} : { replaces }),
  }
}
