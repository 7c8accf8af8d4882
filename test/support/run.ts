/**
 * The test command: one PostgreSQL for the whole run, one migrated template database that every test copies, then tap.
 * `--full` also runs the matrices that are sampled otherwise. Other arguments go to tap (files to run).
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Client } from 'pg'
import { createDatabase } from '../../src/database/connection.ts'
import { buildIndexes } from '../../src/database/marketplace-indexes.ts'
import { migrateToLatest } from '../../src/database/migrator.ts'
import { applyMarketplace } from '../../src/sandbox/marketplace.ts'
import { startPostgres } from '../../src/sandbox/postgres.ts'

if (Number(process.versions.node.split('.')[0]) < 24) {
  throw new Error(`Node 24 or newer is needed and this is ${process.version}: run the tests with \`npm test\``)
}
const full = process.argv.includes('--full')
const files = process.argv.slice(2).filter(argument => argument !== '--full')
const server = await startPostgres({ parent: findQuickDirectory() })
// Every file is a process, and most of its start is compiling the same modules.
const compiled = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-compiled-'))
let code = 1
try {
  const admin = new Client({ connectionString: server.url })
  await admin.connect()
  await admin.query('create database template_test')
  await admin.end()
  const db = createDatabase({ connectionString: server.urlOf('template_test'), onError: err => console.error(err) })
  try {
    await applyMarketplace(db)
    await migrateToLatest(db)
    await buildIndexes(db)
  } finally {
    await db.destroy() // a template with open connections cannot be copied
  }

  code = await runTap(files, {
    TEST_DATABASE_URL: server.url,
    TEST_FULL: full ? '1' : '',
    NODE_COMPILE_CACHE: compiled,
  })
} finally {
  await server.stop()
  rmSync(compiled, { recursive: true, force: true })
}
process.exit(code)

/** Memory, where there is plenty: copying a database on a disk can take half a second, and there are hundreds of copies. */
function findQuickDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    return bavail * bsize > 2 * 2 ** 30 ? '/dev/shm' : tmpdir()
  } catch {
    return tmpdir()
  }
}

/** Runs tap, passes its output on, and ends with one plain line of totals. A run without totals has failed. */
async function runTap(files: readonly string[], env: Record<string, string>): Promise<number> {
  let tail = ''
  const tapCode = await new Promise<number>((resolve, reject) => {
    const tap = spawn('tap', ['--reporter=tap', ...files], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    tap.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk)
      tail = (tail + chunk.toString()).slice(-4096)
    })
    tap.on('error', reject).on('close', exitCode => {
      resolve(exitCode ?? 1)
    })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tap.kill(signal))
  })
  const totals = /# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?/.exec(tail)
  if (totals === null) {
    console.log('tap printed no totals')
    return tapCode === 0 ? 1 : tapCode
  }
  console.log(`\n${totals[1] ?? 0} passed, ${totals[2] ?? 0} failed`)
  return tapCode
}
