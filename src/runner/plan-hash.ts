import { createHash } from 'node:crypto'
import { configure } from 'safe-stable-stringify'
import type { Effect } from './define-job.ts'

const toCanonicalJson = configure({ deterministic: true })

type HashedEffect = Pick<Effect, 'kind' | 'subject'> & {
  readonly amount?: number
  readonly currency?: string
  readonly destination?: string
}

/**
 * What a plan would do, as a number: SHA-256 (hex) over kind, subject, amount, currency and destination of its effects,
 * sorted, as canonical JSON. Two plans that would do the same have the same hash, whatever their order or wording.
 */
export function hashPlan(effects: readonly Effect[]): string {
  const lines = effects.map(effect => toCanonicalJson(hashedPart(effect)) ?? '').toSorted()
  return createHash('sha256')
    .update(`[${lines.join(',')}]`)
    .digest('hex')
}

export interface PlanDifference {
  /** In the new plan only. */
  readonly added: readonly HashedEffect[]
  /** In the approved plan only. */
  readonly removed: readonly HashedEffect[]
}

/** What has changed between the plan that was approved and the plan of now. */
export function diffPlans(approved: readonly Effect[], current: readonly Effect[]): PlanDifference {
  return { added: without(current, approved), removed: without(approved, current) }
}

function without(effects: readonly Effect[], others: readonly Effect[]): HashedEffect[] {
  const known = new Set(others.map(other => toCanonicalJson(hashedPart(other))))
  return effects.map(hashedPart).filter(effect => !known.has(toCanonicalJson(effect)))
}

function hashedPart({ amountCents, currency, destination, kind, subject }: Effect): HashedEffect {
  return {
    kind,
    subject,
    ...(amountCents === undefined ? {} : { amount: amountCents }),
    ...(currency === undefined ? {} : { currency }),
    ...(destination === undefined ? {} : { destination }),
  }
}
