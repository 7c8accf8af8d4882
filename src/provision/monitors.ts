import type { JobClass, Priority } from '../runner/define-job.ts'
import { checkFrequencies } from './check-wanted.ts'
import { alertingByClass } from './heartbeats.ts'
import { policyKey } from './policy.ts'
import { ownedPrefix, type PlanLimits, Reference, type Wanted } from './wanted.ts'

export interface Watched {
  /** Where the service is reached, without a slash at the end. */
  readonly publicUrl: string
  /** What a monitor shows to see details; a secret. Undefined: it sees what everybody sees. */
  readonly token: string | undefined
}

export const monitorGroupKey = 'monitor-group'

export const wantedMonitorGroup: Wanted = {
  kind: 'monitor-group',
  key: monitorGroupKey,
  name: `${ownedPrefix}monitors`,
  priority: 'critical',
  attributes: { name: `${ownedPrefix}monitors` },
}

interface Definition {
  readonly name: string
  readonly path: string
  readonly class: JobClass
  readonly priority: Priority
  readonly everySeconds: number
  readonly timeoutSeconds: number
  /** How long it must fail before anybody hears of it, and be well before that is over. */
  readonly confirmSeconds: number
  readonly recoverSeconds: number
  readonly regions: readonly string[]
  /** Its answer says more to who shows the token, which then stands with the incident. */
  readonly verbose?: boolean
}

const twoRegions = ['us', 'eu']
const frequent = { everySeconds: 120, timeoutSeconds: 10, confirmSeconds: 60, recoverSeconds: 120, regions: twoRegions }
const seldom = { ...frequent, everySeconds: 300 }
// Not their sms and critical alerts: the heartbeats of the jobs that need them have those.
const vital = { class: 'revenue', priority: 'critical' } as const
const optional = { class: 'operational', priority: 'low' } as const

/** Those that matter most first. A dependency has one of its own, so that an incident names the culprit. */
const definitions: readonly Definition[] = [
  {
    name: 'readyz',
    path: '/readyz',
    ...vital,
    everySeconds: 30,
    timeoutSeconds: 5,
    confirmSeconds: 30,
    recoverSeconds: 60,
    regions: ['us', 'eu', 'as'],
  },
  { name: 'health/jobs', path: '/health/jobs', ...vital, ...seldom, verbose: true },
  { name: 'health', path: '/health?services=true', ...vital, ...seldom, verbose: true },
  { name: 'health/neon-database', path: '/health/neon-database', ...vital, ...frequent },
  { name: 'health/stripe', path: '/health/stripe', ...vital, ...frequent },
  { name: 'health/qstash', path: '/health/qstash', ...vital, ...frequent },
  { name: 'health/clerk', path: '/health/clerk', class: 'experience', priority: 'high', ...frequent },
  { name: 'health/novu', path: '/health/novu', ...optional, ...seldom },
  { name: 'health/resend', path: '/health/resend', ...optional, ...seldom },
  { name: 'health/posthog', path: '/health/posthog', ...optional, ...seldom },
]

/**
 * The monitors of the service's own health routes. They judge by the status alone: our routes answer 503 when somebody must
 * look, and a redirect is not followed, so that a login page is no success.
 */
export function wantMonitors({ publicUrl, token }: Watched, limits: Omit<PlanLimits, 'most'>): Wanted[] {
  return definitions.map(definition => {
    const { path, priority } = definition
    const name = `${ownedPrefix}${definition.name}`
    const alerting = alertingByClass[definition.class]
    return {
      kind: 'monitor',
      key: `monitor ${definition.name}`,
      name,
      priority,
      attributes: {
        monitor_type: 'status',
        url: `${publicUrl}${path}`,
        pronounceable_name: name,
        http_method: 'GET',
        check_frequency: toAllowed(Math.max(definition.everySeconds, limits.shortestCheckSeconds)),
        request_timeout: definition.timeoutSeconds,
        confirmation_period: definition.confirmSeconds,
        recovery_period: definition.recoverSeconds,
        regions: definition.regions,
        follow_redirects: false,
        verify_ssl: true,
        ssl_expiration: 14,
        domain_expiration: isApex(publicUrl) ? 14 : null,
        ...alerting,
        team_wait: 300,
        policy_id: limits.policies && alerting.critical_alert ? new Reference(policyKey) : null,
        monitor_group_id: new Reference(monitorGroupKey),
        ...(definition.verbose === true
          ? { request_headers: token === undefined ? [] : [{ name: 'Authorization', value: `Bearer ${token}` }] }
          : {}),
      },
    }
  })
}

/** The next longer time that Better Stack offers. */
function toAllowed(seconds: number): number {
  return checkFrequencies.find(one => one >= seconds) ?? seconds
}

/** Whether the host is a domain that somebody registers, and no name below one. */
function isApex(publicUrl: string): boolean {
  return /^[^.]+\.[a-z]+$/i.test(new URL(publicUrl).hostname)
}
