import type { Db } from '../database/connection.ts'
import { countMovedRows, listFindingFigures, listOperationFigures } from '../database/service-figures.ts'
import { findPinnedAccount } from '../database/stripe-account.ts'
import type { PaymentReads } from '../providers/payments.ts'
import { fail, type Issue, type Look, type Observation, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { judge, thresholds, toPercent, toSpan } from './thresholds.ts'

export interface StripeParts {
  readonly db: Db
  readonly clock: () => Date
  readonly payments: Pick<PaymentReads, 'readPlatform'>
  /** Whether this is the real thing. */
  readonly production: boolean
  /** The jobs whose findings are about money. */
  readonly moneyJobs: readonly string[]
}

const hourMs = 3_600_000
const monthMs = 30 * 24 * hourMs
const keyAdvice =
  'check STRIPE_SECRET_KEY in the dashboard (may it read the account?); if it is fine, look at Stripe’s status page and wait'
// These wait for a decision; they differ from nothing.
const decisions = new Set(['operation-held', 'hold-age'])

/** Whether Stripe answers to our key, whose it is, and how the money operations stand. Nothing of an amount or a person. */
export function lookAtStripe(parts: StripeParts): readonly Look[] {
  return [
    {
      reads: 'our account at Stripe',
      advice: keyAdvice,
      asksVendor: true,
      see: async signal => await seeAccount(parts, signal),
    },
    {
      reads: 'whose account this database is of',
      advice: databaseAdvice,
      see: async signal => await seePin(parts, signal),
    },
    { reads: 'the operations', advice: databaseAdvice, see: async () => await seeOperations(parts) },
    { reads: 'the findings about money', advice: databaseAdvice, see: async () => await seeDiscrepancies(parts) },
  ]
}

async function seeAccount({ payments, production }: StripeParts, signal: AbortSignal): Promise<Observation> {
  const askedAt = performance.now()
  const { account, live } = await payments.readPlatform(signal)
  const answerMs = Math.round(performance.now() - askedAt)
  const issue = 'STRIPE_SECRET_KEY is a test key in production: no real money moves'
  const issues = production && !live ? [warn(issue, 'set the live key, unless this place only plays')] : []
  return { issues, details: { account, live, answerMs } }
}

async function seePin({ db, payments }: StripeParts, signal: AbortSignal): Promise<Observation> {
  const asked = payments.readPlatform(signal).catch(() => undefined)
  const pinned = await findPinnedAccount(db)
  if (pinned === undefined) return { issues: [], details: { pinnedAccount: null } }
  // That Stripe does not answer is told already.
  const real = await asked
  const isSame = real === undefined || (real.account === pinned.account && real.live === pinned.live)
  const issue = `this database belongs to ${pinned.account} (${modeOf(pinned.live)}), and the key to ${real?.account} (${modeOf(real?.live)})`
  const advice = "set the STRIPE_SECRET_KEY of this database's account, or the DATABASE_URL of this key's"
  return { issues: isSame ? [] : [fail(issue, advice)], details: { pinnedAccount: pinned.account } }
}

function modeOf(live: boolean | undefined): string {
  return live === true ? 'live' : 'test'
}

async function seeOperations({ clock, db }: StripeParts): Promise<Observation> {
  const figures = await listOperationFigures(db)
  const issues = figures.flatMap(({ count, since, state }): Issue[] => {
    const ageMs = clock().getTime() - since.getTime()
    const told = `${count} money operation(s) are ${state}, the oldest for ${toSpan(ageMs)}`
    const list = `\`npm run cli -- operations --state ${state}\` lists them`
    switch (state) {
      case 'held':
        return [warn(told, `${list}; approve or decline each`)]
      case 'blocked':
        return [fail(told, `${list} with the reason that Stripe gave`)]
      case 'unknown':
      case 'sending': {
        if (ageMs < hourMs) return []
        const severity = ageMs < 48 * hourMs ? warn : fail
        return [
          severity(told, `${list}; the next run looks them up, after 48 h a person decides: never pay by hand before`),
        ]
      }
      default:
        return ageMs < 24 * hourMs ? [] : [warn(told, `${list}; look whether its job runs`)]
    }
  })
  return { issues, details: { operations: Object.fromEntries(figures.map(({ count, state }) => [state, count])) } }
}

async function seeDiscrepancies({ clock, db, moneyJobs }: StripeParts): Promise<Observation> {
  const since = new Date(clock().getTime() - monthMs)
  const [figures, rows] = await Promise.all([listFindingFigures(db, moneyJobs), countMovedRows(db, since)])
  const differences = figures.filter(({ kind }) => !decisions.has(kind) && kind !== 'job-failing')
  const count = differences.reduce((sum, figure) => sum + figure.count, 0)
  const rate = Math.min(1, count / Math.max(rows, 1))
  const issue = `${count} open finding(s) about money, for ${rows} rows paid in 30 days (${toPercent(rate)})`
  const advice = 'go through `npm run cli -- findings` with finance; each says what differs and what to do'
  const issues = judge(rate, thresholds.discrepancyRate, issue, advice)
  return { issues, details: { discrepancies: count, rowsMoved30d: rows, discrepancyRate: toPercent(rate) } }
}
