import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import { answerSchedules } from './health/answer-schedules.ts'
import type { Answer } from './health/answers.ts'
import { createSchedulesProbe } from './health/schedules-probe.ts'
import type { Fetch } from './providers/http.ts'
import { createQstashSchedules } from './providers/qstash-schedules.ts'
import { readSchedulePlan } from './provision/plan-schedules.ts'
import type { Job } from './runner/define-job.ts'

export interface SchedulesParts {
  readonly config: Pick<Config, 'preview' | 'publicUrl' | 'qstash'>
  readonly jobs: ReadonlyMap<string, Job>
  readonly fetch: Fetch
  readonly clock: () => Date
  readonly log: FastifyBaseLogger
}

/** What says whether the schedules at QStash are those of the jobs. A preview has none to compare. */
export function createSchedulesAnswer({ clock, config, fetch, jobs, log }: SchedulesParts): () => Promise<Answer> {
  const { preview, publicUrl, qstash } = config
  const { token, url } = qstash
  // Who asks has no time to wait: a limit is told, and the next question comes when it is over.
  const schedules =
    token === undefined || preview ? undefined : createQstashSchedules({ url, token, fetch, clock, longestWaitMs: 0 })
  const probe = createSchedulesProbe({
    readPlan:
      schedules && (async signal => await readSchedulePlan(schedules, { jobs: jobs.values(), publicUrl }, signal)),
    disabled: preview ? 'a preview is never scheduled' : 'QSTASH_TOKEN is not set',
    clock,
    log,
  })
  const configured = { preview, publicUrl, missing: token === undefined ? ['QSTASH_TOKEN'] : [] }
  return async () => await answerSchedules(probe, configured)
}
