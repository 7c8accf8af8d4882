import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { isFine, type JobResult } from '../../src/sandbox/first-round.ts'

const main = path.join(import.meta.dirname, '../../src/sandbox/main.ts')

function startSandbox(t: Test, ...options: string[]) {
  const child = spawn(process.execPath, [main, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.resume()
  const printed = async (text: string): Promise<void> => {
    while (!output.includes(text)) await once(child.stdout, 'data')
  }
  return { child, exited: once(child, 'exit'), output: () => output, printed }
}

const listClusters = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('eleva-jobs-pg-'))

t.test(
  'one round on nothing but Node: every job succeeds, its heartbeat arrives, and a second delivery is a duplicate',
  async t => {
    const sandbox = startSandbox(t, '--once')
    const [code] = await sandbox.exited
    t.equal(code, 0)
    for (const job of ['process-tasks', 'cleanup-blocked-dates', 'keep-alive']) {
      t.match(sandbox.output(), new RegExp(`${job} +│ 200 succeeded │.*│ success +│ duplicate`))
    }
    t.match(sandbox.output(), /blocked dates +│ 38 +│ 19/, 'real rows changed')
  },
)

t.test('it stays up, answers, and Ctrl-C leaves nothing behind', async t => {
  const before = listClusters()
  const sandbox = startSandbox(t)
  await sandbox.printed('Ctrl-C stops all of it')
  const url = /service +(http:\/\/127\.0\.0\.1:\d+)/.exec(sandbox.output())?.[1] ?? ''
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  t.match(await (await fetch(`${url}/health?services=true`)).json(), { status: 'pass' })
  sandbox.child.kill('SIGINT')
  const [code] = await sandbox.exited
  t.equal(code, 0)
  await t.rejects(fetch(`${url}/livez`))
  t.same(
    listClusters().filter(name => !before.includes(name)),
    [],
    'no data directory is left',
  )
})

t.test('a round in which anything went otherwise is no success', t => {
  const fine: JobResult = {
    job: 'x',
    status: 200,
    outcome: 'succeeded',
    durationMs: 1,
    did: '',
    heartbeat: 'success',
    again: 'duplicate',
  }
  t.ok(isFine(fine))
  for (const change of [
    { status: 500 },
    { status: undefined },
    { outcome: 'failed' },
    { heartbeat: 'none' as const },
    { heartbeat: 'fail' as const },
    { again: 'succeeded' },
  ]) {
    t.notOk(isFine({ ...fine, ...change }), JSON.stringify(change))
  }
  t.end()
})
