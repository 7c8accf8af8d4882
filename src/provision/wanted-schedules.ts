import type { ScheduleSettings } from '../providers/schedules.ts'
import type { Job } from '../runner/define-job.ts'

/** Schedules whose id begins like this are ours, and no others are ever touched. */
export const ownedPrefix = 'jobs.'

/** What a schedule is made from. */
export type ScheduledJob = Pick<
  Job,
  'name' | 'cron' | 'timeZone' | 'timeoutMs' | 'retries' | 'scheduleBody' | 'flowControl'
>

// Above the job's own deadline, so that it is the job that decides, and has time to write down how it ended.
const marginSeconds = 30

/** The schedule that each job should have, in the order of the jobs; `publicUrl` is where QStash reaches this service. */
export function listWantedSchedules(jobs: Iterable<ScheduledJob>, publicUrl: string): ScheduleSettings[] {
  return Array.from(jobs, job => ({
    id: `${ownedPrefix}${job.name}`,
    cron: job.cron,
    timeZone: job.timeZone,
    destination: `${publicUrl}/jobs/${job.name}`,
    method: 'POST',
    retries: job.retries,
    timeoutSeconds: Math.ceil(job.timeoutMs / 1000) + marginSeconds,
    body: job.scheduleBody,
    failureCallback: `${publicUrl}/qstash/failure`,
    flowControl: job.flowControl,
  }))
}
