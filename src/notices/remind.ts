import type { Db } from '../database/connection.ts'
import { type HeldLease, requireLease } from '../database/leases.ts'
import { isHalfOver } from '../facts/ask-each.ts'
import { askLocales } from '../facts/ask-locales.ts'
import type { PaymentReads } from '../providers/payments.ts'
import { findReminders } from './find-reminders.ts'
import { listPaymentsToAsk, type ReminderEffect, type ReminderPlanFacts } from './reminder-plan.ts'
import type { ReminderRule } from './reminder-rules.ts'
import { recordReminders } from './reminders.ts'

const questionsAtOnce = 8

/** What a run has to give, of all that it has. */
interface Run {
  readonly clock: () => Date
  readonly db: Db
  readonly lease: HeldLease | undefined
  readonly now: Date
  readonly providers: { readonly payments: PaymentReads }
  readonly runId: string
  readonly signal: AbortSignal
}

/** Who may be due a reminder of this rule now, and the language of guests who are; asks for at most half of the run's time. */
export async function gatherReminders(rule: ReminderRule, timeoutMs: number, run: Run): Promise<ReminderPlanFacts> {
  const { clock, db, now, providers, signal } = run
  const found = await findReminders(db, rule, { now, signal })
  const locales = await askLocales(listPaymentsToAsk(found.due, rule, now), providers.payments, {
    concurrency: questionsAtOnce,
    isTimeUp: () => isHalfOver(now, timeoutMs, clock),
    signal,
  })
  return { ...found, locales }
}

/** Writes the notices that were decided on, in one transaction; for each effect what became of it, in their order. */
export async function remind(
  rule: ReminderRule,
  effects: readonly ReminderEffect[],
  { clock, db, lease: held, runId }: Run,
): Promise<readonly { readonly counts: Readonly<Record<string, number>> }[]> {
  const lease = requireLease(held)
  const decided = effects.map(effect => ({
    reminder: effect,
    reason: effect.kind === 'drop-reminder' ? effect.reason : undefined,
  }))
  const results = await recordReminders(db, decided, { rule, lease, runId, now: clock() })
  return results.map(result => ({ counts: { [result]: 1 } }))
}
