import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Db } from './database/connection.ts'
import { createDatabaseProbe, createMigrationsProbe } from './health/database-probe.ts'
import { createJobsProbe } from './health/jobs-probe.ts'
import { createNovuProbe } from './health/novu-probe.ts'
import type { Probe } from './health/probe.ts'
import { createReachabilityProbe } from './health/reachability-probe.ts'
import { createClerkReachability } from './providers/clerk-reachability.ts'
import type { Fetch } from './providers/http.ts'
import { createNovuReachability } from './providers/novu-reachability.ts'
import { createPosthog } from './providers/posthog.ts'
import type { Reachability } from './providers/reachability.ts'
import { createResend } from './providers/resend.ts'
import type { Job } from './runner/define-job.ts'
import { graceSeconds, lastDueAt, listDueBetween } from './runner/slots.ts'

export interface ProbeParts {
  readonly config: Pick<Config, 'clerk' | 'novu' | 'posthog' | 'resend'>
  readonly db: Db
  readonly fetch: Fetch
  readonly jobs: ReadonlyMap<string, Job>
  /** Of Stripe, and of QStash where it has a token. */
  readonly reachability: Reachability
  readonly qstash: Reachability | undefined
  readonly clock: () => Date
  readonly log: FastifyBaseLogger
}

/** The probes behind the health routes. */
export function createProbes({ clock, db, jobs, log, ...parts }: ProbeParts) {
  const shared = { db, clock, log }
  const vendors = createVendorProbes({ clock, log, ...parts })
  const probes = [createDatabaseProbe(shared), ...vendors.map(vendor => addNotices(vendor, shared))]
  return {
    dependencies: new Map(probes.map(probe => [probe.name, probe])),
    migrations: createMigrationsProbe(shared),
    jobs: createTimelinessProbe({ ...shared, jobs }),
  }
}

/** Whether the jobs ran when they were due. */
export function createTimelinessProbe({ jobs, ...shared }: Pick<ProbeParts, 'clock' | 'db' | 'jobs' | 'log'>) {
  const due = [...jobs.values()].map(job => ({
    name: job.name,
    priority: job.priority,
    graceSeconds: graceSeconds(job),
    lastDueAt: (at: Date) => lastDueAt(job, at),
    listDueBetween: (from: Date, to: Date) => listDueBetween(job, from, to),
  }))
  return createJobsProbe({ ...shared, jobs: due })
}

/** Of Novu our own notices know more than a question that is asked every five minutes. */
function addNotices(vendor: Probe, shared: Pick<ProbeParts, 'clock' | 'db' | 'log'>): Probe {
  return vendor.name === 'novu' ? createNovuProbe({ ...shared, vendor }) : vendor
}

// The whole answer must be there within 2.5 s.
const timeoutMs = 2_200

/**
 * What a job cannot do without is critical: the scheduler, and the money. The others tell people or count visitors, and
 * their jobs wait. The rarer calls are those that count against a small limit of the vendor's.
 */
function createVendorProbes(parts: Omit<ProbeParts, 'db' | 'jobs'>): Probe[] {
  const { clock, config, fetch, log, qstash, reachability } = parts
  const { clerk, novu, posthog, resend } = config
  const open = <Access>(access: Access | undefined, create: (access: Access & { fetch: Fetch }) => Reachability) =>
    access === undefined ? undefined : create({ ...access, fetch })
  const vendors = [
    { name: 'stripe', critical: true, ttlMs: 60_000, target: reachability },
    { name: 'qstash', critical: true, ttlMs: 120_000, target: qstash },
    { name: 'clerk', critical: false, ttlMs: 120_000, target: open(clerk, createClerkReachability) },
    { name: 'novu', critical: false, ttlMs: 300_000, target: open(novu, createNovuReachability) },
    { name: 'resend', critical: false, ttlMs: 300_000, target: open(resend, createResend) },
    { name: 'posthog', critical: false, ttlMs: 300_000, target: open(posthog, createPosthog) },
  ]
  return vendors.map(vendor => createReachabilityProbe({ ...vendor, timeoutMs, clock, log }))
}
