import { styleText } from 'node:util'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import { sql } from 'kysely'
import { isFine, type JobResult, playFirstRound } from './first-round.ts'
import { readMoneyReport } from './money-report.ts'
import { readPeopleReport, waitForNotices } from './people-report.ts'
import { printMoney } from './print-money.ts'
import { printPeople } from './print-people.ts'
import { startWorld, type World } from './world.ts'

const oldestNode = 24
const plain = { head: [], border: [], compact: true }

interface Options {
  readonly once: boolean
  readonly port?: number
  readonly postgresPort?: number
  readonly qstashPort?: number
  readonly speed: number
  readonly verbose: boolean
}

const program = new Command('sandbox')
  .description(
    'Starts PostgreSQL, a demo marketplace, stand-ins of every vendor and the service on this machine, runs every job once and shows what happened.',
  )
  .option('--once', 'stop after the first round; exit 1 if anything failed', false)
  .option('--port <port>', 'port of the service (a free one unless given)', parsePort)
  .option('--postgres-port <port>', 'port of PostgreSQL (a free one unless given)', parsePort)
  .option('--qstash-port <port>', 'port of the QStash stand-in (a free one unless given)', parsePort)
  .option('--speed <factor>', 'how many times faster than real time schedules fire, 1 to 100', parseSpeed, 1)
  .option('--verbose', 'show the log of the service', false)
  .action(async (options: Options) => {
    await play(options)
  })

if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  console.error(`Node ${oldestNode} or newer is needed and this is ${process.version}: use \`npm run sandbox\``)
  process.exit(1)
}
try {
  await program.parseAsync()
} catch (err) {
  console.error(err instanceof Error ? `the sandbox did not start: ${err.message}` : err)
  process.exit(1)
}

async function play({ once, verbose, ...options }: Options): Promise<void> {
  const startedAt = performance.now()
  const world = await startWorld({
    ...options,
    logLevel: verbose ? 'info' : 'error',
    onProgress: what => {
      console.error(styleText('dim', `starting ${what}`, { stream: process.stderr }))
    },
  })
  const stop = async (code: number): Promise<never> => {
    await world.close()
    process.exit(code)
  }
  const stopped = new Promise<void>(resolve => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
  })
  void stopped.then(async () => await stop(process.exitCode === undefined ? 0 : Number(process.exitCode)))

  const before = await countRows(world)
  const results = await playFirstRound(world, job => {
    console.error(styleText('dim', `QStash delivers ${job}`, { stream: process.stderr }))
  })
  await waitForNotices(world.db)
  printRound(results, before, await countRows(world))
  printMoney(await readMoneyReport(world.db, world.money))
  const people = await readPeopleReport(world.db, world.novu.inbox())
  printPeople(people)
  console.log(`\nFrom nothing to here in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`)
  const fine = results.every(isFine) && people.troubles.length === 0
  if (!fine) console.log('Something did not go as a healthy demo does: see above.')
  if (once) await stop(fine ? 0 : 1)
  if (!fine) process.exitCode = 1
  printWayOn(world)
}

interface RowCounts {
  readonly blockedDates: number
  readonly runs: number
  readonly refreshes: number
  readonly findings: number
}

async function countRows({ db }: World): Promise<RowCounts> {
  const { rows } = await sql<RowCounts>`
    select (select count(*)::integer from blocked_dates) as "blockedDates",
      (select count(*)::integer from jobs.runs) as runs,
      (select count(*)::integer from jobs.token_refreshes) as refreshes,
      (select count(*)::integer from jobs.findings where state = 'open') as findings`.execute(db)
  return rows[0] ?? { blockedDates: 0, runs: 0, refreshes: 0, findings: 0 }
}

function printRound(results: readonly JobResult[], before: RowCounts, after: RowCounts): void {
  const jobs = new Table({
    style: plain,
    head: ['job', 'answer', 'took', 'what it did', 'heartbeat', 'same message again'],
  })
  for (const result of results) {
    const answer = `${result.status ?? '-'} ${result.outcome}`
    jobs.push([result.job, answer, `${Math.round(result.durationMs)} ms`, result.did, result.heartbeat, result.again])
  }
  const rows = new Table({ style: plain, head: ['rows in the database', 'before', 'after'] })
  rows.push(
    ['blocked dates', before.blockedDates, after.blockedDates],
    ['runs on record', before.runs, after.runs],
    ['calendar tokens refreshed today', before.refreshes, after.refreshes],
    ['open findings', before.findings, after.findings],
  )
  console.log(`\n${jobs.toString()}\n${rows.toString()}`)
}

function printWayOn({
  betterStack,
  clerk,
  databaseUrl,
  environmentFile,
  novu,
  operatorToken,
  posthog,
  qstash,
  resend,
  stripe,
  url,
}: World): void {
  const bearer = `-H 'Authorization: Bearer ${operatorToken}'`
  console.log(`
The service stays up, and the schedules keep firing. Ctrl-C stops all of it.

  service       ${url}
  QStash        ${qstash.url}
  Stripe        ${stripe.url}
  Novu          ${novu.url} (open it in a browser: the inbox of everybody)
  Better Stack  ${betterStack.url}
  Clerk         ${clerk.url}
  Resend        ${resend.url}
  PostHog       ${posthog.url}
  PostgreSQL    ${databaseUrl}

What to try, in another terminal in this directory:

  set -a; . ${environmentFile}; set +a

  npm run cli -- findings
  npm run cli -- notices
  npm run cli -- run process-pending-payouts --dry-run
  npm run cli -- operations --state held
  npm run cli -- approve <operation>
  npm run cli -- run process-pending-payouts

  npm run cli -- schedules plan
  npm run betterstack:plan
  npm run check:heartbeats
  npm run cli -- diagnose

  curl -d '{"kind":"status","status":503}' ${clerk.url}/_control/setFault
  curl ${bearer} '${url}/health/clerk'
  curl -X POST ${clerk.url}/_control/setFault
  curl '${url}/health?services=true'
  curl ${bearer} '${url}/diagnostics?component=all&details=true'
  curl ${bearer} '${url}/runs?limit=5'
  curl ${bearer} -H 'Content-Type: application/json' -d '{"job":"cleanup-blocked-dates","dryRun":true}' '${url}/runs'
`)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('a port is a whole number from 1 to 65535.')
}

function parseSpeed(text: string): number {
  const speed = Number(text)
  if (speed >= 1 && speed <= 100) return speed
  throw new InvalidArgumentError('the speed is a number from 1 to 100.')
}
