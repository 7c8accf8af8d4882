import { ConfigError, type Config, loadConfig } from '../config.ts'
import { listJobSettings } from '../database/job-settings.ts'
import { toError } from '../errors.ts'
import { jobs } from '../jobs/index.ts'
import { indexJobs, type Job } from '../runner/define-job.ts'
import { graceSeconds, nextDueAt } from '../runner/slots.ts'
import { withLedger } from './connect.ts'
import { type Cell, printJson, printNote, printTable, toUtc } from './print.ts'

/** Shows every job there is. Needs neither configuration nor database: what they would tell is then unknown. */
export async function showJobs({ json = false }: { readonly json?: boolean }): Promise<number> {
  const notes: string[] = []
  const config = readConfig(notes)
  const settings = await readSettings(notes)
  const now = new Date()
  const listed = jobs.map(job => describe(job, config, settings, now))
  if (json) printJson({ jobs: listed })
  else printTable(head, listed.map(toRow))
  for (const text of notes) printNote(text)
  return 0
}

/** The job of this name. Throws an error that lists the names there are. */
export function getJob(name: string): Job {
  const job = indexJobs(jobs).get(name)
  if (job !== undefined) return job
  throw new Error(`there is no job ${name}: known are ${jobs.map(known => known.name).join(', ')}`)
}

type Settings = Awaited<ReturnType<typeof listJobSettings>>

function readConfig(notes: string[]): Config | undefined {
  try {
    return loadConfig()
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    notes.push('the configuration has problems, so heartbeats are unknown: `npm run cli -- check` lists them')
    return undefined
  }
}

async function readSettings(notes: string[]): Promise<Settings | undefined> {
  try {
    return await withLedger(listJobSettings)
  } catch (thrown) {
    const reason = thrown instanceof ConfigError ? thrown.problems.join('; ') : toError(thrown).message
    notes.push(`whether jobs are paused is unknown: ${reason}`)
    return undefined
  }
}

function describe(job: Job, config: Config | undefined, settings: Settings | undefined, now: Date) {
  const setting = settings?.get(job.name)
  const pausedAt = setting?.paused_at ?? null
  return {
    name: job.name,
    summary: job.summary,
    cron: job.cron,
    timeZone: job.timeZone,
    nextDueAt: nextDueAt(job, now),
    class: job.class,
    priority: job.priority,
    movesMoney: job.movesMoney,
    timeoutMs: job.timeoutMs,
    graceSeconds: graceSeconds(job),
    heartbeat: {
      variable: job.heartbeat,
      configured: config === undefined ? null : config.heartbeats.has(job.heartbeat),
    },
    /** Null when the database could not be asked. */
    paused: settings === undefined ? null : pausedAt !== null,
    pause: pausedAt === null ? null : { at: pausedAt, by: setting?.paused_by, reason: setting?.pause_reason },
  }
}

const head = ['job', 'cron', 'zone', 'next due (UTC)', 'class', 'priority', 'money', 'heartbeat', 'paused']

function toRow(job: ReturnType<typeof describe>): Cell[] {
  return [
    job.name,
    job.cron,
    job.timeZone,
    toUtc(job.nextDueAt),
    job.class,
    job.priority,
    job.movesMoney ? { text: 'moves', style: 'bold' } : 'no',
    showHeartbeat(job.heartbeat.configured),
    showPause(job),
  ]
}

function showHeartbeat(configured: boolean | null): Cell {
  if (configured === null) return { text: 'unknown', style: 'dim' }
  return configured ? { text: 'configured', style: 'green' } : { text: 'missing', style: 'yellow' }
}

function showPause({ pause, paused }: ReturnType<typeof describe>): Cell {
  if (paused === null) return { text: 'unknown', style: 'dim' }
  if (pause === null) return 'no'
  return { text: `since ${toUtc(pause.at)} by ${pause.by}: ${pause.reason}`, style: 'yellow' }
}
