import type Stripe from 'stripe'
import type { Entry, Payout, Reversal, Transfer } from '../records.ts'
import { nowMs, type State } from '../state.ts'
import { seconds } from './seconds.ts'

export function renderTransfer(transfer: Transfer): Stripe.Transfer {
  return {
    id: transfer.id,
    object: 'transfer',
    amount: transfer.amount,
    amount_reversed: transfer.amountReversed,
    balance_transaction: transfer.entryId,
    created: seconds(transfer.createdMs),
    currency: transfer.currency,
    description: transfer.description,
    destination: transfer.destination,
    destination_payment: transfer.destinationPaymentId,
    livemode: false,
    metadata: { ...transfer.metadata },
    reversals: {
      object: 'list',
      data: transfer.reversals.toReversed().slice(0, 10).map(renderReversal),
      has_more: transfer.reversals.length > 10,
      url: `/v1/transfers/${transfer.id}/reversals`,
    },
    reversed: transfer.amountReversed === transfer.amount,
    source_transaction: transfer.sourceChargeId,
    source_type: 'card',
    transfer_group: transfer.group,
  }
}

export function renderReversal(reversal: Reversal): Stripe.TransferReversal {
  return {
    id: reversal.id,
    object: 'transfer_reversal',
    amount: reversal.amount,
    balance_transaction: reversal.entryId,
    created: seconds(reversal.createdMs),
    currency: reversal.currency,
    destination_payment_refund: null,
    metadata: { ...reversal.metadata },
    source_refund: reversal.refundId,
    transfer: reversal.transferId,
  }
}

export function renderPayout(payout: Payout): Stripe.Payout {
  const hasFailed = payout.status === 'failed'
  return {
    id: payout.id,
    object: 'payout',
    amount: payout.amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: seconds(payout.arrivalMs),
    automatic: payout.isAutomatic,
    balance_transaction: payout.entryId,
    created: seconds(payout.createdMs),
    currency: payout.currency,
    description: payout.description,
    destination: payout.bankId,
    failure_balance_transaction: payout.returnEntryId,
    failure_code: hasFailed ? payout.failureCode : null,
    failure_message: hasFailed ? `The bank refused this payout (${payout.failureCode}).` : null,
    livemode: false,
    metadata: { ...payout.metadata },
    method: 'standard',
    original_payout: null,
    payout_method: null,
    reconciliation_status: payout.isAutomatic ? 'completed' : 'not_applicable',
    reversed_by: null,
    source_type: 'card',
    statement_descriptor: payout.statementDescriptor,
    status: payout.status,
    trace_id: { status: 'pending', value: null },
    type: 'bank_account',
  }
}

export function renderEntry(state: State, entry: Entry): Stripe.BalanceTransaction {
  const { currency, fee } = entry
  const isApplicationFee = entry.account !== state.platform.id
  const detail = { amount: fee, application: null, currency, description: null }
  return {
    id: entry.id,
    object: 'balance_transaction',
    amount: entry.amount,
    available_on: seconds(entry.availableMs),
    balance_type: 'payments',
    created: seconds(entry.createdMs),
    currency,
    description: null,
    exchange_rate: entry.exchangeRate,
    fee,
    fee_details: fee === 0 ? [] : [{ ...detail, type: isApplicationFee ? 'application_fee' : 'stripe_fee' }],
    net: entry.net,
    reporting_category: entry.type === 'payment' ? 'charge' : entry.type,
    source: entry.source,
    status: entry.availableMs <= nowMs(state) ? 'available' : 'pending',
    type: entry.type,
  }
}
