import type Stripe from 'stripe'
import type { Account, Bank } from '../records.ts'
import { pendingCents, purseOf } from '../world/money.ts'
import { getBook, type State } from '../state.ts'
import { seconds } from './seconds.ts'

export function renderAccount(account: Account): Stripe.Account {
  const { banks, id } = account
  return {
    id,
    object: 'account',
    business_profile: null,
    business_type: 'individual',
    capabilities: account.isPlatform
      ? { card_payments: 'active', multibanco_payments: 'active' }
      : { card_payments: account.transfers, transfers: account.transfers },
    charges_enabled: account.transfers === 'active',
    country: account.country,
    created: seconds(account.createdMs),
    default_currency: account.currency,
    details_submitted: true,
    email: account.email,
    external_accounts: {
      object: 'list',
      data: banks.map(bank => renderBank(bank, account)),
      has_more: false,
      url: `/v1/accounts/${id}/external_accounts`,
    },
    metadata: account.metadata,
    payouts_enabled: account.payoutsEnabled,
    requirements: {
      alternatives: [],
      current_deadline: null,
      currently_due: [...account.currentlyDue],
      disabled_reason: account.disabledReason as Stripe.Account.Requirements.DisabledReason | null,
      errors: [],
      eventually_due: [...account.currentlyDue],
      past_due: [...account.pastDue],
      pending_verification: [],
    },
    settings: renderSettings(account),
    type: account.isPlatform ? 'standard' : 'express',
  }
}

export function renderBank(bank: Bank, account: Pick<Account, 'id' | 'banks'>): Stripe.BankAccount {
  return {
    id: bank.id,
    object: 'bank_account',
    account: account.id,
    account_holder_name: null,
    account_holder_type: 'individual',
    account_type: null,
    available_payout_methods: ['standard'],
    bank_name: 'STRIPE TEST BANK',
    country: bank.country,
    currency: bank.currency,
    default_for_currency: account.banks.find(({ currency }) => currency === bank.currency)?.id === bank.id,
    fingerprint: null,
    last4: bank.last4,
    metadata: {},
    routing_number: null,
    status: bank.status,
  }
}

/** The balance of one account: an entry a currency, also where it is zero or negative. */
export function renderBalance(state: State, account: string): Stripe.Balance {
  const currencies = new Set([getBook(state, account).account.currency, ...getBook(state, account).purses.keys()])
  const purses = [...currencies].map(currency => ({ currency, purse: purseOf(state, account, currency) }))
  const show = (amount: number, currency: string) => ({ amount, currency, source_types: { card: amount } })
  return {
    object: 'balance',
    available: purses.map(({ currency, purse }) => show(purse.available, currency)),
    livemode: false,
    pending: purses.map(({ currency, purse }) => show(pendingCents(purse), currency)),
  }
}

function renderSettings({ schedule }: Account): Stripe.Account.Settings {
  const anchors =
    schedule === 'weekly'
      ? { weekly_anchor: 'monday' as const, weekly_payout_days: ['monday' as const] }
      : schedule === 'monthly'
        ? { monthly_anchor: 1, monthly_payout_days: [1] }
        : {}
  return {
    branding: { icon: null, logo: null, primary_color: null, secondary_color: null },
    card_payments: {
      statement_descriptor_prefix: null,
      statement_descriptor_prefix_kana: null,
      statement_descriptor_prefix_kanji: null,
    },
    dashboard: { display_name: null, timezone: 'Etc/UTC' },
    payments: {
      statement_descriptor: null,
      statement_descriptor_kana: null,
      statement_descriptor_kanji: null,
      statement_descriptor_prefix_kana: null,
      statement_descriptor_prefix_kanji: null,
    },
    payouts: {
      debit_negative_balances: false,
      schedule: { delay_days: 7, interval: schedule, ...anchors },
      statement_descriptor: null,
    },
  }
}
