import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import type { ClaimedNotice } from '../database/outbox-claims.ts'
import type { Notifications } from '../providers/notifications.ts'
import type { PaymentReads } from '../providers/payments.ts'
import type { NoticeKind, Recheck } from './notice.ts'
import type { Render } from './render.ts'
import type { WorkflowWatch } from './vendor-workflows.ts'

/** Named moments of a delivery, for tests that kill a process exactly there. */
export type NoticeStep = 'claimed' | 'checked' | 'sending' | 'answered' | 'recorded'

/** How long things take, in ms. */
export interface SenderTimes {
  /** How long nobody else may touch what was claimed. More than `checkMs` and than `sendMs`. */
  readonly claimMs: number
  /** For all checks of a batch together. */
  readonly checkMs: number
  /** For one call of the vendor, its wait for a turn included. */
  readonly sendMs: number
  /** Between a try and the first look-up, and between two look-ups. */
  readonly lookUpAfterMs: number
}

export const usualTimes: SenderTimes = { claimMs: 90_000, checkMs: 20_000, sendMs: 40_000, lookUpAfterMs: 60_000 }

export interface SenderParts {
  readonly db: Db
  readonly notifications: Notifications
  readonly payments: PaymentReads
  readonly render: Render
  readonly rechecks: Readonly<Record<NoticeKind, Recheck>>
  readonly clock: () => Date
  /** This process, among all that share the database. */
  readonly owner: string
  readonly log: FastifyBaseLogger
  /** From 0 up to 1; spreads the waits between tries. */
  readonly random: () => number
  readonly times: SenderTimes
  /** Fires when the process can wait no longer: what is on its way is then unknown. */
  readonly stop: AbortSignal
  readonly onStep: (step: NoticeStep) => Promise<void> | void
  readonly watch: WorkflowWatch
}

/** What a pass came to, by the number of notices. */
export interface NoticeTally {
  sent: number
  dropped: number
  poison: number
  /** They may have been sent, and are looked up later. */
  unknown: number
  /** They were not sent, and wait for a later try. */
  later: number
}

/** A claim, as far as this process can tell by the monotonic clock: a process that was frozen finds out that it is late. */
export interface Hold {
  readonly claim: string
  /** Whether it lasts for so long. */
  lasts(ms: number): boolean
  /** It was extended, by a statement that was asked for at this `performance.now()`. */
  extend(askedAtMs: number): void
}

/** Begins to count right before the statement that claims, because the claim begins after it. */
export function createHold(claim: string, { claimMs }: SenderTimes): Hold {
  let endsAtMs = performance.now() + claimMs
  return {
    claim,
    lasts: ms => performance.now() + ms < endsAtMs,
    extend: askedAtMs => {
      endsAtMs = askedAtMs + claimMs
    },
  }
}

/** What claimed notices have in common. */
export interface Batch {
  readonly parts: SenderParts
  readonly hold: Hold
  readonly tally: NoticeTally
  /** The vendor was in trouble when it was last asked. */
  readonly isCautious: boolean
  /** The last code of what went wrong at the vendor. */
  troubleCode: string
}

/** How a visit to the vendor went: `trouble` ends the pass, because the next call would fare no better. */
export type Visit = 'fine' | 'trouble' | 'not asked'

/** Whether a notice has stopped being useful. */
export function isTooLate({ usefulUntil }: Pick<ClaimedNotice, 'usefulUntil'>, now: Date): boolean {
  return usefulUntil !== null && usefulUntil.getTime() < now.getTime()
}
