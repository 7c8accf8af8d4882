import type { Thing } from '../records.ts'
import { type Book, getBook, type State } from '../state.ts'

/** What an id stands for, in the eyes of one account; undefined when it has none such. */
export function findThing(state: State, book: Book, id: string): Thing | undefined {
  const isPlatform = book.account.isPlatform
  switch (id.slice(0, id.indexOf('_'))) {
    case 'acct':
      return thing('account', state.books.get(id)?.account)
    case 'txn':
      return thing('balance_transaction', book.entries.byId.get(id))
    case 'ch':
    case 'py':
      return thing('charge', book.charges.byId.get(id))
    case 'po':
      return thing('payout', book.payouts.byId.get(id))
    case 'pi':
      return isPlatform ? thing('payment_intent', state.intents.byId.get(id)) : undefined
    case 're':
      return isPlatform ? thing('refund', state.refunds.byId.get(id)) : undefined
    case 'tr':
      return thing('transfer', state.transfers.byId.get(id))
    case 'trr':
      return thing('transfer_reversal', state.reversals.get(id))
    case 'du':
      return isPlatform ? thing('dispute', state.disputes.byId.get(id)) : undefined
    case 'ba':
      return findBank(book, id)
    default:
      return undefined
  }
}

/** The book in which an expanded id is looked up: a transfer's payment is at the account it went to. */
export function bookFor(state: State, book: Book, property: string, owner: Readonly<Record<string, unknown>>): Book {
  if (property === 'destination_payment') return getBook(state, String(owner.destination))
  return book
}

function thing<Kind extends Thing['kind']>(kind: Kind, record: (Thing & { kind: Kind })['record'] | undefined) {
  return record === undefined ? undefined : ({ kind, record } as unknown as Thing)
}

function findBank({ account }: Book, id: string): Thing | undefined {
  const record = account.banks.find(bank => bank.id === id)
  return record === undefined ? undefined : { kind: 'bank_account', record, account: account.id }
}
