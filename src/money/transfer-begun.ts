/** What is to be done about transfers that were begun and are not through. */

import { type Resumption, tellForesight } from './foresights.ts'
import type { BegunTransfer, ReleaseTransfer, ResumeTransfer, TransferFacts } from './transfer-facts.ts'

type BegunFacts = Pick<TransferFacts, 'begun' | 'foresights' | 'limits' | 'sentCents'>

export interface BegunPlan {
  readonly effects: readonly (ResumeTransfer | ReleaseTransfer)[]
  /** Cents by currency that will have been sent within 24 hours once all of it is done. */
  readonly sentCents: Readonly<Record<string, number>>
}

/** The operations that are to be finished at `now`: what will come of each has to be read. */
export function listResumable(begun: readonly BegunTransfer[], now: Date): readonly BegunTransfer[] {
  return begun.filter(each => isAwake(each, now) && !isPointless(each) && each.state !== 'held')
}

/** Finishes what was begun, gives up what is pointless, and says of each what will come of it. */
export function planBegun({ begun, foresights, limits, sentCents }: BegunFacts, now: Date): BegunPlan {
  const sent = { ...sentCents }
  const effects = begun
    .filter(each => isAwake(each, now))
    .map(each => {
      if (isPointless(each)) return toRelease(each)
      const { amountCents, currency, id, state } = each
      const resumption = tellForesight(foresights.get(id), each, sent[currency] ?? 0, limits)
      const isUnsent = state === 'planned' || state === 'blocked'
      if (isUnsent && resumption.isNew) sent[currency] = (sent[currency] ?? 0) + amountCents
      return toResume(each, resumption)
    })
  return { effects, sentCents: sent }
}

function isAwake({ state, wakeAt }: BegunTransfer, now: Date): boolean {
  return state !== 'blocked' || wakeAt === null || wakeAt <= now
}

/** It would be given up when it is taken up: nothing of it can have been sent, and its row has changed. */
function isPointless({ changedRows, firstSentAt, state }: BegunTransfer): boolean {
  if (changedRows.length === 0) return false
  return state === 'held' || state === 'blocked' || (state === 'planned' && firstSentAt === null)
}

function toRelease({ account, changedRows, currency, experts, id, state }: BegunTransfer): ReleaseTransfer {
  const stands = state === 'planned' ? 'approved, and not sent yet' : state
  const why = `${stands}, and payment_transfers ${changedRows.join(', ')} changed since: it will be given up`
  return { kind: 'release-operation', subject: id, currency, destination: account, experts, why }
}

function toResume(begun: BegunTransfer, { hold, holds, says }: Resumption): ResumeTransfer {
  const { account, amountCents, currency, experts, id, paymentTransferIds, state } = begun
  const stands =
    state === 'planned'
      ? 'approved, and not sent yet'
      : `it was begun and is ${state}: it is taken as far as it can go now`
  return {
    kind: 'resume-transfer',
    subject: id,
    amountCents,
    currency,
    destination: account,
    // A transfer is of one row.
    rows: paymentTransferIds.map(paymentTransferId => ({ paymentTransferId, amountCents })),
    experts,
    ...(hold === undefined ? {} : { hold }),
    ...(holds === undefined ? {} : { holds }),
    why: says === undefined ? stands : `${stands}, and ${says}`,
  }
}
