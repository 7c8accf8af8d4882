import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import { isFine, type JobResult, orderRound } from '../../src/sandbox/first-round.ts'

const main = path.join(import.meta.dirname, '../../src/sandbox/main.ts')
const cli = path.join(import.meta.dirname, '../../src/cli/main.ts')

function startSandbox(t: Test, ...options: string[]) {
  const dir = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-test-'))
  // As root the database runs as another user, who has to enter it.
  chmodSync(dir, 0o755)
  const env = { ...process.env, TMPDIR: dir }
  const child = spawn(process.execPath, [main, ...options], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.resume()
  const printed = async (text: string): Promise<void> => {
    while (!output.includes(text)) await once(child.stdout, 'data')
  }
  return { child, dir, exited: once(child, 'exit'), output: () => output, printed }
}

async function runCli(environmentFile: string, ...words: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [`--env-file=${environmentFile}`, cli, ...words], {
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, output }
}

t.test(
  'one round on nothing but Node: every job succeeds, its heartbeat arrives, and a second delivery is a duplicate',
  async t => {
    const sandbox = startSandbox(t, '--once')
    const [code] = await sandbox.exited
    t.equal(code, 0)
    const output = sandbox.output()
    for (const { name } of jobs) t.match(output, new RegExp(`${name} +│ 200 succeeded │.*│ success +│ duplicate`))
    t.match(output, /blocked dates +│ 80 +│ 40/, 'real rows changed')
    t.ok(output.indexOf('process-expert-transfers') < output.indexOf('process-pending-payouts'))
    for (const line of [
      /transfers recorded +│ EUR +│ +19 │ 1424\.61/,
      /transfers created +│ EUR +│ +1 │ +51\.00/,
      /payouts made +│ USD +│ +1 │ +51\.00/,
      /held for an operator +│ EUR +│ +6 │ +867\.00/,
      /payout-upcoming +│ +2 │ upcoming, complaint-window/,
      /awaiting funds +│ +2 │ money-pending, short-youngest/,
      /row-already-paid +│ +1 │ old-code-paid/,
      /appointment-reminder-24h +│ expert │ es +│ +2 │/,
      /appointment-reminder-24h +│ guest +│ pt +│ +3 │/,
      /appointment-reminder-1h +│ guest +│ es +│ +1 │/,
      /payment-reminder-gentle +│ guest +│ es +│ +1 │/,
      /payment-reminder-urgent +│ guest +│ en +│ +1 │/,
      /reservation-expired +│ guest +│ pt +│ +1 │/,
      /payout-upcoming +│ expert │ pt +│ +2 │/,
      /appointment-reminder-24h +│ dropped │ booked too late +│ +2 │/,
    ]) {
      t.match(output, line)
    }
  },
)

t.test('it stays up, answers, lets the command line in, and Ctrl-C leaves nothing behind', async t => {
  const sandbox = startSandbox(t)
  await sandbox.printed("/runs'\n")
  const url = /service +(http:\/\/127\.0\.0\.1:\d+)/.exec(sandbox.output())?.[1] ?? ''
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  t.match(await (await fetch(`${url}/health?services=true`)).json(), { status: 'pass' })
  const inbox = /Novu +(http:\/\/127\.0\.0\.1:\d+)/.exec(sandbox.output())?.[1] ?? ''
  t.match(await (await fetch(inbox)).text(), 'Lembrete: consulta com Inês Carvalho')
  const file = /set -a; \. (\S+);/.exec(sandbox.output())?.[1] ?? ''
  const findings = await runCli(file, 'findings', '--json')
  t.equal(findings.code, 0)
  t.match(findings.output, 'row-already-paid')
  const dryRun = await runCli(file, 'run', 'process-pending-payouts', '--dry-run', '--json')
  t.equal(dryRun.code, 0, 'what is due has been paid')
  t.match(JSON.parse(dryRun.output), { outcome: 'succeeded', dryRun: true, plan: { effects: [] } })
  sandbox.child.kill('SIGINT')
  const [code] = await sandbox.exited
  t.equal(code, 0)
  await t.rejects(fetch(`${url}/livez`))
  t.same(readdirSync(sandbox.dir), [], 'no data directory and no environment is left')
})

t.test('transfers come before payouts, notices after both, and nothing that moves money has no place', t => {
  const order = orderRound(jobs).map(({ name }) => name)
  t.same(order.slice(-3), ['process-expert-transfers', 'process-pending-payouts', 'check-upcoming-payouts'])
  t.same(order.toSorted(), jobs.map(({ name }) => name).toSorted())
  t.throws(() => orderRound([{ name: 'new-job', movesMoney: true }]), { message: /new-job moves money/ })
  t.end()
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
