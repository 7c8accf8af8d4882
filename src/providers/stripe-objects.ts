import type { Stripe } from 'stripe'
import { PermanentError } from '../errors.ts'
import type { Balance, Charge, ConnectAccount, Payment, Payout, Transfer } from './payments.ts'

/**
 * The payment, with its charge if it is paid. Throws PermanentError `charge_missing` for one that counts as paid and has
 * no charge that succeeded, and a plain Error when the answer lacks what was asked for.
 */
export function toPayment(intent: Stripe.PaymentIntent): Payment {
  const status = paymentStatusOf(intent.status)
  if (status !== 'paid') return { paymentIntentId: intent.id, status, charge: undefined }
  const charge = expanded(intent.latest_charge, `the charge of ${intent.id}`)
  if (charge?.status !== 'succeeded') {
    throw new PermanentError(`${intent.id} is paid and has no charge that succeeded`, { code: 'charge_missing' })
  }
  return { paymentIntentId: intent.id, status, charge: toCharge(charge, intent.id) }
}

function paymentStatusOf(status: string): Payment['status'] {
  if (status === 'succeeded') return 'paid'
  // A voucher that was paid in time is `processing` until the bank confirms it, for up to four days.
  if (status === 'processing') return 'settling'
  return status === 'canceled' ? 'canceled' : 'unpaid'
}

function toCharge(charge: Stripe.Charge, intentId: string): Charge {
  const settlement = expanded(charge.balance_transaction, `the balance transaction of ${charge.id}`)
  const transfer = expanded(charge.transfer, `the transfer of ${charge.id}`)
  return {
    id: charge.id,
    paidAt: toDate(Math.max(charge.created, settlement?.created ?? 0)),
    amountCents: charge.amount,
    currency: charge.currency.toLowerCase(),
    settlementCurrency: settlement?.currency.toLowerCase(),
    refundedCents: charge.amount_refunded,
    disputed: charge.disputed,
    disputeLost: false,
    feeCents: charge.application_fee_amount,
    transfer: transfer === undefined ? undefined : toTransfer(transfer),
    isGrouped: charge.transfer_group !== null,
    // What Stripe makes of a charge without one, once it is transferred (docs.stripe.com/connect/separate-charges-and-transfers).
    transferGroup: charge.transfer_group ?? `group_${intentId}`,
  }
}

/** The payment with what became of its disputes: the charge's own flag stays, whoever wins. */
export function withDisputes(payment: Payment, disputes: readonly Pick<Stripe.Dispute, 'status'>[]): Payment {
  const { charge } = payment
  if (charge === undefined) return payment
  const isOver = ({ status }: Pick<Stripe.Dispute, 'status'>): boolean =>
    status === 'won' || status === 'warning_closed'
  // A flag without any dispute is believed: Stripe may list it in a moment.
  const disputed = disputes.length === 0 || !disputes.every(isOver)
  return { ...payment, charge: { ...charge, disputed, disputeLost: disputes.some(({ status }) => status === 'lost') } }
}

/** A transfer to a Connect account. Throws for one that has no destination. */
export function toTransfer(transfer: Stripe.Transfer): Transfer {
  const destination = idOf(transfer.destination)
  if (destination === null) throw new Error(`${transfer.id} has no destination`)
  return {
    id: transfer.id,
    destination,
    amountCents: toCents(transfer.amount, transfer.id),
    currency: transfer.currency.toLowerCase(),
    reversedCents: transfer.amount_reversed,
    chargeId: idOf(transfer.source_transaction),
    group: transfer.transfer_group,
    ...toOwners(transfer.metadata),
    createdAt: toDate(transfer.created),
  }
}

export function toPayout(payout: Stripe.Payout): Payout {
  return {
    id: payout.id,
    amountCents: toCents(payout.amount, payout.id),
    currency: payout.currency.toLowerCase(),
    status: payout.status,
    automatic: payout.automatic,
    arrivesAt: payout.arrival_date > 0 ? toDate(payout.arrival_date) : null,
    failureCode: payout.failure_code,
    moneyIsBack: (payout.failure_balance_transaction ?? null) !== null,
    ...toOwners(payout.metadata),
    createdAt: toDate(payout.created),
  }
}

export function toConnectAccount(account: Stripe.Account): ConnectAccount {
  return {
    id: account.id,
    payoutsEnabled: account.payouts_enabled,
    transfersActive: account.capabilities?.transfers === 'active',
    disabledReason: account.requirements?.disabled_reason ?? null,
    // Daily is what Stripe does where nothing else was agreed.
    schedule: account.settings?.payouts?.schedule.interval ?? 'daily',
    ...toBankCurrencies(account),
  }
}

function toBankCurrencies(account: Stripe.Account): Pick<ConnectAccount, 'bankCurrencies' | 'disabledBankCurrencies'> {
  if (account.external_accounts === undefined) {
    // Shown for accounts that we control only; for others, payouts being enabled says that the main currency has a bank.
    const currencies = account.payouts_enabled ? [account.default_currency] : []
    return { bankCurrencies: currencies.filter(currency => typeof currency === 'string'), disabledBankCurrencies: [] }
  }
  const banks = account.external_accounts.data
    .filter(external => external.object === 'bank_account')
    // Payouts go to the default bank of their currency, whatever others there are.
    .filter(bank => bank.default_for_currency !== false)
  const isDisabled = ({ status }: { status: string }): boolean => status === 'errored' || status.endsWith('_failed')
  const currenciesOf = (list: typeof banks): string[] => [...new Set(list.map(bank => bank.currency.toLowerCase()))]
  return {
    bankCurrencies: currenciesOf(banks.filter(bank => !isDisabled(bank))),
    disabledBankCurrencies: currenciesOf(banks.filter(isDisabled)),
  }
}

export function toBalance(balance: Stripe.Balance): Balance {
  return { available: addUp(balance.available), pending: addUp(balance.pending) }
}

function addUp(funds: readonly { readonly amount: number; readonly currency: string }[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { amount, currency } of funds) {
    const key = currency.toLowerCase()
    sums[key] = (sums[key] ?? 0) + amount
  }
  return sums
}

/** Whose it is, by our metadata; the old jobs wrote the row's id in another spelling. */
function toOwners(metadata: Stripe.Metadata | null) {
  const operationId = metadata?.['operation_id'] ?? ''
  const row = metadata?.['payment_transfer_id'] ?? metadata?.['paymentTransferId'] ?? ''
  return {
    operationId: operationId === '' ? null : operationId,
    paymentTransferId: /^\d{1,15}$/.test(row) ? Number(row) : null,
  }
}

/** What was asked to be expanded; undefined when there is none. */
function expanded<T extends object>(value: string | T | null | undefined, what: string): T | undefined {
  if (typeof value === 'string') throw new Error(`stripe answered without ${what}, which was asked for`)
  return value ?? undefined
}

function idOf(value: string | { readonly id: string } | null): string | null {
  return typeof value === 'string' || value === null ? value : value.id
}

function toCents(amount: unknown, what: string): number {
  if (!Number.isSafeInteger(amount)) throw new Error(`${what} has no amount`)
  return amount as number
}

function toDate(seconds: number): Date {
  if (!Number.isFinite(seconds)) throw new Error('stripe answered without a time')
  return new Date(seconds * 1000)
}
