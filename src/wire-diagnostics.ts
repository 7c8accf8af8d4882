import packageJson from '../package.json' with { type: 'json' }
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Db } from './database/connection.ts'
import { createDiagnostics, type Diagnostics } from './diagnostics/diagnose.ts'
import { lookAtDatabase } from './diagnostics/database.ts'
import { lookAtEnvironment } from './diagnostics/environment.ts'
import { lookAtHeartbeats, type WatchedJob } from './diagnostics/heartbeats.ts'
import { lookAtNovu } from './diagnostics/novu.ts'
import { lookAtQstash, type ScheduleReads } from './diagnostics/qstash.ts'
import { lookAtStripe } from './diagnostics/stripe.ts'
import { quietPeriods } from './diagnostics/thresholds.ts'
import { lookAtWebhooks, type SecretKnown } from './diagnostics/webhooks.ts'
import type { Fetch } from './providers/http.ts'
import type { Notifications } from './providers/notifications.ts'
import type { PaymentReads } from './providers/payments.ts'
import { createQstashSchedules } from './providers/qstash-schedules.ts'
import type { WebhookReads } from './providers/webhooks.ts'
import { readSchedulePlan } from './provision/plan-schedules.ts'
import type { Job } from './runner/define-job.ts'
import { periodSeconds } from './runner/slots.ts'
import { createTimelinessProbe } from './wire-health.ts'

export interface DiagnosticsParts {
  readonly config: Config
  readonly db: Db
  readonly fetch: Fetch
  readonly jobs: ReadonlyMap<string, Job>
  readonly notifications: Notifications
  readonly payments: PaymentReads
  readonly webhooks: WebhookReads
  readonly clock: () => Date
  readonly log: FastifyBaseLogger
}

/** What each component of the diagnostics looks at. Secrets end here: only whether they are there goes on. */
export function wireDiagnostics(parts: DiagnosticsParts): Diagnostics {
  const { clock, config, db, jobs, log, notifications, payments, webhooks } = parts
  const all = [...jobs.values()]
  const { preview } = config
  const criticalJobs = all.filter(({ priority }) => priority === 'critical').map(({ name }) => name)
  const moneyJobs = all.filter(({ movesMoney }) => movesMoney).map(({ name }) => name)
  const shared = { db, clock, preview }
  const production = config.mode === 'production'
  return createDiagnostics({
    clock,
    // Its SDK is loaded by the first request, also by one that is given up before it is sent.
    load: async () => await payments.readPlatform(AbortSignal.abort()).catch(() => {}),
    looks: {
      environment: lookAtEnvironment({
        ...shared,
        ...describeConfig(config),
        paysOut: jobs.has('process-pending-payouts'),
        criticalJobs,
        process: readProcess,
      }),
      database: lookAtDatabase(db),
      qstash: lookAtQstash({
        ...shared,
        criticalJobs,
        schedules: createScheduleReads(parts),
        quietMs: quietPeriods * 1000 * Math.min(...all.map(periodSeconds)),
        timeliness: createTimelinessProbe({ db, clock, log, jobs }),
      }),
      novu: lookAtNovu({ ...shared, notifications, hasRecipient: config.novu.adminSubscriberId !== undefined }),
      webhooks: lookAtWebhooks({ db, clock, webhooks, siteUrl: config.appUrl, secrets: listSecrets(config) }),
      heartbeats: lookAtHeartbeats({ ...shared, jobs: listWatched(config, all) }),
      stripe: lookAtStripe({ db, clock, payments, production, moneyJobs }),
    },
  })
}

function describeConfig({ clerk, mode, money, qstash, release }: Config) {
  return {
    mode,
    release,
    version: packageJson.version,
    moneySince: money.since,
    optional: [
      { variable: 'QSTASH_TOKEN', isSet: qstash.token !== undefined, lost: 'schedules can be neither read nor made' },
      { variable: 'CLERK_SECRET_KEY', isSet: clerk !== undefined, lost: 'no calendar token is refreshed' },
    ],
  }
}

function readProcess() {
  return { memoryBytes: process.memoryUsage.rss(), uptimeSeconds: process.uptime(), node: process.version }
}

function createScheduleReads({ clock, config, fetch, jobs }: DiagnosticsParts): ScheduleReads | undefined {
  const { token, url } = config.qstash
  if (token === undefined) return undefined
  const schedules = createQstashSchedules({ url, token, fetch, clock, longestWaitMs: 0 })
  const options = { jobs: [...jobs.values()], publicUrl: config.publicUrl }
  return {
    readPlan: async signal => await readSchedulePlan(schedules, options, signal),
    countDeadLetters: async signal => await schedules.countDeadLetters(signal),
  }
}

function listWatched({ heartbeats }: Config, jobs: readonly Job[]): WatchedJob[] {
  return jobs.map(({ heartbeat, name, priority }) => {
    const address = heartbeats.get(heartbeat)
    const twin = jobs.find(
      job => job.name !== name && address !== undefined && heartbeats.get(job.heartbeat) === address,
    )
    return {
      job: name,
      variable: heartbeat,
      isCritical: priority === 'critical',
      isSet: address !== undefined,
      twin: twin?.name,
    }
  })
}

function listSecrets({ webhookSecrets }: Config): SecretKnown[] {
  const variables = {
    stripe: 'STRIPE_WEBHOOK_SECRET',
    stripeConnect: 'STRIPE_CONNECT_WEBHOOK_SECRET',
    stripeIdentity: 'STRIPE_IDENTITY_WEBHOOK_SECRET',
    clerk: 'CLERK_WEBHOOK_SIGNING_SECRET',
  } as const satisfies Record<keyof Config['webhookSecrets'], string>
  return (Object.keys(variables) as (keyof typeof variables)[]).map(name => {
    const value = webhookSecrets[name]
    return { variable: variables[name], isSet: value !== undefined, looksRight: value?.startsWith('whsec_') === true }
  })
}
