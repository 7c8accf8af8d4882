import type { Transfer } from '../records.ts'
import { renderReversal } from '../render/moves.ts'
import { availableCents } from '../world/money.ts'
import { feeShare } from '../world/refunds.ts'
import { findPayment, makeReversal } from '../world/reversals.ts'
import { type Call, momentOf, type Route, route } from './call.ts'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import { missing, refused } from '../door/refusal.ts'

interface ReversalParams {
  readonly amount?: number
  readonly metadata?: Readonly<Record<string, string>>
  readonly refund_application_fee?: boolean
}

export const reversalRoutes: readonly Route[] = [
  route<ReversalParams>(
    'POST',
    '/v1/transfers/:id/reversals',
    { amount: 'positive', description: 'text', metadata: 'metadata', refund_application_fee: 'boolean' },
    createReversal,
  ),
  route<PageQuery>('GET', '/v1/transfers/:id/reversals', pageParams, listReversals),
]

/** Source: docs.stripe.com/api/transfer_reversals/create. */
function createReversal(call: Call<ReversalParams>): object {
  const { params, state } = call
  const transfer = transferOf(call)
  const left = transfer.amount - transfer.amountReversed
  const amount = params.amount ?? left
  if (amount > left || left === 0) {
    throw refused(
      undefined,
      `The reversal amount ${amount} is more than what is left of the transfer (${left}).`,
      'amount',
    )
  }
  const payment = findPayment(state, transfer)
  const feeBackCents = params.refund_application_fee === true && payment !== undefined ? feeShare(payment, amount) : 0
  const isPending = transfer.availableMs > momentOf(call)
  if (!isPending && availableCents(state, transfer.destination, transfer.currency) < amount - feeBackCents) {
    throw refused('balance_insufficient', 'The connected account has too little available balance for this reversal.')
  }
  const metadata = params.metadata ?? {}
  return renderReversal(makeReversal(state, { transfer, amount, feeBackCents, atMs: momentOf(call), metadata }))
}

function listReversals(call: Call<PageQuery>): object {
  const { params, path, state } = call
  return listPage(params, {
    url: path,
    sorted: transferOf(call).reversals,
    find: id => state.reversals.get(id),
    render: renderReversal,
  })
}

function transferOf({ book, ids, state }: Call<unknown>): Transfer {
  const transfer = state.transfers.byId.get(ids[0] ?? '')
  if (transfer === undefined || !book.account.isPlatform) throw missing('transfer', ids[0] ?? '')
  return transfer
}
