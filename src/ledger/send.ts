import { StopRunError } from '../errors.ts'
import { sendableForMs } from '../money/send-outcomes.ts'
import type { Payout, Transfer, WriteAnswer } from '../providers/payments.ts'
import { followAnswer } from './answers.ts'
import { thawPayout, thawTransfer } from './frozen-request.ts'
import type { Posting } from './ledger.ts'
import { comeBack, type LeasedRun, type LedgerParts, type Undertaking } from './parts.ts'

/**
 * Sends an operation that is committed as `sending`, exactly as it was frozen and under the key of its row, and follows
 * the answer. Throws StopRunError, and sends nothing, when the process was frozen past its lease.
 */
export async function sendOperation(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun): Promise<Posting> {
  const { operation } = undertaking
  const send = prepareCall(parts, undertaking, run)
  await parts.onStep?.('sending', operation.id)
  run.signal.throwIfAborted()
  requireFreshKey(undertaking, run)
  // The last thing before the socket: a process that slept past its lease must not send what its successor looks up.
  if (!run.lease.isHeld()) throw new StopRunError('lease_lost')
  const answer = await send()
  await parts.onStep?.('answered', operation.id)
  return await followAnswer(parts, undertaking, answer, run)
}

type Call = () => Promise<WriteAnswer<Transfer | Payout>>

/** The call with its request checked against the hash, so that nothing but the call is left to do after the last check. */
function prepareCall({ writes }: LedgerParts, { operation }: Undertaking, { signal }: LeasedRun): Call {
  const key = operation.idempotency_key
  if (operation.kind === 'transfer') {
    const request = thawTransfer(operation)
    return async () => await writes.createTransfer(request, key, signal)
  }
  const request = thawPayout(operation)
  return async () => await writes.createPayout(request, key, signal)
}

/** A key that Stripe may have forgotten would pay a second time. */
function requireFreshKey({ operation }: Undertaking, run: LeasedRun): void {
  const sentAt = operation.first_sent_at
  if (sentAt !== null && run.clock().getTime() - sentAt.getTime() < sendableForMs) return
  throw comeBack('key_too_old', `the key of operation ${operation.id} is too old to be sent: the next run looks it up`)
}
