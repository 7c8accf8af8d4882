/**
 * The service as a process of its own, with the jobs that move money. Its clock stands in a file that all processes of a
 * test share, so that a process that was frozen sees on waking how late it is. It stops where it is told to, for ever or
 * until it is told to go on.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'

const env = process.env
const clockFile = env['CHILD_CLOCK'] ?? ''
let stopAt: string | undefined

export interface ToChild {
  readonly stopAt?: string | null
  readonly goOn?: true
}

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

const app = await createApp(loadConfig(), pino({ level: env['LOG_LEVEL'] ?? 'fatal' }, pino.destination(2)), {
  clock: () => new Date(readFileSync(clockFile, 'utf8')),
  jobs: [processExpertTransfers, processPendingPayouts],
  requestsPerMinute: 1_000_000,
  onStep: pass,
  onLedgerStep: pass,
})
await app.server.listen({ port: Number(env['PORT']), host: '127.0.0.1' })
await app.boot()
// It is written when a process ends, and this one will be killed.
flushCompileCache()
process.send?.({ booted: true })
