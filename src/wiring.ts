import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import { createClerk } from './providers/clerk.ts'
import type { Fetch } from './providers/http.ts'
import type { PaymentReads } from './providers/payments.ts'
import { createQstash } from './providers/qstash.ts'
import { createSite } from './providers/site.ts'
import type { Providers } from './runner/context.ts'
import type { Job } from './runner/define-job.ts'
import { doubtMoneySince, moneySinceAdvice } from './runner/money-since.ts'

/** The vendors, as the configuration points at them. */
export function createProviders(config: Config, fetch: Fetch, payments: PaymentReads): Providers {
  const { token, url } = config.qstash
  return {
    site: createSite({ url: config.appUrl, fetch }),
    qstash: token === undefined ? undefined : createQstash({ url, token, fetch }),
    payments,
    calendarTokens: config.clerk === undefined ? undefined : createClerk({ ...config.clerk, fetch }),
  }
}

const heartbeatTimeoutMs = { critical: 3_000, high: 5_000, medium: 5_000, low: 10_000 } as const

/** The heartbeat of each job that has one configured. A preview has none: it would report for production. */
export function listHeartbeats(config: Config, jobs: ReadonlyMap<string, Job>) {
  const heartbeats = new Map<string, { url: string; timeoutMs: number }>()
  for (const job of config.preview ? [] : jobs.values()) {
    const url = config.heartbeats.get(job.heartbeat)
    if (url !== undefined) heartbeats.set(job.name, { url, timeoutMs: heartbeatTimeoutMs[job.priority] })
  }
  return heartbeats
}

/** One line at boot about the jobs that nobody would miss. */
export function noteMissingHeartbeats(
  { preview }: Config,
  jobs: ReadonlyMap<string, Job>,
  heartbeats: ReadonlyMap<string, unknown>,
  log: FastifyBaseLogger,
): void {
  const missing = [...jobs.values()].filter(job => !heartbeats.has(job.name)).map(job => job.heartbeat)
  if (preview) log.info('heartbeats are silent in a preview')
  else if (missing.length > 0) log.warn({ missing }, 'heartbeats are not configured: these jobs can die unseen')
}

/** One line at boot where it is doubtful since when this service pays. `check` knows more. */
export function noteMoneySince(
  { money: { since } }: Config,
  jobs: ReadonlyMap<string, Job>,
  now: Date,
  log: FastifyBaseLogger,
): void {
  const doubt = jobs.has('process-pending-payouts') ? doubtMoneySince({ since }, now) : undefined
  if (doubt !== undefined) log.warn({ since, doubt, advice: moneySinceAdvice }, 'the cut-over is in doubt')
}

/** One line at boot about who will not be told. */
export function noteSilentNotices({ novu, preview }: Config, log: FastifyBaseLogger): void {
  if (preview) log.info('notices are not sent in a preview')
  else if (novu.adminSubscriberId === undefined)
    log.warn('NOVU_ADMIN_SUBSCRIBER_ID is not set: nobody is told of jobs that keep failing')
}
