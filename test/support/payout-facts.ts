import type { Asked } from '../../src/money/asked.ts'
import type {
  AccountAtStripe,
  ListedPayout,
  OpenPayout,
  PayoutAccount,
  PayoutFacts,
  PayoutOwners,
  PayoutRow,
  RowPayment,
} from '../../src/money/payout-facts.ts'
import { planPayouts, type PayoutPlan } from '../../src/money/payout-plan.ts'

/** Everything that `row` and `payment` describe is eligible by then. */
export const payoutDay = new Date('2026-03-20T06:00:00Z')

/** A booking of Tuesday 10 March, paid on the 1st, that nothing speaks against. */
export function payoutRow(paymentTransferId = 1, overrides: Partial<PayoutRow> = {}): PayoutRow {
  const account = overrides.account ?? 'acct_1'
  return {
    paymentTransferId,
    account,
    currentAccount: account,
    expert: `expert of ${account}`,
    transferId: `tr_${paymentTransferId}`,
    hasTwin: false,
    createdAt: new Date('2026-03-01T09:00:00Z'),
    operation: undefined,
    earlier: undefined,
    ...overrides,
    booking: {
      status: 'COMPLETED',
      requiresApproval: false,
      approvedBy: null,
      country: 'PT',
      appointmentEndsAt: new Date('2026-03-10T10:00:00Z'),
      amountCents: 8_500,
      currency: 'eur',
      ...overrides.booking,
    },
  }
}

type Charge = NonNullable<RowPayment['payment']['charge']>

/** The destination charge of a row: 15 % above its net amount, of which the fee was taken back. */
export function payoutPayment(row: PayoutRow, overrides: Partial<Charge> = {}): Asked<RowPayment> {
  const { account, booking, paymentTransferId } = row
  const id = `ch_${paymentTransferId}`
  const feeCents = Math.round(booking.amountCents * 0.15)
  const amountCents = booking.amountCents + feeCents
  const { currency } = booking
  const charge: Charge = {
    id,
    paidAt: new Date('2026-03-01T10:00:00Z'),
    amountCents,
    currency,
    refundedCents: 0,
    disputed: false,
    disputeLost: false,
    feeCents,
    transfer: {
      id: `tr_${paymentTransferId}`,
      destination: account,
      amountCents,
      currency,
      reversedCents: 0,
      chargeId: id,
      paymentTransferId: null,
    },
    ...overrides,
  }
  return { kind: 'known', value: { payment: { status: 'paid', charge }, transfers: [] } }
}

/** What Stripe says of an account that can be paid; it holds 1,000.00 EUR. */
export function atStripe(overrides: Partial<AccountAtStripe> = {}): Asked<AccountAtStripe> {
  return {
    kind: 'known',
    value: {
      payoutsEnabled: true,
      disabledReason: null,
      schedule: 'manual',
      bankCurrencies: ['eur', 'usd'],
      disabledBankCurrencies: [],
      available: { eur: 100_000 },
      pending: {},
      payouts: [],
      ...overrides,
    },
  }
}

/** An account of one user; its rows explain 10,000.00 EUR. */
export function payoutAccount(id = 'acct_1', overrides: Partial<PayoutAccount> = {}): PayoutAccount {
  return {
    id,
    users: 1,
    rowSums: [{ currency: 'eur', status: 'COMPLETED', cents: 1_000_000 }],
    failedPayouts: {},
    atStripe: atStripe(),
    ...overrides,
  }
}

/** A payout that somebody else made this month. */
export function listedPayout(id = 'po_1', overrides: Partial<ListedPayout> = {}): ListedPayout {
  return {
    id,
    amountCents: 8_500,
    currency: 'eur',
    status: 'paid',
    automatic: false,
    moneyIsBack: false,
    operationId: null,
    paymentTransferId: null,
    createdAt: new Date('2026-03-15T06:00:00Z'),
    ...overrides,
  }
}

/** A payout operation of acct_1 in euros. */
export function openPayout(id = 'op-1', overrides: Partial<OpenPayout> = {}): OpenPayout {
  return {
    id,
    state: 'unknown',
    account: 'acct_1',
    currency: 'eur',
    amountCents: 8_500,
    stripeId: null,
    vendorStatus: null,
    reason: null,
    wakeAt: null,
    firstSentAt: payoutDay,
    updatedAt: payoutDay,
    changedRows: [],
    approvedFor: [],
    rows: [],
    experts: [],
    ...overrides,
  }
}

type Given = Partial<Omit<PayoutFacts, 'accounts' | 'owners'>> & {
  readonly accounts?: readonly PayoutAccount[]
  readonly owners?: Partial<PayoutOwners>
}

/** Facts of rows whose payments and accounts are in order, unless given. The cut-over was on 1 January. */
export function payoutFacts(given: Given = {}): PayoutFacts {
  const rows = given.rows ?? [payoutRow()]
  const accounts = given.accounts ?? [...new Set(rows.map(({ account }) => account))].map(id => payoutAccount(id))
  return {
    payments: new Map(rows.map(row => [row.paymentTransferId, payoutPayment(row)])),
    operations: [],
    disputes: [],
    since: new Date('2026-01-01T00:00:00Z'),
    limits: { maxSingleCents: 1_000_000, maxTotalCents: 5_000_000 },
    sentCents: {},
    foresights: new Map(),
    left: 0,
    accountsLeft: 0,
    ...given,
    rows,
    accounts: new Map(accounts.map(account => [account.id, account])),
    owners: {
      recorded: new Set(),
      unsettled: new Map(),
      rows: new Map(),
      resolved: new Set(),
      told: new Set(),
      ...given.owners,
    },
  }
}

/** The plan in short lines: what is paid, what waits, what a person must see. */
export function tell({ effects, findings, waits }: PayoutPlan) {
  return {
    effects: effects.map(effect =>
      effect.kind === 'create-payout' || effect.kind === 'hold-payout'
        ? `${effect.kind} ${effect.destination} ${effect.amountCents} ${effect.currency}: ${effect.rows.map(row => row.paymentTransferId).join(',')}` +
          ('hold' in effect ? ` (${effect.hold})` : '')
        : `${effect.kind} ${effect.subject}`,
    ),
    waits: waits.map(({ reason, subject }) => `${subject} ${reason}`),
    findings: findings.map(({ kind, subject }) => `${kind} ${subject}`),
  }
}

/** The plan of that day, in short lines. */
export function told(given: Given = {}, now: Date = payoutDay) {
  return tell(planPayouts(payoutFacts(given), now))
}
