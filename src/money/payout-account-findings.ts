import type { MoneyFinding } from './findings.ts'
import type { AccountAtStripe, OpenPayout, PayoutAccount, PayoutRow } from './payout-facts.ts'
import {
  findContradiction,
  isReturned,
  listUnexplainedBalances,
  type UnexplainedBalance,
  type UnexplainedPayout,
} from './payout-gates.ts'
import { hasComeBack } from './payout-results.ts'
import type { Lane, LanePayout } from './payout-lanes.ts'

/** What a person must look at in a lane: payouts that keep coming back. */
export function listLaneFindings({ account, name, rows }: Lane, payouts: readonly LanePayout[]): MoneyFinding[] {
  const failed = account.failedPayouts[rows[0]?.currency ?? ''] ?? 0
  return payouts.some(({ hold }) => hold === 'failed_repeatedly') ? [findingOfFailures(name, failed)] : []
}

/** What a person must look at in an account, with its candidate rows and the open operations of all accounts. */
export function listAccountFindings(
  account: PayoutAccount,
  rows: readonly PayoutRow[],
  operations: readonly OpenPayout[],
): MoneyFinding[] {
  const { atStripe, id, rowSums, users } = account
  const shared = users > 1 && rows.length > 0 ? [findingOfSharedAccount(account, rows)] : []
  if (atStripe.kind === 'refused') {
    const underway = operations.filter(operation => operation.account === id && isUnderway(operation))
    const matters = rows.length + underway.length > 0
    return [...shared, ...(matters ? [findingOfUnreachable(id, atStripe.code, rows, underway)] : [])]
  }
  if (atStripe.kind !== 'known') return shared
  const { schedule } = atStripe.value
  const balances = listUnexplainedBalances(account, returnedCentsOf(id, atStripe.value, operations))
  return [
    ...shared,
    ...(schedule === 'manual' ? [] : [findingOfSchedule(id, schedule)]),
    ...balances.map(balance => findingOfBalance(balance, rowSums)),
  ]
}

/** Its money has left, or may have, and whether it arrived is not known. */
function isUnderway({ state, vendorStatus }: OpenPayout): boolean {
  return state === 'paid' ? hasComeBack(vendorStatus ?? '') : ['created', 'sending', 'unknown'].includes(state)
}

/** Cents of payouts that came back while their rows still say PAID_OUT: this run settles them. */
function returnedCentsOf(
  id: string,
  { payouts }: AccountAtStripe,
  operations: readonly OpenPayout[],
): Record<string, number> {
  const returned = new Set(payouts.filter(isReturned).map(payout => payout.id))
  const cents: Record<string, number> = {}
  for (const { account, amountCents, currency, stripeId } of operations) {
    if (account !== id || stripeId === null || !returned.has(stripeId)) continue
    cents[currency] = (cents[currency] ?? 0) + amountCents
  }
  return cents
}

/** Rows on an account that more than one user has. */
function findingOfSharedAccount({ id, users }: PayoutAccount, rows: readonly PayoutRow[]): MoneyFinding {
  return {
    kind: 'account-shared',
    subject: id,
    message:
      'more than one user has this Connect account: find out whose it is and correct users.stripe_connect_account_id of ' +
      'the others; until then each payout from it has to be approved',
    details: { account: id, users, paymentTransferIds: idsOf(rows) },
  }
}

/** A payout that nobody can explain; it freezes its account. Where there are several, the cut-over is in doubt too. */
export function findingOfPayout({ account, payout, rows }: UnexplainedPayout, isOneOfSeveral: boolean): MoneyFinding {
  const { amountCents, automatic, createdAt, currency, id, paymentTransferId, status } = payout
  const contradictions = rows.flatMap(row => {
    const why = findContradiction(row, payout)
    return why === undefined ? [] : [[row.paymentTransferId, why] as const]
  })
  const cause = automatic
    ? "Stripe made it by the account's own schedule: set the schedule to manual"
    : paymentTransferId !== null
      ? 'its metadata name a row, so the old jobs still pay out: stop them'
      : contradictions.length > 0
        ? 'rows name it that it cannot have paid: correct their payout_id, and find out which bookings it paid'
        : rows.length > 0
          ? 'rows name it, and what they were paid is not its amount: find out which of them it paid'
          : 'somebody made it at Stripe or by the old jobs: find out who, and which bookings it paid'
  return {
    kind: 'payout-unexplained',
    subject: id,
    message:
      `a payout was made since the cut-over that is none of ours. ${cause}. Its account is frozen: write its id as ` +
      'payout_id into the rows that it paid and set them to PAID_OUT, then resolve this finding. Unless their amounts are ' +
      'the payout, each booking of the account that was paid before it is held until somebody approves it' +
      (isOneOfSeveral
        ? '. There are several such payouts: or MONEY_SINCE is earlier than the moment the old jobs stopped; then set it to that'
        : ''),
    details: {
      account,
      amountCents,
      currency,
      automatic,
      status,
      createdAt,
      metadataRow: paymentTransferId,
      paymentTransferIds: rows.map(row => row.paymentTransferId),
      ...(contradictions.length === 0 ? {} : { cannotBePaidByIt: Object.fromEntries(contradictions) }),
    },
  }
}

/** Money that no row explains. */
function findingOfBalance(
  { account, currency, ...cents }: UnexplainedBalance,
  rowSums: PayoutAccount['rowSums'],
): MoneyFinding {
  const others = rowSums.filter(sum => sum.currency === currency)
  return {
    kind: 'balance-unexplained',
    subject: `${account} ${currency}`,
    message:
      'the account holds more than its open rows explain: look for a pack sale (they have no rows), a refund that left the ' +
      "money with the expert, or a lost row among the account's balance transactions; it is never paid out by itself",
    details: {
      account,
      currency,
      ...cents,
      rowCentsByStatus: Object.fromEntries(others.map(sum => [sum.status, sum.cents])),
    },
  }
}

/** An account whose own schedule would empty it without us. */
function findingOfSchedule(account: string, schedule: string): MoneyFinding {
  return {
    kind: 'schedule-not-manual',
    subject: account,
    message:
      `the account pays itself out (${schedule}), before complaint windows have passed: set its payout schedule to manual ` +
      'at Stripe; nothing is paid from it by us until then',
    details: { account, schedule },
  }
}

/** An account that Stripe does not show us any more. */
function findingOfUnreachable(
  account: string,
  code: string,
  rows: readonly PayoutRow[],
  underway: readonly OpenPayout[],
): MoneyFinding {
  return {
    kind: 'account-unreachable',
    subject: account,
    message:
      'Stripe does not let us see this account any more: the expert has disconnected it, or it was closed. Ask the expert ' +
      "to connect it again; or pay by bank transfer, write that payment's reference into the rows' payout_id and set them " +
      'to PAID_OUT' +
      (underway.length === 0
        ? ''
        : '; nobody can learn what became of the payouts that were on their way: ask the expert whether they arrived'),
    details: { account, code, paymentTransferIds: idsOf(rows), operationIds: underway.map(operation => operation.id) },
  }
}

/** A lane whose payouts keep coming back. */
function findingOfFailures(lane: string, failed: number): MoneyFinding {
  return {
    kind: 'payouts-failed-repeatedly',
    subject: lane,
    message:
      'payouts of this account keep coming back: ask the expert to correct the bank account, then approve the held ' +
      'operation',
    details: { failedPayouts: failed },
  }
}

function idsOf(rows: readonly PayoutRow[]): number[] {
  return rows.map(({ paymentTransferId }) => paymentTransferId).toSorted((a, b) => a - b)
}
