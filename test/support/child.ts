/**
 * The service as a process of its own, for tests that kill it: real configuration, real sockets, and jobs that leave
 * traces in a table. It tells its parent each step of each run, and stands still for ever at the step it is told to.
 */
import { flushCompileCache } from 'node:module'
import { sql } from 'kysely'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { defineJob, type Job } from '../../src/runner/define-job.ts'

const env = process.env
const stopAt = env['CHILD_STOP_AT']
const jobCount = Number(env['CHILD_JOBS'] ?? 1)
const gatherMs = Number(env['CHILD_GATHER_MS'] ?? 0)
let clockOffsetMs = 0
process.on('message', (message: { clockAt?: string }) => {
  if (message.clockAt !== undefined) clockOffsetMs = Date.parse(message.clockAt) - Date.now()
  process.send?.({ clockSet: true })
})

interface Row {
  readonly id: number
}

/** Does each row of `child_rows` of its name once, and writes down every time it does. */
function tracedJob(name: string): Job {
  return defineJob({
    name,
    summary: 'Leaves traces.',
    class: 'operational',
    priority: 'medium',
    cron: '*/10 * * * *',
    timeZone: 'UTC',
    timeoutMs: 20_000,
    retries: 3,
    movesMoney: false,
    heartbeat: name === 'traced-0' ? 'BETTERSTACK_KEEP_ALIVE_HEARTBEAT' : `NO_HEARTBEAT_${name}`,
    parse: () => undefined,
    gather: async ({ db, signal }) => {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, gatherMs)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(signal.reason as Error)
        })
      })
      const { rows } = await sql<Row>`select id from child_rows where job = ${name} and not done order by id`.execute(
        db,
      )
      return rows
    },
    plan: (rows: readonly Row[]) => ({ effects: rows.map(row => ({ kind: 'trace', subject: String(row.id) })) }),
    apply: async ({ subject }, { attempt, db, runId }) => {
      await sql`
        with done as (update child_rows set done = true where id = ${Number(subject)} and not done returning id)
        insert into child_traces (row_id, run_id, attempt) select id, ${runId}, ${attempt} from done`.execute(db)
    },
  })
}

const app = await createApp(loadConfig(), pino({ level: 'warn' }, pino.destination(2)), {
  clock: () => new Date(Date.now() + clockOffsetMs),
  jobs: Array.from({ length: jobCount }, (_, index) => tracedJob(`traced-${index}`)),
  requestsPerMinute: 1_000_000,
  onStep: async (step, runId) => {
    process.send?.({ step, runId })
    if (step === stopAt) await new Promise(() => {})
  },
})
process.on('SIGTERM', () => {
  void app.end().then(() => process.exit(0))
})
const address = await app.server.listen({ port: Number(env['PORT']), host: '127.0.0.1' })
// It is written when a process ends, and this one may be killed.
flushCompileCache()
process.send?.({ listening: address })
await app.boot()
process.send?.({ booted: true })
