import { aggregate, type Checks, describeJobs, describeResults, type HealthBody, listStatuses } from './aggregate.ts'
import type { JobsObserved } from './jobs-probe.ts'
import type { Probe, ProbeResult } from './probe.ts'

/** What the process knows about itself. */
export interface ProcessState {
  /** True for good once everything was ready for the first time. */
  readonly booted: boolean
  readonly draining: boolean
  /** Why this process cannot go on and should be replaced; never shown. */
  readonly fatal?: string | undefined
}

export interface HealthSources {
  readonly state: () => ProcessState
  /** By name, `neon-database` among them. */
  readonly dependencies: ReadonlyMap<string, Probe>
  readonly migrations: Probe
  readonly jobs: Probe<JobsObserved>
  readonly version?: string | undefined
  readonly release?: string | undefined
}

/** Everybody may know statuses; latencies, reasons, figures and the release are for operators. */
export type Audience = 'public' | 'operator'

export interface Answer {
  readonly body: HealthBody
  /** How long the answer stays as it is. */
  readonly ttlMs: number
}

const knownTtlMs = 5_000

/** For the platform that restarts us: 503 until the first time everything was ready, then this process alone. */
export function answerProcess({ booted, fatal }: ProcessState): HealthBody {
  return { status: booted && fatal === undefined ? 'pass' : 'fail' }
}

/** Whether to send us work now, and if not, which conditions failed, by name. */
export async function answerReadiness({ dependencies, migrations, state }: HealthSources): Promise<HealthBody> {
  const { booted, draining, fatal } = state()
  const failed = [...(booted && fatal === undefined ? [] : ['booted']), ...(draining ? ['draining'] : [])]
  const [database, schema] = await Promise.all([dependencies.get('neon-database')?.read(), migrations.read()])
  if (!isReachable(database)) failed.push('neon-database')
  else if (!isReachable(schema)) failed.push('migrations') // unreadable without a database, and then not the culprit
  if (failed.length === 0) return { status: 'pass' }
  return { status: 'fail', checks: listStatuses(failed.map(name => ({ name, status: 'fail' }))) }
}

/** A result that is too old to be trusted is `unknown`, whatever it said. */
function isReachable(result: ProbeResult | undefined): boolean {
  return result?.state === 'up' || result?.state === 'slow'
}

/** From what is known, without asking anything of anybody. */
export function answerKnown(sources: HealthSources, audience: Audience): Answer {
  const results = [...sources.dependencies.values()].map(probe => probe.last()).filter(result => result !== undefined)
  const { booted, draining, fatal } = sources.state()
  const status = booted && fatal === undefined ? aggregate(results) : 'fail'
  if (audience === 'public') return { body: { status }, ttlMs: knownTtlMs }
  const notes = [...(booted ? [] : ['not booted']), ...(draining ? ['draining'] : [])]
  const body = toOperatorBody(sources, status, describeResults(results), notes)
  return { body, ttlMs: knownTtlMs }
}

/** Every dependency, asked side by side. */
export async function answerDependencies(sources: HealthSources, audience: Audience): Promise<Answer> {
  const results = await Promise.all([...sources.dependencies.values()].map(async probe => await probe.read()))
  const status = aggregate(results)
  const ttlMs = Math.min(...results.map(result => result.ttlMs))
  if (audience === 'public') return { body: { status, checks: listStatuses(results) }, ttlMs }
  return { body: toOperatorBody(sources, status, describeResults(results)), ttlMs }
}

/** One dependency; its own status decides, however critical it is. A disabled one passes and says so. */
export async function answerDependency(sources: HealthSources, probe: Probe, audience: Audience): Promise<Answer> {
  const result = await probe.read()
  const { state, status, ttlMs } = result
  const notes = state === 'disabled' ? ['disabled'] : []
  if (audience === 'public') {
    const checks = listStatuses([result])
    return { body: { status, ...(notes.length === 0 ? {} : { notes }), checks }, ttlMs }
  }
  return { body: toOperatorBody(sources, status, describeResults([result]), notes), ttlMs }
}

/** Whether each job succeeded when it was due. */
export async function answerJobs(sources: HealthSources, audience: Audience): Promise<Answer> {
  const { checkedAt, observed, output, status, ttlMs } = await sources.jobs.read()
  if (audience === 'public') return { body: { status, checks: listStatuses(observed?.jobs ?? []) }, ttlMs }
  const checks = describeJobs(observed?.jobs ?? [], checkedAt)
  return { body: toOperatorBody(sources, status, checks, output === undefined ? [] : [output]), ttlMs }
}

function toOperatorBody(
  { release, version }: HealthSources,
  status: HealthBody['status'],
  checks: Checks,
  notes: readonly string[] = [],
): HealthBody {
  return {
    status,
    ...(version === undefined ? {} : { version }),
    ...(release === undefined ? {} : { releaseId: release }),
    ...(notes.length === 0 ? {} : { notes }),
    checks,
  }
}
