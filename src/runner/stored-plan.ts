import { describePlan } from './answers.ts'
import type { Effect, Plan, Wait } from './define-job.ts'

/** Most waits that are kept with a run. */
const waitsKept = 200
/** Most entries that are kept of a list in an effect. */
const entriesKept = 100

/** Waits of one reason, and of one currency where they are of money, that were not kept. */
export interface CutWaits {
  readonly reason: string
  readonly cut: number
  readonly currency?: string
  readonly amountCents?: number
}

/**
 * A plan as the ledger keeps it. Of more waits than 200 it has the soonest of each reason, and of the others how many they
 * are and what they add up to: thousands of rows may wait for the same, in every run, and a dry run of now tells of all.
 * Effects are all kept, because approvals are compared with them; of a long list in one (the ids of rows to delete, after an
 * outage thousands) its beginning, which no approval is compared with, and how many entries were cut.
 */
export function describeStored(plan: Plan): Record<string, unknown> {
  const described = { ...describePlan(plan), effects: plan.effects.map(cutLists) }
  const { waits = [] } = plan
  if (waits.length <= waitsKept) return described
  const groups = [...Map.groupBy(waits, ({ reason }) => reason).values()]
  const most = Math.max(1, Math.floor(waitsKept / groups.length))
  const sorted = groups.map(group => group.toSorted((a, b) => untilOf(a) - untilOf(b)))
  return {
    ...described,
    waits: sorted.flatMap(group => group.slice(0, most)),
    cutWaits: sorted.flatMap(group => addUp(group.slice(most))),
  }
}

function cutLists(effect: Effect): Effect {
  const cut = Object.entries(effect).flatMap(([name, value]: [string, unknown]) =>
    Array.isArray(value) && value.length > entriesKept
      ? [
          [name, value.slice(0, entriesKept)],
          [`${name}Cut`, value.length - entriesKept],
        ]
      : [],
  )
  return cut.length === 0 ? effect : { ...effect, ...Object.fromEntries(cut) }
}

function addUp(waits: readonly Wait[]): CutWaits[] {
  return [...Map.groupBy(waits, ({ currency }) => currency?.toLowerCase())].map(([currency, group]) => {
    const counted = { reason: group[0]?.reason ?? '', cut: group.length }
    if (currency === undefined) return counted
    return { ...counted, currency, amountCents: group.reduce((sum, { amountCents = 0 }) => sum + amountCents, 0) }
  })
}

/** What has no moment comes last. */
function untilOf({ until }: Wait): number {
  return until?.getTime() ?? Number.MAX_SAFE_INTEGER
}
