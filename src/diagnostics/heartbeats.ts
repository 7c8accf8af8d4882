import type { Db } from '../database/connection.ts'
import { listFindingFigures, listPingFigures, type PingFigures } from '../database/service-figures.ts'
import { fail, type Issue, type Look, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { judge, thresholds, toSpan } from './thresholds.ts'

export interface HeartbeatParts {
  readonly db: Db
  readonly clock: () => Date
  readonly preview: boolean
  readonly jobs: readonly WatchedJob[]
}

export interface WatchedJob {
  readonly job: string
  readonly variable: string
  readonly isCritical: boolean
  readonly isSet: boolean
  /** Another job that reports to the same address. */
  readonly twin: string | undefined
}

/** Whether each job would be missed, and whether what it reports arrives. */
export function lookAtHeartbeats(parts: HeartbeatParts): readonly Look[] {
  return [
    { reads: 'the heartbeat variables', advice: databaseAdvice, see: () => seeVariables(parts) },
    { reads: 'the pings', advice: databaseAdvice, see: async () => await seePings(parts) },
  ]
}

function seeVariables({ jobs, preview }: HeartbeatParts) {
  const details = { jobs: jobs.length, configured: jobs.filter(({ isSet }) => isSet).length }
  if (preview) return { issues: [], details: { ...details, silent: 'a preview reports to no heartbeat' } }
  const issues = jobs.flatMap(({ isCritical, isSet, job, twin, variable }): Issue[] => {
    if (!isSet) {
      const advice = `set ${variable} to the address of the heartbeat of ${job} at Better Stack`
      return [(isCritical ? fail : warn)(`${job} has no heartbeat: it can stop and nobody hears of it`, advice)]
    }
    if (twin === undefined) return []
    const advice = `give ${job} and ${twin} a heartbeat each`
    return [fail(`${job} reports to the heartbeat of ${twin}: either can hide that the other one stopped`, advice)]
  })
  return { issues, details }
}

async function seePings({ clock, db, jobs, preview }: HeartbeatParts) {
  const now = clock()
  const [figures, findings] = await Promise.all([listPingFigures(db, now), listFindingFigures(db)])
  const refused = findings.find(({ kind }) => kind === 'heartbeat-unknown')?.subjects ?? []
  const variableOf = (job: string): string => jobs.find(each => each.job === job)?.variable ?? 'its variable'
  const byJob = new Map(figures.map(figure => [figure.job, figure]))
  const watched = preview ? [] : jobs.filter(({ isSet }) => isSet)
  const issues = [
    ...refused.map(job =>
      fail(
        `Better Stack does not know the heartbeat of ${job}`,
        `\`npm run check:heartbeats\` compares ${variableOf(job)} with the addresses there; correct it, then \`npm run test:heartbeats -- --job ${job}\``,
      ),
    ),
    ...watched.flatMap(({ job }) => judgeOwed(byJob.get(job), now)),
  ]
  const silent = watched.filter(({ job }) => (byJob.get(job)?.lastArrivedAt ?? null) === null).map(({ job }) => job)
  const pings = Object.fromEntries(
    figures.map(({ job, lastArrivedAt, lastKind }) => [job, { lastArrivedAt, lastKind }]),
  )
  return { issues, details: { pings, neverPinged: silent } }
}

function judgeOwed(figure: PingFigures | undefined, now: Date): Issue[] {
  if (figure === undefined || figure.oldestOwedAt === null) return []
  const owedMs = now.getTime() - figure.oldestOwedAt.getTime()
  const issue = `a ping of ${figure.job} has not arrived for ${toSpan(owedMs)}`
  const advice = 'look whether Better Stack is up (status.betterstack.com) and reachable from here'
  return judge(owedMs, thresholds.pingOwedMs, issue, advice)
}
