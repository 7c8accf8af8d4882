import type { Account, Bank, CapabilityStatus, Schedule } from '../records.ts'
import { createShelf } from '../shelf.ts'
import { getBook, nowMs, type State, stamp } from '../state.ts'
import { announce } from './events.ts'

export interface AccountSettings {
  readonly payoutsEnabled?: boolean
  /** Of the capability to receive transfers. */
  readonly transfers?: CapabilityStatus
  readonly schedule?: Schedule
  readonly disabledReason?: string | null
  readonly currentlyDue?: readonly string[]
  readonly pastDue?: readonly string[]
  readonly metadata?: Readonly<Record<string, string>>
  /** The expert has cut the connection to the platform: 403 from then on. */
  readonly isDeauthorized?: boolean
}

export interface NewAccount extends AccountSettings {
  /** Made up unless given. */
  readonly id?: string
  readonly country?: string
  /** Of its balance and its first bank account: `eur` unless given. */
  readonly currency?: string
  readonly email?: string
  /** Currencies of its bank accounts, in place of one in `currency`; none at all when empty. */
  readonly bankCurrencies?: readonly string[]
  readonly createdAt?: Date
}

/** Adds an account, whole and able to be paid unless told otherwise. Throws for an id that is taken. */
export function addAccount(state: State, wanted: NewAccount, isPlatform = false): Account {
  const { country = 'PT', createdAt, currency = 'eur', id } = wanted
  if (id !== undefined && state.books.has(id)) throw new Error(`the Stripe stand-in has the account ${id} already`)
  const stamped = stamp(state, 'acct', createdAt?.getTime() ?? nowMs(state))
  const account: Account = {
    ...stamped,
    id: id ?? stamped.id,
    isPlatform,
    country,
    currency,
    email: wanted.email ?? `${id ?? stamped.id}@experts.example`,
    payoutsEnabled: true,
    transfers: 'active',
    schedule: isPlatform ? 'daily' : 'manual',
    disabledReason: null,
    currentlyDue: [],
    pastDue: [],
    banks: (wanted.bankCurrencies ?? [currency]).map(each => createBank(state, country, each)),
    isDeauthorized: false,
    metadata: {},
    ...settingsOf(wanted),
  }
  state.books.set(account.id, {
    account,
    purses: new Map(),
    entries: createShelf(),
    entriesBySource: new Map(),
    charges: createShelf(),
    payouts: createShelf(),
    events: createShelf(),
  })
  return account
}

/** Changes an account as Stripe or its owner would. */
export function setAccount(state: State, id: string, settings: AccountSettings): void {
  const { account } = getBook(state, id)
  Object.assign(account, settingsOf(settings))
  const type = settings.isDeauthorized === true ? 'account.application.deauthorized' : 'account.updated'
  announce(state, id, type, { kind: 'account', record: account }, nowMs(state))
}

/** Puts a new bank account in the place of those in its currency, as an expert does after a payout failed. */
export function replaceBank(state: State, id: string, currency: string): string {
  const { account } = getBook(state, id)
  const bank = createBank(state, account.country, currency)
  account.banks = [...account.banks.filter(each => each.currency !== currency), bank]
  announce(
    state,
    id,
    'account.external_account.created',
    { kind: 'bank_account', record: bank, account: id },
    nowMs(state),
  )
  return bank.id
}

function createBank(state: State, country: string, currency: string): Bank {
  const { id, seq } = stamp(state, 'ba', 0)
  return { id, country, currency, last4: String(1_000 + (seq % 9_000)), status: 'new' }
}

/** Leaves out what is undefined: it must not overwrite. */
function settingsOf(wanted: AccountSettings): Partial<Account> {
  const { currentlyDue, disabledReason, isDeauthorized, metadata, pastDue, payoutsEnabled, schedule, transfers } =
    wanted
  const all = { currentlyDue, disabledReason, isDeauthorized, metadata, pastDue, payoutsEnabled, schedule, transfers }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
