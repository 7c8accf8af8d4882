import closeWithGrace from 'close-with-grace'
import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { type App, createApp } from './app.ts'
import { ConfigError, loadConfig } from './config.ts'

const oldestNode = 24
// Beyond the drain budget: closing runs that were stopped, the last heartbeats, the connections.
const closingMs = 10_000

if (import.meta.main) await main()

/** The process edge: environment, listening, signals. Listens before the database is there, so that health can tell. */
async function main(): Promise<void> {
  if (Number(process.versions.node.split('.')[0]) < oldestNode) {
    exitWith(`Node ${oldestNode} or newer is needed and this is ${process.version}: start with \`npm start\``)
  }
  const config = readConfigOrExit()
  const log = pino({
    level: config.logLevel,
    base: { name: 'eleva-jobs', instance: config.instance, release: config.release },
    // A second net: nothing is meant to log these.
    redact: {
      paths: [
        'headers',
        '*.headers',
        'authorization',
        '*.authorization',
        '*.token',
        '*.secretKey',
        '*.connectionString',
      ],
      censor: '[redacted]',
    },
  })
  const app = await createApp(config, log)
  closeWithGrace({ delay: config.drainMs + closingMs, logger: log }, async ({ err, signal }) => {
    if (err === undefined) log.info({ signal }, 'closing')
    else log.fatal({ err }, 'closing on an error nobody handled')
    await app.end()
  })
  try {
    await app.server.listen({ port: config.port, host: config.host })
  } catch (err) {
    await app.close()
    const reason = err instanceof Error ? err.message : String(err)
    exitWith(`cannot listen on HOST ${config.host}, PORT ${config.port}: ${reason}`)
  }
  try {
    await app.boot()
    log.info({ jobs: [...app.jobs.keys()] }, 'ready')
    void endIfMisplaced(app, log)
  } catch (err) {
    if (app.runner.draining) return
    log.fatal({ err }, 'cannot boot')
    await app.close()
    process.exitCode = 1
  }
}

async function endIfMisplaced(app: App, log: FastifyBaseLogger): Promise<void> {
  const err = await app.misplaced
  log.fatal({ err }, 'cannot go on')
  process.exitCode = 1
  await app.end()
}

function readConfigOrExit() {
  try {
    return loadConfig()
  } catch (err) {
    if (err instanceof ConfigError) exitWith(err.message)
    throw err
  }
}

function exitWith(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
