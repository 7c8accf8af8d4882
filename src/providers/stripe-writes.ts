import { setTimeout as sleep } from 'node:timers/promises'
import type { Stripe } from 'stripe'
import type { PaymentWrites, WriteAnswer } from './payments.ts'
import type { AskLimits, StripeClient } from './stripe-client.ts'
import { classifyWrite } from './stripe-failure.ts'
import { toPayout, toTransfer } from './stripe-objects.ts'

export interface WritesOptions {
  readonly client: StripeClient
  readonly timeoutMs: number
  /** The first of the waits between tries, in milliseconds. */
  readonly retryMs: number
}

const tries = 3
// What is under way when a run has to end gets a moment to come back: a known answer is worth more than a quick end.
const graceMs = 1_000
// The caller has looked at its lease and at Stripe right before; a turn that comes much later must not send any more.
const waitMs = 10_000

/**
 * The only two calls that move money. A request goes out as it was frozen, under its key; Stripe's word that it did
 * nothing (429, a key in use) is asked again a few times, everything else is for the ledger to judge.
 */
export function createWrites(options: WritesOptions): PaymentWrites {
  return {
    createTransfer: async (request, idempotencyKey, signal) => {
      const params = {
        amount: request.amountCents,
        currency: request.currency,
        destination: request.destination,
        source_transaction: request.chargeId,
        metadata: { operation_id: request.operationId, payment_transfer_id: String(request.paymentTransferId) },
      }
      const send: Send<Stripe.Transfer> = async stripe => await stripe.transfers.create(params, { idempotencyKey })
      return await write(options, signal, send, toTransfer)
    },
    createPayout: async (request, idempotencyKey, signal) => {
      const params = {
        amount: request.amountCents,
        currency: request.currency,
        metadata: { operation_id: request.operationId },
      }
      // The account decides whose money it is, and Stripe keeps keys per account.
      const settings = { idempotencyKey, stripeAccount: request.account }
      const send: Send<Stripe.Payout> = async stripe => await stripe.payouts.create(params, settings)
      return await write(options, signal, send, toPayout)
    },
  }
}

type Send<T> = (stripe: Stripe) => Promise<T>

async function write<T, R>(
  { client, retryMs, timeoutMs }: WritesOptions,
  signal: AbortSignal,
  send: Send<T>,
  toOurs: (object: T) => R,
): Promise<WriteAnswer<R>> {
  const limits: AskLimits = { signal, timeoutMs, graceMs, sendBefore: performance.now() + waitMs }
  for (let attempt = 1; ; attempt += 1) {
    const answer = await writeOnce(client, limits, send, toOurs)
    if (answer.kind !== 'notExecuted' || attempt === tries || signal.aborted) return answer
    const stopped = await sleep(retryMs * 2 ** (attempt - 1), false, { signal }).catch(() => true)
    if (stopped) return answer
  }
}

async function writeOnce<T, R>(
  client: StripeClient,
  limits: AskLimits,
  send: Send<T>,
  toOurs: (object: T) => R,
): Promise<WriteAnswer<R>> {
  const asked = await client.ask(send, limits)
  if (asked.kind === 'failed') return classifyWrite(asked.failure)
  const { object, replayed } = asked
  try {
    return { kind: 'done', object: toOurs(object), replayed }
  } catch {
    // It was done, and what was done cannot be read: only a look-up can tell.
    return { kind: 'unknown', code: 'unreadable_answer', replayed }
  }
}
