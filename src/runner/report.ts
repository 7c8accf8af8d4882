import type { Applied, Effect, FindingDraft, ItemFailure, Plan } from './define-job.ts'

/** The counts and sums of one run. `left` is due work that this run did not begin. */
export interface Report {
  readonly planned: number
  readonly applied: number
  readonly failed: number
  readonly left: number
  readonly waiting: number
  readonly findings: number
  /** Whatever the job counts, and applied effects by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** Cents of applied effects by currency; currencies are never added together. */
  readonly sums?: Readonly<Record<string, number>>
  /** The first failures, so that a reader needs no log. */
  readonly failures?: readonly ItemFailure[]
}

const failuresShown = 20

export type Tally = ReturnType<typeof createTally>

/** Adds up what the plan and the effects say; the runner alone writes to it. */
export function createTally(plan: Plan) {
  const counts = new Map(Object.entries(plan.counts ?? {}))
  const sums = new Map<string, number>()
  const findings: FindingDraft[] = [...(plan.findings ?? [])]
  const failures: ItemFailure[] = [...(plan.failures ?? [])]
  let applied = 0
  let forAPerson = 0
  let firstMessage = failures[0]?.message

  return {
    findings,
    failures,
    /** Items that came to nothing, whether they may succeed later or need a person. */
    unsuccessful: () => failures.length + forAPerson,
    /** What went wrong with the first of them. */
    firstMessage: () => firstMessage ?? '',
    /** Items that were tried, well or not. */
    tried: () => applied + failures.length + forAPerson,
    /** Effects that were tried; one that was refused before it began anything is left for the next run. */
    begun: () => applied + forAPerson + failures.length - (plan.failures?.length ?? 0),
    addApplied: (effect: Effect, result: Applied | void) => {
      applied += 1
      add(counts, effect.kind, 1)
      for (const [name, count] of Object.entries(result?.counts ?? {})) add(counts, name, count)
      const amountCents = result?.amountCents ?? effect.amountCents ?? 0
      if (amountCents !== 0 && effect.currency !== undefined) add(sums, effect.currency.toLowerCase(), amountCents)
      findings.push(...(result?.findings ?? []))
    },
    addFailure: (failure: ItemFailure) => {
      firstMessage ??= failure.message
      failures.push(failure)
    },
    addItemForAPerson: (finding: FindingDraft) => {
      firstMessage ??= finding.message
      forAPerson += 1
      findings.push(finding)
    },
    toReport: (notStarted: number): Report => ({
      planned: plan.effects.length,
      applied,
      failed: failures.length,
      left: (plan.left ?? 0) + notStarted,
      waiting: plan.waits?.length ?? 0,
      findings: findings.length,
      counts: Object.fromEntries(counts),
      ...(sums.size === 0 ? {} : { sums: Object.fromEntries(sums) }),
      ...(failures.length === 0 ? {} : { failures: failures.slice(0, failuresShown) }),
    }),
  }
}

function add(into: Map<string, number>, name: string, count: number): void {
  into.set(name, (into.get(name) ?? 0) + count)
}
