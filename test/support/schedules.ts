import { Client } from '@upstash/qstash'
import type { Test } from 'tap'
import type { Schedule } from '../../src/providers/schedules.ts'
import type { ScheduledJob } from '../../src/provision/wanted-schedules.ts'
import { type QstashOptions, type QstashStandIn, startQstash } from '../../src/sandbox/qstash.ts'

export const publicUrl = 'https://jobs.example.test'

/** A job as a schedule sees it. */
export function scheduledJob(name: string, overrides: Partial<ScheduledJob> = {}): ScheduledJob {
  return { name, cron: '0 4 * * *', timeZone: 'UTC', timeoutMs: 90_000, retries: 3, ...overrides }
}

/** A schedule that is as `scheduledJob` of its name asks for. */
export function realSchedule(name: string, overrides: Partial<Schedule> = {}): Schedule {
  return {
    id: `jobs.${name}`,
    cron: '0 4 * * *',
    timeZone: 'UTC',
    destination: `${publicUrl}/jobs/${name}`,
    method: 'POST',
    retries: 3,
    timeoutSeconds: 120,
    body: undefined,
    failureCallback: `${publicUrl}/qstash/failure`,
    flowControl: undefined,
    callback: undefined,
    headers: {},
    queue: undefined,
    delaySeconds: undefined,
    retryDelay: undefined,
    paused: false,
    keptPaused: false,
    lastDueAt: undefined,
    nextDueAt: undefined,
    lastState: undefined,
    ...overrides,
  }
}

export interface Account {
  readonly qstash: QstashStandIn
  /** The official client, as the console or somebody else would use it. */
  readonly client: Client
  /** All that the commands need. */
  readonly env: Readonly<Record<string, string>>
}

/** An account at the QStash stand-in, which calls nobody. */
export async function openAccount(t: Test, options: QstashOptions = {}): Promise<Account> {
  const qstash = await startQstash({ token: 'planted-qstash-token', destinationFilter: () => false, ...options })
  t.teardown(qstash.close)
  const client = new Client({ baseUrl: qstash.url, token: qstash.token, devMode: false, retry: false })
  const env = { QSTASH_URL: qstash.url, QSTASH_TOKEN: qstash.token, PUBLIC_URL: publicUrl }
  return { qstash, client, env }
}

/** Everything that the account has, without what passes by itself. */
export async function snapshot({ client }: Account): Promise<unknown[]> {
  const all = await client.schedules.list()
  return all
    .map(({ createdAt: _c, ...schedule }) => ({ ...schedule, nextScheduleTime: undefined }))
    .toSorted((a, b) => a.scheduleId.localeCompare(b.scheduleId))
}
