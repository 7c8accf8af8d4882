import type { Job, JobClass, Priority } from '../runner/define-job.ts'
import { graceSeconds, periodSeconds } from '../runner/slots.ts'
import { policyKey } from './policy.ts'
import { ownedPrefix, Reference, type Wanted } from './wanted.ts'

/** What a heartbeat needs to know of its job. */
export type WatchedJob = Pick<Job, 'name' | 'cron' | 'timeZone' | 'class' | 'priority' | 'heartbeat' | 'graceSeconds'>

export const heartbeatGroupKey = 'heartbeat-group'

export const wantedHeartbeatGroup: Wanted = {
  kind: 'heartbeat-group',
  key: heartbeatGroupKey,
  name: `${ownedPrefix}heartbeats`,
  priority: 'critical',
  attributes: { name: `${ownedPrefix}heartbeats` },
}

interface Alerting {
  readonly email: boolean
  readonly push: boolean
  readonly sms: boolean
  readonly call: boolean
  readonly critical_alert: boolean
}

/** Who hears of a failure, by what it means to people. Source: reference/operations/heartbeats.md, recommended settings. */
export const alertingByClass: Readonly<Record<JobClass, Alerting>> = {
  financial: { email: true, push: true, sms: true, call: false, critical_alert: true },
  revenue: { email: true, push: true, sms: false, call: false, critical_alert: true },
  experience: { email: true, push: true, sms: false, call: false, critical_alert: false },
  operational: { email: true, push: false, sms: false, call: false, critical_alert: false },
}

/**
 * The heartbeat of each job, those first that matter most: critical ones, and of these the financial ones. Classes whose
 * alerts are critical escalate by the policy, where there is one; the others tell by their channels and wake nobody.
 */
export function wantHeartbeats(jobs: readonly WatchedJob[], withPolicy: boolean): Wanted[] {
  return jobs.toSorted((a, b) => rank(a) - rank(b)).map(job => wantHeartbeat(job, withPolicy))
}

/** What an owned heartbeat of this job is called. */
export function nameHeartbeat(job: Pick<Job, 'name'>): string {
  return `${ownedPrefix}${job.name}`
}

// Better Stack keeps a zone only for periods from an hour on.
const shortestZonedSeconds = 3_600

function wantHeartbeat(job: WatchedJob, withPolicy: boolean): Wanted {
  const alerting = alertingByClass[job.class]
  const period = periodSeconds(job)
  const name = nameHeartbeat(job)
  return {
    kind: 'heartbeat',
    key: job.name,
    name,
    priority: job.priority,
    variable: job.heartbeat,
    attributes: {
      name,
      period,
      grace: graceSeconds(job),
      ...(period < shortestZonedSeconds ? {} : { server_timezone: job.timeZone }),
      ...alerting,
      policy_id: withPolicy && alerting.critical_alert ? new Reference(policyKey) : null,
      heartbeat_group_id: new Reference(heartbeatGroupKey),
    },
  }
}

const priorities: readonly Priority[] = ['critical', 'high', 'medium', 'low']
const classes: readonly JobClass[] = ['financial', 'revenue', 'experience', 'operational']

function rank(job: WatchedJob): number {
  return priorities.indexOf(job.priority) * classes.length + classes.indexOf(job.class)
}
