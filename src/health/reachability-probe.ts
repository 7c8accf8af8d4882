import type { Reached } from '../providers/reachability.ts'
import { createProbe, type Probe, type ProbeFinding, type ProbeOptions } from './probe.ts'

/** A `Reachability` that may also say for how long it wants to be left alone. */
export interface AskedDependency {
  check(signal: AbortSignal): Promise<Reached & { readonly retryAfterMs?: number }>
}

export type ReachabilityProbeOptions = Omit<ProbeOptions, 'check'> & {
  /** Undefined when it is not configured: the probe is then `disabled`, and that is no failure. */
  readonly target: AskedDependency | undefined
  /** An answer that takes longer is a warning; 1 s unless given. */
  readonly slowMs?: number
}

/** The probe of a vendor service: down is theirs to repair, misconfigured is ours. */
export function createReachabilityProbe({ slowMs = 1_000, target, ...options }: ReachabilityProbeOptions): Probe {
  return createProbe({
    ...options,
    check: async signal => {
      if (target === undefined) return { state: 'disabled', output: 'not configured' }
      return toFinding(await target.check(signal), slowMs)
    },
  })
}

function toFinding(
  { detail, latencyMs, retryAfterMs, scopeOnly, state }: Awaited<ReturnType<AskedDependency['check']>>,
  slowMs: number,
): ProbeFinding {
  const remark = {
    ...(detail === '' ? {} : { output: detail }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(scopeOnly === undefined ? {} : { scopeOnly }),
  }
  if (state === 'up' && latencyMs > slowMs)
    return { state: 'slow', output: `answered after ${latencyMs} ms`, ...remark }
  return { state, ...remark }
}
