import { requireLease } from '../database/leases.ts'
import {
  deleteBookedHolds,
  deleteDuplicateHolds,
  listDuplicateHolds,
  listExpiredVouchers,
  listShortHolds,
  listUnpaidMeetings,
  unpaidMeetingKinds,
} from '../database/expired-reservations.ts'
import { askBookings, failAll } from '../facts/ask-bookings.ts'
import { isHalfOver } from '../facts/ask-each.ts'
import { deleteCheckoutHolds, endLapsedHold } from '../notices/expired-holds.ts'
import { toInvalidZone } from '../notices/hold-findings.ts'
import {
  type DeleteHolds,
  type EndVoucherHold,
  type HoldFacts,
  listPaymentsOfHolds,
  planHolds,
} from '../notices/hold-plan.ts'
import { decideHold } from '../notices/hold-rules.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

const questionsAtOnce = 8
const timeoutMs = 5 * 60_000

export const cleanupExpiredReservations = defineJob({
  name: 'cleanup-expired-reservations',
  summary:
    'Frees slots whose hold is over, asks Stripe before it drops one with a voucher, and tells guests whose voucher lapsed.',
  class: 'revenue',
  priority: 'high',
  cron: '*/15 * * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_CLEANUP_RESERVATIONS_HEARTBEAT',
  standingFindings: [...unpaidMeetingKinds, 'hold-settles-too-long', 'voucher-paid-unnoticed', 'voucher-unknown'],
  parse: () => undefined,
  gather: gatherFacts,
  plan: planHolds,
  apply: cleanUp,
})

async function gatherFacts(context: JobContext): Promise<HoldFacts> {
  const { db, now } = context
  const short = await listShortHolds(db, now)
  const duplicates = await listDuplicateHolds(db, now)
  const vouchers = await listExpiredVouchers(db, now)
  const unpaidMeetings = await listUnpaidMeetings(db, now)
  const answers = await askStripe(listPaymentsOfHolds(vouchers, now), context)
  return { short, duplicates, vouchers, unpaidMeetings, answers }
}

/** Without Stripe each hold with a voucher fails and is kept; the others go all the same. */
async function askStripe(ids: readonly string[], context: JobContext): Promise<HoldFacts['answers']> {
  const { clock, ledger, now, providers, signal } = context
  if (ids.length === 0) return new Map()
  try {
    await ledger.checkAccount(context)
    const isTimeUp = (): boolean => isHalfOver(now, timeoutMs, clock)
    return await askBookings(ids, providers.payments, { concurrency: questionsAtOnce, isTimeUp, signal })
  } catch (thrown) {
    signal.throwIfAborted()
    return failAll(ids, thrown)
  }
}

async function cleanUp(effect: DeleteHolds | EndVoucherHold, context: JobContext): Promise<Applied> {
  if (effect.kind === 'end-voucher-hold') return await endHold(effect, context)
  const deleted = await deleteHolds(effect, context)
  return { counts: { deleted, changed: effect.ids.length - deleted } }
}

async function deleteHolds({ ids, kind }: DeleteHolds, { clock, db, job, runId }: JobContext): Promise<number> {
  const now = clock()
  switch (kind) {
    case 'delete-checkout-holds':
      return await deleteCheckoutHolds(db, ids, { job, runId, now })
    case 'delete-booked-holds':
      return await deleteBookedHolds(db, ids, now)
    case 'delete-duplicate-holds':
      return await deleteDuplicateHolds(db, ids, now)
  }
}

/** Asks once more, because nothing of a guest's words may be in a plan; what is true now counts. */
async function endHold(effect: EndVoucherHold, context: JobContext): Promise<Applied> {
  const { clock, db, job, providers, runId, signal } = context
  const lease = requireLease(context.lease)
  const booking = await providers.payments.readBooking(effect.paymentIntentId, signal)
  const now = clock()
  const decision = decideHold(effect, booking, now)
  if (decision.kind !== 'delete') return { counts: { changed: 1 } }
  const { finding, invalidZone, result } = await endLapsedHold(db, { ...effect, ...decision }, booking, {
    lease,
    job,
    runId,
    now,
  })
  return {
    counts: {
      ...(result === 'changed' ? { changed: 1 } : { deleted: 1, [decision.reason]: 1, [result]: 1 }),
      ...(invalidZone ? { invalid_zones: 1 } : {}),
    },
    findings: [
      ...(finding === undefined ? [] : [{ ...finding, isRecorded: true }]),
      ...(invalidZone ? [toInvalidZone(effect.paymentIntentId)] : []),
    ],
  }
}
