import { listJobSettings, pauseJob, resumeJob } from '../database/job-settings.ts'
import { withLedger } from './connect.ts'
import { getJob } from './jobs.ts'
import { findOperator } from './operator.ts'
import { printJson, printLine, toUtc } from './print.ts'

export interface SwitchOptions {
  readonly reason: string
  readonly as?: string
  readonly json?: boolean
}

/** Pauses a job: a run under way stops before its next effect, further deliveries are recorded and do nothing. */
export async function pause(name: string, options: SwitchOptions): Promise<number> {
  const job = getJob(name).name
  const operator = findOperator(options.as)
  return await withLedger(async db => {
    const changed = await pauseJob(db, { job, operator, reason: options.reason, now: new Date() })
    if (options.json === true) printJson({ job, paused: true, changed })
    else if (changed) printLine(`${job} is paused now: no run begins an effect until it is resumed`)
    else {
      const setting = (await listJobSettings(db)).get(job)
      const since = `since ${toUtc(setting?.paused_at)} UTC by ${setting?.paused_by}: ${setting?.pause_reason}`
      printLine(`${job} was paused already, ${since}; nothing has changed`)
    }
    return 0
  })
}

/** Lets a paused job run again, from its next delivery on. */
export async function resume(name: string, options: SwitchOptions): Promise<number> {
  const job = getJob(name).name
  const operator = findOperator(options.as)
  return await withLedger(async db => {
    const changed = await resumeJob(db, { job, operator, reason: options.reason, now: new Date() })
    if (options.json === true) printJson({ job, paused: false, changed })
    else if (changed) printLine(`${job} is no longer paused: it runs from its next delivery on`)
    else printLine(`${job} was not paused; nothing has changed`)
    return 0
  })
}
