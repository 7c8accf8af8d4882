import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from '../runner/define-job.ts'
import type { RunAnswer } from '../runner/outcomes.ts'
import type { World } from './world.ts'

/** What one job came to in the first round. */
export interface JobResult {
  readonly job: string
  readonly status: number | undefined
  readonly outcome: string
  readonly durationMs: number
  /** What the run counted, in words. */
  readonly did: string
  readonly heartbeat: 'success' | 'fail' | 'none'
  /** What the same message came to when it was delivered once more. */
  readonly again: string
}

const pingWaitMs = 5_000

/** What comes last, in this order: a transfer puts the money where the payout takes it from, and notices are of what is left. */
const lastJobs: readonly string[] = ['process-expert-transfers', 'process-pending-payouts', 'check-upcoming-payouts']

/** Lets QStash fire every schedule once, then delivers each message a second time, and waits for the heartbeats. */
export async function playFirstRound(world: World, onJob: (job: string) => void): Promise<JobResult[]> {
  const results: JobResult[] = []
  for (const job of orderRound([...world.app.jobs.values()])) {
    onJob(job.name)
    results.push(await playJob(world, job))
  }
  return results
}

/** Whether the result is what a healthy demo shows. */
export function isFine({ again, heartbeat, outcome, status }: JobResult): boolean {
  return status === 200 && outcome === 'succeeded' && heartbeat === 'success' && again === 'duplicate'
}

/** The jobs in the order of the round. Throws for one that moves money and has no place in it. */
export function orderRound<Listed extends Pick<Job, 'name' | 'movesMoney'>>(jobs: readonly Listed[]): Listed[] {
  const lost = jobs.find(({ movesMoney, name }) => movesMoney && !lastJobs.includes(name))
  if (lost !== undefined) throw new Error(`${lost.name} moves money: say in the first round after which job it comes`)
  const first = jobs.filter(({ name }) => !lastJobs.includes(name))
  return [...first, ...lastJobs.flatMap(last => jobs.filter(({ name }) => name === last))]
}

async function playJob(world: World, { name }: Job): Promise<JobResult> {
  const scheduleId = `jobs.${name}`
  const messageId = world.qstash.fire(scheduleId)
  const attempt = await world.qstash.attempted(messageId)
  const answer = readAnswer(attempt.responseBody)
  const url = `${world.url}/jobs/${name}`
  const second = await world.qstash.deliverOnce({ url, messageId, scheduleId, retried: 1 })
  return {
    job: name,
    status: attempt.status,
    outcome: answer?.outcome ?? attempt.error ?? 'no answer',
    durationMs: attempt.durationMs,
    did: describeReport(answer?.report ?? {}),
    heartbeat: await findHeartbeat(world, name),
    again: readAnswer(second.responseBody)?.outcome ?? 'no answer',
  }
}

function readAnswer(body: Buffer): RunAnswer | undefined {
  try {
    return JSON.parse(body.toString()) as RunAnswer
  } catch {
    return undefined
  }
}

function describeReport(report: Readonly<Record<string, unknown>>): string {
  const counts = Object.entries((report['counts'] ?? {}) as Record<string, number>)
  // A table of its own says what they wait for.
  const shown = counts.filter(([what, count]) => count > 0 && !what.startsWith('waits_'))
  const own = shown.map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`)
  const waiting = Number(report['waiting'] ?? 0)
  const findings = Number(report['findings'] ?? 0)
  return [
    ...own,
    ...(waiting === 0 ? [] : [`${waiting} waiting`]),
    ...(findings === 0 ? [] : [`${findings} finding(s)`]),
  ].join('\n')
}

async function findHeartbeat({ betterStack }: World, job: string): Promise<JobResult['heartbeat']> {
  const until = Date.now() + pingWaitMs
  while (betterStack.pings(job).length === 0 && Date.now() < until) await sleep(20)
  return betterStack.pings(job).at(-1)?.kind ?? 'none'
}
