import type { Db } from '../database/connection.ts'
import { countMovedRows, listFindingFigures, listOperationFigures } from '../database/service-figures.ts'
import { findPinnedAccount } from '../database/stripe-account.ts'
import type { PaymentReads } from '../providers/payments.ts'
import { fail, type Issue, type Look, type Observation, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { shareCall } from './share.ts'
import { judge, thresholds, toCount, toPercent, toSpan } from './thresholds.ts'

export interface StripeParts {
  readonly db: Db
  readonly clock: () => Date
  readonly payments: Pick<PaymentReads, 'readPlatform'>
  /** Whether this is the real thing. */
  readonly production: boolean
  /** The jobs whose findings are about money. */
  readonly moneyJobs: readonly string[]
}

const monthMs = 30 * 86_400_000
// These wait for a decision, or for somebody else, and are counted among the findings and the operations: what is
// written here and what Stripe has do not differ in them.
const noDifferences = new Set([
  'job-failing',
  'operation-held',
  'operation-blocked',
  'operation-declined',
  'hold-age',
  'before-cut-over',
  'may-be-paid-already',
  'account-changed',
  'account-unreachable',
  'account-shared',
  'row-account-missing',
  'schedule-not-manual',
  'row-appointment-unknown',
  'row-given-up',
  'dispute-won',
  'transfer-overdue',
  'payout-failed',
  'payouts-failed-repeatedly',
])

/** Whether Stripe answers to our key, whose it is, and how the money operations stand. Nothing of an amount or a person. */
export function lookAtStripe(parts: StripeParts): readonly Look[] {
  const askPlatform = shareCall(async signal => await parts.payments.readPlatform(signal))
  return [
    {
      reads: 'our account at Stripe',
      asksVendor: true,
      advice: 'look at Stripe’s status page and wait: what is begun is resumed by the next runs',
      adviceWhenRefused: 'check STRIPE_SECRET_KEY in the dashboard: is it there still, and may it read the account?',
      see: async signal => await seeAccount(parts, askPlatform(signal)),
    },
    {
      reads: 'whose account this database is of',
      advice: databaseAdvice,
      lateIsTold: true,
      see: async signal => await seePin(parts, askPlatform(signal)),
    },
    { reads: 'the operations', advice: databaseAdvice, see: async () => await seeOperations(parts) },
    { reads: 'the findings about money', advice: databaseAdvice, see: async () => await seeDiscrepancies(parts) },
  ]
}

type Platform = ReturnType<PaymentReads['readPlatform']>

async function seeAccount({ production }: StripeParts, platform: Platform): Promise<Observation> {
  const askedAt = performance.now()
  const { account, live } = await platform
  const answerMs = Math.round(performance.now() - askedAt)
  const issue = 'STRIPE_SECRET_KEY is a test key in production: no real money moves'
  const issues = production && !live ? [warn(issue, 'set the live key, unless this place only plays')] : []
  return { issues, details: { account, live, answerMs } }
}

async function seePin({ db }: StripeParts, platform: Platform): Promise<Observation> {
  const asked = platform.catch(() => undefined)
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
    const told = `${toCount(count, 'money operation')} ${state}, the oldest for ${toSpan(ageMs)}`
    const list = `\`npm run cli -- operations --state ${state}\` lists them`
    switch (state) {
      case 'held':
        return [warn(told, `${list}; approve or decline each`)]
      case 'blocked':
        return [fail(told, `${list} with the reason that Stripe gave`)]
      case 'unknown':
      case 'sending': {
        const advice = `${list}; the next run looks them up, after 48 h a person decides: never pay by hand before`
        return judge(ageMs, thresholds.operationInDoubtMs, told, advice)
      }
      default:
        return judge(ageMs, thresholds.operationPlannedMs, told, `${list}; look whether its job runs`)
    }
  })
  return { issues, details: { operations: Object.fromEntries(figures.map(({ count, state }) => [state, count])) } }
}

async function seeDiscrepancies({ clock, db, moneyJobs }: StripeParts): Promise<Observation> {
  const since = new Date(clock().getTime() - monthMs)
  const [figures, rows] = await Promise.all([listFindingFigures(db, moneyJobs), countMovedRows(db, since)])
  const differences = figures.filter(({ kind }) => !noDifferences.has(kind))
  const count = differences.reduce((sum, figure) => sum + figure.count, 0)
  // What differs was looked at as well, and mostly not paid.
  const rate = count === 0 ? 0 : count / (count + rows)
  const issue = `${toCount(count, 'open finding')} of differences between Stripe and our rows; ${toCount(rows, 'row')} paid in 30 days (${toPercent(rate)})`
  const advice = 'go through `npm run cli -- findings` with finance; each says what differs and what to do'
  const issues = judge(rate, thresholds.discrepancyRate, issue, advice)
  return { issues, details: { discrepancies: count, rowsMoved30d: rows, discrepancyRate: toPercent(rate) } }
}
