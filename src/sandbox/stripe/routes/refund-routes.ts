import type { Charge, Refund, Transfer } from '../records.ts'
import { listAll, listOf } from '../shelf.ts'
import { renderRefund } from '../render/refunds.ts'
import { feeShare, makeRefund, settledShare } from '../world/refunds.ts'
import { type Call, momentOf, type Route, route, show } from './call.ts'
import { NotModelled } from '../door/not-modelled.ts'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import { invalid, missing, refused } from '../door/refusal.ts'

interface RefundParams {
  readonly charge?: string
  readonly payment_intent?: string
  readonly amount?: number
  readonly reason?: 'duplicate' | 'fraudulent' | 'requested_by_customer'
  readonly metadata?: Readonly<Record<string, string>>
  readonly refund_application_fee?: boolean
  readonly reverse_transfer?: boolean
}

interface RefundQuery extends PageQuery {
  readonly charge?: string
  readonly payment_intent?: string
}

export const refundRoutes: readonly Route[] = [
  route<RefundParams>(
    'POST',
    '/v1/refunds',
    {
      charge: 'text',
      payment_intent: 'text',
      amount: 'positive',
      reason: ['duplicate', 'fraudulent', 'requested_by_customer'],
      metadata: 'metadata',
      currency: 'not modelled',
      customer: 'not modelled',
      instructions_email: 'not modelled',
      origin: 'not modelled',
      refund_application_fee: 'boolean',
      reverse_transfer: 'boolean',
    },
    createRefund,
  ),
  route<RefundQuery>(
    'GET',
    '/v1/refunds',
    { ...pageParams, created: 'range', charge: 'text', payment_intent: 'text' },
    listRefunds,
  ),
  route('GET', '/v1/refunds/:id', {}, show('refund', 'refund')),
]

/** Source: docs.stripe.com/api/refunds/create. */
function createRefund(call: Call<RefundParams>): object {
  const { book, params, state } = call
  if (!book.account.isPlatform) throw new NotModelled('refunds by a connected account')
  const charge = chargeOf(call)
  const left = charge.amount - charge.amountRefunded
  if (left === 0) throw refused('charge_already_refunded', `Charge ${charge.id} has already been refunded.`)
  const amount = params.amount ?? left
  if (amount > left) {
    throw refused(
      undefined,
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      'amount',
    )
  }
  const transfer = params.reverse_transfer === true ? transferOf(call, charge, amount) : undefined
  const feeBackCents = params.refund_application_fee === true ? feeShare(charge, amount) : 0
  const { metadata = {}, reason = null } = params
  const atMs = momentOf(call)
  return renderRefund(makeRefund(state, { charge, amount, atMs, transfer, feeBackCents, reason, metadata }))
}

function chargeOf({ book, params, state }: Call<RefundParams>): Charge {
  const { charge: chargeId, payment_intent: intentId } = params
  if ((chargeId === undefined) === (intentId === undefined)) {
    throw invalid(
      'parameter_missing',
      'One of the following params should be provided for this request: payment_intent or charge.',
    )
  }
  const intent = intentId === undefined ? undefined : state.intents.byId.get(intentId)
  if (intentId !== undefined && intent === undefined) throw missing('payment_intent', intentId, 'payment_intent')
  const id = chargeId ?? intent?.chargeId ?? ''
  const charge = book.charges.byId.get(id)
  if (charge === undefined && chargeId !== undefined) throw missing('charge', id, 'charge')
  if (charge?.status !== 'succeeded') {
    throw refused(undefined, `This payment does not have a successful charge to refund.`, 'payment_intent')
  }
  return charge
}

function transferOf({ state }: Call<RefundParams>, charge: Charge, amount: number): Transfer {
  const transfer = charge.transferId === null ? undefined : state.transfers.byId.get(charge.transferId)
  if (transfer === undefined) {
    throw refused(undefined, 'The transfer of this charge cannot be reversed, because it has none.', 'reverse_transfer')
  }
  const left = transfer.amount - transfer.amountReversed
  if (settledShare(charge, amount) > left) {
    throw refused(undefined, `Only ${left} of the transfer ${transfer.id} are left to be reversed.`, 'reverse_transfer')
  }
  return transfer
}

function listRefunds({ book, params, path, state }: Call<RefundQuery>): object {
  const { charge, payment_intent: intent } = params
  const all = charge === undefined ? listAll(state.refunds) : listOf(state.refundsByCharge, charge)
  return listPage<Refund>(params, {
    url: path,
    sorted: book.account.isPlatform ? all : [],
    find: id => state.refunds.byId.get(id),
    keep: refund => intent === undefined || refund.intentId === intent,
    render: renderRefund,
  })
}
