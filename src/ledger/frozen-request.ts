import { createHash } from 'node:crypto'
import { configure } from 'safe-stable-stringify'
import type { Operation } from '../database/money-operations.ts'
import { PermanentError } from '../errors.ts'
import type { PayoutRequest, TransferRequest } from '../providers/payments.ts'

const toCanonicalJson = configure({ deterministic: true })

export type MoneyRequest = TransferRequest | PayoutRequest

/** A request as it is stored: canonical JSON and its SHA-256 in hex, so that whoever sends it later sends exactly this. */
export function freezeRequest(request: MoneyRequest): { request: string; request_hash: string } {
  const request_ = toCanonicalJson(request) ?? ''
  return { request: request_, request_hash: hashOf(request_) }
}

/** The stored request of a transfer. Throws PermanentError `request_altered` when it is not what was frozen. */
export function thawTransfer(operation: Operation): TransferRequest {
  return thaw(operation) as TransferRequest
}

/** The stored request of a payout. Throws PermanentError `request_altered` when it is not what was frozen. */
export function thawPayout(operation: Operation): PayoutRequest {
  return thaw(operation) as PayoutRequest
}

function thaw({ account, amount, currency, id, kind, request, request_hash: hash }: Operation): unknown {
  const frozen = request as Partial<TransferRequest & PayoutRequest>
  const intact =
    hashOf(toCanonicalJson(request) ?? '') === hash &&
    frozen.operationId === id &&
    frozen.amountCents === Number(amount) &&
    frozen.currency === currency &&
    (kind === 'transfer' ? frozen.destination : frozen.account) === account
  if (intact) return request
  throw new PermanentError(
    'the stored request of this operation was altered after it was frozen, so it is not sent: compare request, ' +
      'request_hash, amount and account of jobs.money_operations with the audit entries of the operation',
    { code: 'request_altered' },
  )
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
