/**
 * The service as a process of its own, with one job that tells somebody something. Its clock stands in a file that all
 * processes of a test share. It stops at the step it is told, for ever or until it is told to go on.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { recordNotice } from '../../src/notices/record.ts'
import { defineJob } from '../../src/runner/define-job.ts'
import type { ToChild } from './money-child.ts'

const env = process.env
const clockFile = env['CHILD_CLOCK'] ?? ''
let stopAt: string | undefined = env['CHILD_STOP_AT']

process.on('message', ({ stopAt: step }: ToChild) => {
  if (step === undefined) return
  stopAt = step ?? undefined
  process.send?.({ told: true })
})

async function pass(step: string): Promise<void> {
  if (step !== stopAt) return
  stopAt = undefined
  process.send?.({ stoppedAt: step })
  for (;;) {
    const [message] = (await once(process, 'message')) as [ToChild]
    if (message.goOn === true) return
  }
}

/** What it says needs no marketplace. */
const tell = defineJob({
  name: 'tell',
  summary: 'Tells an operator something, once.',
  class: 'operational',
  priority: 'medium',
  cron: '*/10 * * * *',
  timeZone: 'UTC',
  timeoutMs: 20_000,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'NO_HEARTBEAT',
  parse: () => undefined,
  gather: async () => await Promise.resolve(),
  plan: () => ({ effects: [{ kind: 'tell', subject: 'tell' }] }),
  apply: async ({ subject }, { clock, db, runId }) => {
    const facts = { job: subject, runs: 3, runId, message: 'it broke', diagnostics: 'all well' }
    const what = { kind: 'job-failing', subject, recipient: 'operators', occurrence: 'once' } as const
    await recordNotice(db, { ...what, facts, runId, at: clock(), usefulUntil: null })
  },
})

const app = await createApp(loadConfig(), pino({ level: env['LOG_LEVEL'] ?? 'fatal' }, pino.destination(2)), {
  clock: () => new Date(readFileSync(clockFile, 'utf8')),
  jobs: [tell],
  requestsPerMinute: 1_000_000,
  onStep: pass,
  onNoticeStep: async step => await pass(`notice ${step}`),
  noticeTimes: { claimMs: Number(env['CHILD_CLAIM_MS'] ?? 12_000), sendMs: Number(env['CHILD_SEND_MS'] ?? 10_000) },
})
process.on('SIGTERM', () => {
  void app.end().then(() => process.exit(0))
})
await app.server.listen({ port: Number(env['PORT']), host: '127.0.0.1' })
await app.boot()
// It is written when a process ends, and this one will be killed.
flushCompileCache()
process.send?.({ booted: true })
