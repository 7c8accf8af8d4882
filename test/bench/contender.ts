/**
 * One side of a comparison as a process of its own, so that the two never share an event loop. The reference sides are
 * what somebody would write by hand; the service sides are the real application with jobs that do nothing.
 */
import { fastify } from 'fastify'
import { sql } from 'kysely'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createDatabase } from '../../src/database/connection.ts'
import { expectedUrl } from '../../src/plugins/expected-url.ts'
import qstashSignature from '../../src/plugins/qstash-signature.ts'
import { defineJob } from '../../src/runner/define-job.ts'

const config = loadConfig()
const side = process.env['BENCH_SIDE']
const jobCount = 50

const server = side === 'service' ? await startService() : await startReference()
process.send?.({ listening: server })

async function startService(): Promise<string> {
  const app = await createApp(config, pino({ level: 'silent' }), {
    requestsPerMinute: 1_000_000_000,
    jobs: Array.from({ length: jobCount }, (_, index) =>
      defineJob({
        name: `noop-${index}`,
        summary: 'Does nothing.',
        class: 'operational',
        priority: 'medium',
        cron: '*/10 * * * *',
        timeZone: 'UTC',
        timeoutMs: 60_000,
        retries: 3,
        movesMoney: false,
        heartbeat: `NO_HEARTBEAT_${index}`,
        parse: () => undefined,
        gather: async () => undefined,
        plan: () => ({ effects: [] }),
        apply: async () => undefined,
      }),
    ),
  })
  const address = await app.server.listen({ port: 0, host: '127.0.0.1' })
  await app.boot()
  return address
}

/** Signature check, INSERT, UPDATE: the least that records a delivery; and a route that answers a constant. */
async function startReference(): Promise<string> {
  const db = createDatabase({ connectionString: config.databaseUrl, onError: () => {} })
  const app = fastify({ logger: false, exposeHeadRoutes: false })
  app.get('/livez', async () => ({ status: 'pass' }))
  await app.register(async scope => {
    await scope.register(qstashSignature, {
      keys: { current: config.qstash.currentSigningKey, next: config.qstash.nextSigningKey },
      expectedUrl: expectedUrl(config.publicUrl),
      clock: () => new Date(),
    })
    scope.post<{ Params: { job: string } }>('/jobs/:job', { config: { door: 'signature' } }, async request => {
      const messageId = request.headers['upstash-message-id']
      const { rows } = await sql<{ id: string }>`
        insert into bench_runs (job, message_id, state, started_at) values (${request.params.job}, ${messageId},
        'running', ${new Date()}) on conflict (job, message_id) do nothing returning id`.execute(db)
      const report = { planned: 0, applied: 0, failed: 0, left: 0 }
      await sql`update bench_runs set state = 'succeeded', finished_at = ${new Date()}, report = ${JSON.stringify(report)}
        where id = ${rows[0]?.id}`.execute(db)
      return { runId: rows[0]?.id, job: request.params.job, outcome: 'succeeded', report }
    })
  })
  return await app.listen({ port: 0, host: '127.0.0.1' })
}

process.on('SIGTERM', () => process.exit(0))
