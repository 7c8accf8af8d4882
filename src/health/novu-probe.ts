import { listVendorTroubles, type VendorTrouble } from '../database/outbox-findings.ts'
import type { Db } from '../database/connection.ts'
import {
  createProbe,
  type HealthStatus,
  type Probe,
  type ProbeFinding,
  type ProbeLog,
  type ProbeResult,
} from './probe.ts'

export interface NovuProbeOptions {
  /** Asks Novu itself, seldom. */
  readonly vendor: Probe
  readonly db: Db
  readonly clock: () => Date
  readonly log: ProbeLog
  readonly random?: () => number
}

const ttlMs = 10_000
const timeoutMs = 1_500

/**
 * Novu, as it answered when it was last asked, and as notices have fared since, in whichever process. A key that it refused
 * after it had answered us is a failure at once; what else is wrong is a warning for as long as its finding stands.
 */
export function createNovuProbe({ vendor, ...shared }: NovuProbeOptions): Probe {
  const troubles: { latest: readonly VendorTrouble[] } = { latest: [] }
  const notices = createProbe({
    ...shared,
    name: 'notices at novu',
    critical: false,
    ttlMs,
    failureTtlMs: ttlMs,
    timeoutMs,
    check: async (): Promise<ProbeFinding> => {
      troubles.latest = await listVendorTroubles(shared.db)
      return { state: 'up', ...(troubles.latest.length === 0 ? {} : { output: 'notices meet a trouble' }) }
    },
  })
  const merge = (asked: ProbeResult): ProbeResult => addTroubles(asked, troubles.latest)
  return {
    name: vendor.name,
    last: () => {
      const asked = vendor.last()
      return asked === undefined ? undefined : merge(asked)
    },
    read: async maxWaitMs => {
      const [asked] = await Promise.all([vendor.read(maxWaitMs), notices.read(maxWaitMs)])
      return merge(asked)
    },
  }
}

function addTroubles(asked: ProbeResult, troubles: readonly VendorTrouble[]): ProbeResult {
  if (asked.state === 'disabled' || troubles.length === 0) return asked
  const refused = troubles.find(({ kind, seenAt }) => kind === 'novu-key-refused' && seenAt >= asked.checkedAt)
  // What Novu has just said itself is not said twice.
  const words = troubles
    .filter(({ kind }) => kind !== 'novu-key-refused' || asked.state !== 'misconfigured')
    .map(wordsOf)
  return {
    ...asked,
    ...(refused === undefined ? {} : { state: 'misconfigured' }),
    status: worse(asked.status, refused === undefined ? 'warn' : 'fail'),
    ttlMs: Math.min(asked.ttlMs, ttlMs),
    output: [...(asked.output === undefined ? [] : [asked.output]), ...words].join('; '),
  }
}

function wordsOf({ kind, seenAt, subject }: VendorTrouble): string {
  switch (kind) {
    case 'novu-key-refused':
      return `refused our key at ${seenAt.toISOString()}, and has taken nothing since: is NOVU_SECRET_KEY of this environment?`
    case 'novu-workflow-unready':
      return `the workflow ${subject} is not what notices need: npm run novu:diagnostics`
    case 'novu-in-trouble':
      return 'has taken no message for a quarter of an hour or more'
  }
}

function worse(one: HealthStatus, other: HealthStatus): HealthStatus {
  if (one === 'fail' || other === 'fail') return 'fail'
  return one === 'warn' ? one : other
}
