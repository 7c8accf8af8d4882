import type { Charge, Transfer } from '../records.ts'
import { listAll, listOf } from '../shelf.ts'
import { renderTransfer } from '../render/moves.ts'
import { availableCents } from '../world/money.ts'
import { makeTransfer } from '../world/transfers.ts'
import { type Call, momentOf, type Route, route, show } from './call.ts'
import { NotModelled } from '../door/not-modelled.ts'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import { missing, refused } from '../door/refusal.ts'

interface TransferParams {
  readonly amount?: number
  readonly currency: string
  readonly destination: string
  readonly source_transaction?: string
  readonly transfer_group?: string
  readonly description?: string
  readonly metadata?: Readonly<Record<string, string>>
}

export const transferRoutes: readonly Route[] = [
  route<TransferParams>(
    'POST',
    '/v1/transfers',
    {
      amount: 'positive',
      currency: 'currency',
      destination: 'text',
      source_transaction: 'text',
      source_type: ['bank_account', 'card', 'fpx'],
      transfer_group: 'text',
      description: 'text',
      metadata: 'metadata',
    },
    createTransfer,
    ['currency', 'destination'],
  ),
  route<PageQuery & { destination?: string; transfer_group?: string }>(
    'GET',
    '/v1/transfers',
    { ...pageParams, created: 'range', destination: 'text', transfer_group: 'text' },
    listTransfers,
  ),
  route('GET', '/v1/transfers/:id', {}, show('transfer', 'transfer')),
]

/** Source: docs.stripe.com/api/transfers/create. */
function createTransfer(call: Call<TransferParams>): object {
  const { book, params, state } = call
  if (!book.account.isPlatform) throw new NotModelled('transfers out of a connected account')
  const { currency, destination } = params
  const account = state.books.get(destination)?.account
  if (account === undefined || account.isPlatform) throw missing('destination', destination, 'destination')
  if (account.isDeauthorized) throw missing('destination', destination, 'destination')
  if (account.transfers !== 'active') {
    throw refused(
      'insufficient_capabilities_for_transfer',
      'Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments',
    )
  }
  const charge = params.source_transaction === undefined ? undefined : sourceOf(call, params.source_transaction)
  const amount = params.amount ?? charge?.settled?.amount
  if (amount === undefined) throw refused('parameter_missing', 'Missing required param: amount.', 'amount')
  if (charge === undefined) checkBalance(call, amount)
  else checkSource(call, charge, amount)
  const transfer = makeTransfer(state, {
    amount,
    currency,
    destination,
    atMs: momentOf(call),
    origin: 'api',
    charge,
    group: params.transfer_group ?? null,
    description: params.description ?? null,
    metadata: params.metadata ?? {},
  })
  return renderTransfer(transfer)
}

function sourceOf({ book }: Call<TransferParams>, id: string): Charge {
  const charge = book.charges.byId.get(id)
  if (charge === undefined) throw missing('charge', id, 'source_transaction')
  if (charge.status === 'failed') throw refused(undefined, `The charge ${id} has failed.`, 'source_transaction')
  if (charge.status === 'pending') throw new NotModelled('transfers out of a charge that is still pending')
  return charge
}

/** A charge gives no more than it brought, in the currency in which it came. */
function checkSource({ params, state }: Call<TransferParams>, charge: Charge, amount: number): void {
  const { amount: most, currency } = charge.settled ?? { amount: 0, currency: '' }
  if (currency !== params.currency) {
    throw refused(
      undefined,
      `The currency of source_transaction's balance transaction (${currency}) must be the same as the transfer currency (${params.currency})`,
      'currency',
    )
  }
  const siblings = listOf(state.transfersByCharge, charge.id)
  const given = siblings.reduce((sum, transfer) => sum + transfer.amount - transfer.amountReversed, 0)
  if (given + amount > most) {
    throw refused(
      undefined,
      `Transfers using this transaction as a source must not exceed the source amount of ${most} ${currency}. ` +
        `(There is already a transfer using this source, amounting to ${given}.)`,
      'amount',
    )
  }
}

function checkBalance({ params, state }: Call<TransferParams>, amount: number): void {
  if (availableCents(state, state.platform.id, params.currency) >= amount) return
  throw refused(
    'balance_insufficient',
    'You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance.',
  )
}

function listTransfers({
  book,
  params,
  path,
  state,
}: Call<PageQuery & { destination?: string; transfer_group?: string }>): object {
  const { destination, transfer_group: group } = params
  const { byDestination, byGroup } = {
    byDestination: destination === undefined ? undefined : listOf(state.transfersByDestination, destination),
    byGroup: group === undefined ? undefined : listOf(state.transfersByGroup, group),
  }
  const sorted = book.account.isPlatform ? (byGroup ?? byDestination ?? listAll(state.transfers)) : []
  return listPage<Transfer>(params, {
    url: path,
    sorted,
    find: id => state.transfers.byId.get(id),
    keep: transfer =>
      (destination === undefined || transfer.destination === destination) &&
      (group === undefined || transfer.group === group),
    render: renderTransfer,
  })
}
