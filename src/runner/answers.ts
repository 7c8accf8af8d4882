import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import { findPlanByHash } from '../database/run-history.ts'
import type { Claim, Claimed, RecordedRun } from '../database/runs.ts'
import type { AttemptResult } from './attempt.ts'
import type { ClosedAttempt } from './close-attempt.ts'
import type { Effect, Plan } from './define-job.ts'
import type { Delivery } from './delivery.ts'
import { type Answer, type Outcome, retryAfter, type RunAnswer, toHttp } from './outcomes.ts'
import { diffPlans } from './plan-hash.ts'

type Unclaimed = Exclude<Claim, { verdict: 'claimed' | 'replayed' }>

/** The answer to a delivery that did not get to run, and one line in the log about it. */
export function answerClaim(delivery: Delivery, claim: Unclaimed, now: Date, log: FastifyBaseLogger): Answer {
  const answer = toAnswer(delivery, claim, now)
  const { attempt, job, outcome, runId } = answer.body
  log.info({ job, runId, attempt, outcome }, 'delivery answered')
  return answer
}

function toAnswer(delivery: Delivery, claim: Unclaimed, now: Date): Answer {
  const body = (outcome: Outcome): RunAnswer => ({ ...baseOf(delivery, claim, outcome), ...messageOf(claim.message) })
  switch (claim.verdict) {
    case 'busy': {
      const leftMs = (claim.busyUntil ?? now).getTime() - now.getTime()
      return { statusCode: 409, headers: retryAfter(leftMs / 1000), body: body('busy') }
    }
    case 'duplicate':
    case 'skipped':
    case 'paused':
      return { statusCode: 200, headers: {}, body: body(claim.verdict) }
    case 'recorded':
      return answerRecorded(body, claim.recorded)
  }
}

/** A message that has its final answer gets it again; one that succeeded is told that this was a duplicate. */
function answerRecorded(body: (outcome: Outcome) => RunAnswer, recorded: RecordedRun): Answer {
  const { errorCode, planHash, report, state } = recorded
  const known = { report, ...(planHash === null ? {} : { planHash }) }
  if (state === 'failed') {
    const planChanged = errorCode === 'plan_changed'
    const http = toHttp({ state, final: true, errorCode, message: null, planChanged })
    return { ...http, body: { ...body('failed'), ...known } }
  }
  const outcome = state === 'skipped' || state === 'paused' ? state : 'duplicate'
  return { statusCode: 200, headers: {}, body: { ...body(outcome), ...known } }
}

/** The answer to a delivery that ran. */
export async function answerEnding(
  delivery: Delivery,
  claim: Claimed,
  result: AttemptResult,
  closed: ClosedAttempt,
  db: Db,
): Promise<Answer> {
  const { ending } = closed
  const { plan, planHash, report } = result
  return {
    ...toHttp(ending),
    body: {
      ...baseOf(delivery, claim, ending.state),
      report: report === null ? null : { ...report },
      ...(planHash === undefined ? {} : { planHash }),
      ...(plan === undefined || !delivery.dryRun ? {} : { plan: describePlan(plan) }),
      ...(ending.planChanged === true && plan !== undefined
        ? { plan: { difference: await explainChange(db, delivery, plan) } }
        : {}),
      ...messageOf(ending.message),
    },
  }
}

/** A plan as people and the ledger see it: plain data, dates as ISO text. */
export function describePlan(plan: Plan): Record<string, unknown> {
  return {
    effects: plan.effects,
    waits: plan.waits ?? [],
    findings: plan.findings ?? [],
    failures: plan.failures ?? [],
    left: plan.left ?? 0,
    unread: plan.unread ?? 0,
  }
}

async function explainChange(db: Db, { job, planHash = '' }: Delivery, plan: Plan) {
  const approved = await findPlanByHash(db, job.name, planHash)
  if (approved === undefined) return null
  return diffPlans(approved['effects'] as readonly Effect[], plan.effects)
}

function baseOf(
  { dryRun, job }: Delivery,
  { attempt, runId, slot }: Pick<Claimed, 'attempt' | 'runId' | 'slot'>,
  outcome: Outcome,
): RunAnswer {
  return { runId, job: job.name, outcome, attempt, slot: slot?.toISOString() ?? null, dryRun, report: null }
}

function messageOf(message: string | null): { message?: string } {
  return message === null ? {} : { message }
}
