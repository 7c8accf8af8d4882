import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import type { Diagnosis } from '../../src/diagnostics/diagnose.ts'
import { cli, type Env } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'
import { readTable } from '../support/sources.ts'
import packageJson from '../../package.json' with { type: 'json' }

const gone = 'http://127.0.0.1:9'

function environmentOf(databaseUrl: string): Env {
  return {
    NODE_ENV: 'test',
    DATABASE_URL: databaseUrl,
    PUBLIC_URL: 'https://jobs.example.test',
    APP_URL: gone,
    QSTASH_CURRENT_SIGNING_KEY: 'sig_planted_current',
    QSTASH_NEXT_SIGNING_KEY: 'sig_planted_next',
    OPERATOR_TOKEN: 'planted-operator-token-0123456789',
    STRIPE_SECRET_KEY: 'sk_test_planted',
    STRIPE_API_BASE_URL: gone,
    NOVU_SECRET_KEY: 'planted-novu-key',
    NOVU_BASE_URL: gone,
  }
}

t.test('it says how each component is and what to do; a failure is exit code 1, a warning is not', async t => {
  const { url } = await testDatabase(t)
  const env = environmentOf(url)
  const database = await cli(t, ['diagnose', 'database'], env)
  t.equal(database.code, 0, database.stderr)
  t.match(database.stdout, /^database +pass$/m)
  const qstash = await cli(t, ['diagnose', 'qstash'], env)
  t.equal(qstash.code, 0)
  t.match(qstash.stdout, /^qstash +warn\n {2}- QSTASH_TOKEN is not set.+\n {2}> set QSTASH_TOKEN/m)

  const all = await cli(t, ['diagnose', '--json'], env)
  t.equal(all.code, 1)
  const { components, status } = JSON.parse(all.stdout) as Diagnosis
  t.equal(status, 'fail')
  t.match(components.novu?.issues[0], /^could not read the workflows at Novu/)
  t.match(components.database, { status: 'pass', details: { missingMigrations: 0 } })
  t.notMatch(all.stdout, /poolSize|memoryMb/, 'this process is not the service')
})

t.test('an answer that needs nobody who hangs is there after seconds, and the command ends', async t => {
  const silent = createServer(socket => sockets.add(socket))
  const sockets = new Set<Socket>()
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const env = {
    ...environmentOf(`postgres://u:planted@127.0.0.1:${port}/x`),
    STRIPE_API_BASE_URL: url,
    NOVU_BASE_URL: url,
  }
  const { code, stdout } = await cli(t, ['diagnose', 'all', '--details'], env)
  t.equal(code, 1)
  t.match(stdout, /^stripe +fail\n {2}- could not read our account at Stripe within 2500 ms$/m)
  t.match(stdout, /^ {4}notSet: \["QSTASH_TOKEN","CLERK_SECRET_KEY"\]$/m)
  t.notMatch(stdout, /planted|how fast the site/)
})

t.test('without a configuration it says what is missing, and asks nobody', async t => {
  const { code, stdout } = await cli(t, ['diagnose'], {})
  t.equal(code, 1)
  t.match(stdout, /^environment +fail\n {2}- DATABASE_URL is missing/m)
  t.match(stdout, / {2}> \.env\.example describes each variable/)
  const unknown = await cli(t, ['diagnose', 'weather'], {})
  t.equal(unknown.code, 1)
  t.match(unknown.stderr, /Allowed choices are all, environment, database, qstash/)
})

t.test("each npm name says in its first line what it lacks, in the README's words", async t => {
  const { scripts } = packageJson as { readonly scripts: Readonly<Record<string, string>> }
  const rows = readTable(readFileSync('README.md', 'utf8'), 'npm name')
  t.equal(rows.length, 13)
  for (const [name = '', code, line] of rows) {
    const [, , ...args] = (scripts[name.replaceAll('`', '').replace('npm run ', '')] ?? '').split(' ')
    const { code: real, stderr } = await cli(t, args, {})
    t.strictSame([String(real), stderr.split('\n')[0]], [code, line], name)
  }
})
