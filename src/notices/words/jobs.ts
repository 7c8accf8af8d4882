import type { PayloadOf } from '../catalogue.ts'
import type { Wanted } from '../render.ts'
import { toDay, toTime } from './phrases.ts'

/** For operators, in English and UTC: a job keeps failing, with the diagnostics of that moment. */
export function renderJobFailing({ environment, facts, now }: Wanted<'job-failing'>): PayloadOf<'system-health'> {
  const { diagnostics, job, message, runId, runs } = facts
  const times = runs === 1 ? 'has failed' : `has failed ${runs} times in a row`
  const cause = message.trim() === '' ? '' : `: ${message.trim()}`
  return {
    eventType: 'health-check-failure',
    status: 'unhealthy',
    timestamp: now.toISOString(),
    environment,
    error: [`The job ${job} ${times}, last in run ${runId}${cause}`, diagnostics.trim()].filter(Boolean).join('\n\n'),
    locale: 'en',
  }
}

/** For operators: a job that kept failing works again. The workflow has one field for text, whatever the news. */
export function renderJobRecovered({
  environment,
  facts,
  now,
  reader,
}: Wanted<'job-recovered'>): PayloadOf<'system-health'> {
  const { failedSince, job, runId } = facts
  const since = new Date(failedSince)
  return {
    status: 'healthy',
    timestamp: now.toISOString(),
    environment,
    error: `The job ${job} works again since run ${runId}. It had been failing since ${toDay(since, reader)}, ${toTime(since, reader)}.`,
    locale: 'en',
  }
}
