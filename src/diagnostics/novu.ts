import type { Db } from '../database/connection.ts'
import { readNoticeFigures } from '../database/service-figures.ts'
import { workflows } from '../notices/catalogue.ts'
import { checkWorkflows } from '../notices/check-workflows.ts'
import type { Notifications } from '../providers/notifications.ts'
import { fail, type Look, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { judge, thresholds, toCount, toSpan } from './thresholds.ts'

export interface NovuParts {
  readonly db: Db
  readonly clock: () => Date
  readonly notifications: Pick<Notifications, 'getWorkflows'>
  readonly hasRecipient: boolean
  /** A preview tells nobody. */
  readonly preview: boolean
}

const dayMs = 86_400_000

/** Whether Novu has the workflows that our notices use, whether notices go out, and whether operators are told. */
export function lookAtNovu(parts: NovuParts): readonly Look[] {
  const adviceWhenRefused = 'check that NOVU_SECRET_KEY is that of the environment and NOVU_BASE_URL of its region'
  return [
    {
      reads: 'the workflows at Novu',
      advice:
        'look at status.novu.co and wait: notices are kept, and go when Novu answers again; else check NOVU_BASE_URL',
      adviceWhenRefused,
      asksVendor: true,
      see: async signal => await seeWorkflows(parts, signal),
    },
    { reads: 'the notices', advice: databaseAdvice, see: async () => await seeNotices(parts) },
    { reads: 'who is told', advice: adviceWhenRefused, see: () => seeRecipient(parts) },
  ]
}

async function seeWorkflows({ notifications }: NovuParts, signal: AbortSignal) {
  const checks = checkWorkflows(await notifications.getWorkflows(Object.keys(workflows), signal))
  const advice = 'mend the workflow at Novu, or src/notices/catalogue.ts; `npm run novu:diagnostics` compares again'
  const issues = checks.flatMap(({ differences, id }) =>
    differences.map(difference => fail(`the workflow ${id}: ${difference}`, advice)),
  )
  const [missing, fine] = [checks.filter(({ differences }) => differences.length > 0), checks.length]
  return { issues, details: { workflows: fine, workflowsThatDiffer: missing.map(({ id }) => id) } }
}

async function seeNotices({ clock, db }: NovuParts) {
  const now = clock()
  const figures = await readNoticeFigures(db, new Date(now.getTime() - dayMs))
  const { oldestAt, poison, sentSince, unknown, waiting } = figures
  const waitMs = oldestAt === null ? 0 : now.getTime() - oldestAt.getTime()
  const told = `${toCount(waiting, 'notice')} waiting, the oldest for ${toSpan(waitMs)}`
  const issues = [
    ...judge(waitMs, thresholds.noticeDueMs, told, '`npm run cli -- notices` says why'),
    ...(poison > 0
      ? [
          warn(
            `${toCount(poison, 'notice')} set aside: not to be sent as written`,
            '`npm run cli -- notices --state poison`, then retry or drop',
          ),
        ]
      : []),
  ]
  return {
    issues,
    details: { noticesWaiting: waiting, noticesUnknown: unknown, noticesPoison: poison, sent24h: sentSince },
  }
}

function seeRecipient({ hasRecipient, preview }: NovuParts) {
  const advice = 'set NOVU_ADMIN_SUBSCRIBER_ID to the subscriber that operators read'
  const issue = 'NOVU_ADMIN_SUBSCRIBER_ID is not set: nobody is told of jobs that keep failing'
  return {
    issues: hasRecipient || preview ? [] : [warn(issue, advice)],
    details: { operatorsAreTold: hasRecipient && !preview },
  }
}
