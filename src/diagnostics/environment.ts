import type { Db } from '../database/connection.ts'
import { listFindingFigures, listPausedJobs, readRunFigures } from '../database/service-figures.ts'
import { doubtMoneySince, moneySinceAdvice } from '../runner/money-since.ts'
import { type Issue, fail, type Look, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { judge, thresholds, toCount, toMegabytes, toPercent, toSpan } from './thresholds.ts'

export interface EnvironmentParts {
  readonly db: Db
  readonly clock: () => Date
  readonly mode: string
  readonly preview: boolean
  readonly version: string
  readonly release: string | undefined
  readonly moneySince: Date | undefined
  /** Whether there is a job for which the cut-over counts. */
  readonly paysOut: boolean
  /** Variables that nothing breaks without, and what does not work then. */
  readonly optional: readonly { readonly variable: string; readonly isSet: boolean; readonly lost: string }[]
  /** Of each job whose failing is critical. */
  readonly criticalJobs: readonly string[]
  readonly process: () => ProcessFigures
}

export interface ProcessFigures {
  readonly memoryBytes: number
  readonly uptimeSeconds: number
  readonly node: string
}

const dayMs = 86_400_000

/** What this process was given, how much memory it takes, and how its jobs do. */
export function lookAtEnvironment(parts: EnvironmentParts): readonly Look[] {
  return [
    { reads: 'the configuration', advice: 'run `npm run cli -- check`', see: () => seeConfiguration(parts) },
    {
      reads: 'the process',
      advice: 'restart the service',
      ofThisProcess: true,
      see: () => seeProcess(parts.process()),
    },
    { reads: 'which jobs are paused', advice: databaseAdvice, see: async () => await seePauses(parts) },
    { reads: 'how runs have gone', advice: databaseAdvice, see: async () => await seeRuns(parts) },
    { reads: 'the findings', advice: databaseAdvice, see: async () => await seeFindings(parts) },
  ]
}

function seeConfiguration(parts: EnvironmentParts) {
  const { clock, mode, moneySince, optional, paysOut, preview, release, version } = parts
  const doubt = paysOut ? doubtMoneySince({ since: moneySince }, clock()) : undefined
  const missing = optional.filter(({ isSet }) => !isSet)
  const issues = [
    ...(doubt === undefined ? [] : [warn(doubt, moneySinceAdvice)]),
    ...missing.map(({ lost, variable }) =>
      warn(`${variable} is not set: ${lost}`, `set ${variable}, see .env.example`),
    ),
  ]
  const details = { mode, preview, version, release: release ?? null, notSet: missing.map(({ variable }) => variable) }
  return { issues, details }
}

function seeProcess({ memoryBytes, node, uptimeSeconds }: ProcessFigures) {
  const memoryMb = toMegabytes(memoryBytes)
  const issue = `this process takes ${memoryMb} MB of memory; below 200 is healthy, above 500 is not`
  const advice = 'restart the service at the platform; if it grows again, look which run it grows with (GET /runs)'
  const issues = judge(memoryBytes, thresholds.memoryBytes, issue, advice)
  return { issues, details: { memoryMb, node, uptime: toSpan(uptimeSeconds * 1000) } }
}

/** An operator's doing, and still what explains most of what is missing then. Whose, the list of jobs tells. */
async function seePauses({ clock, db }: EnvironmentParts) {
  const paused = await listPausedJobs(db)
  const issues = paused.map(({ job, reason, since }) => {
    const span = toSpan(clock().getTime() - since.getTime())
    const issue = `the job ${job} has been paused for ${span} (${reason}): it does nothing until it is resumed`
    return warn(issue, `\`npm run cli -- resume ${job} --reason …\`, once the reason is over`)
  })
  return { issues, details: { pausedJobs: paused.map(({ job, since }) => ({ job, since })) } }
}

async function seeRuns({ clock, db }: EnvironmentParts) {
  const { failed, finished } = await readRunFigures(db, new Date(clock().getTime() - dayMs))
  const rate = finished === 0 ? 0 : failed / finished
  const issue = `${failed} of ${finished} runs of the last 24 hours failed (${toPercent(rate)})`
  const advice = '`npm run cli -- runs --state failed` lists them; each run says why'
  const issues = judge(rate, thresholds.errorRate, issue, advice)
  return { issues, details: { runs24h: finished, failedRuns24h: failed, errorRate: toPercent(rate) } }
}

async function seeFindings({ criticalJobs, db }: EnvironmentParts) {
  const figures = await listFindingFigures(db)
  const failing = figures.find(({ kind }) => kind === 'job-failing')
  const others = figures.filter(({ kind }) => kind !== 'job-failing')
  const count = others.reduce((sum, figure) => sum + figure.count, 0)
  const issues: Issue[] = (failing?.subjects ?? []).map(job => {
    const advice = `\`npm run cli -- runs --job ${job}\` shows why; mend that, then \`npm run cli -- run ${job}\``
    return (criticalJobs.includes(job) ? fail : warn)(`the job ${job} keeps failing`, advice)
  })
  if (count > 0)
    issues.push(warn(`${toCount(count, 'finding')} for a person to look at`, 'go through `npm run cli -- findings`'))
  return { issues, details: { findings: Object.fromEntries(figures.map(({ count, kind }) => [kind, count])) } }
}
