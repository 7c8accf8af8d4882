#!/usr/bin/env node
import { Argument, Command, CommanderError, Option } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { runStates } from '../database/tables.ts'
import { type ComponentName, componentNames } from '../diagnostics/component.ts'
import { toError } from '../errors.ts'
import { redact } from '../runner/redact.ts'
import type { DiagnoseOptions } from './diagnose.ts'
import { addCommand, finish, parsePlanHash, parseRemark, parseRunId, parseWhole } from './command.ts'
import { addMoneyCommands } from './money-commands.ts'
import { addMonitorCommands } from './monitor-commands.ts'
import { addNoticeCommands } from './notice-commands.ts'
import { refuseSwallowedOptions } from './npm-options.ts'
import type { SwitchOptions } from './pause.ts'
import { printJson, printNote } from './print.ts'
import { addScheduleCommands } from './schedule-commands.ts'
import type { RunOptions } from './run.ts'
import type { RunsOptions } from './runs.ts'
import type { SlotsOptions } from './slots.ts'

const oldestNode = 24
// Whatever a command left open (code of a job that does not stop) must not keep the shell waiting.
const lingerMs = 2_000

await main()

/** The terminal's edge: maps the arguments to one command, and what it comes to to an exit code. */
async function main(): Promise<void> {
  if (Number(process.versions.node.split('.')[0]) < oldestNode) {
    printNote(`Node ${oldestNode} or newer is needed and this is ${process.version}: use \`npm run cli -- <command>\``)
    process.exitCode = 1
    return
  }
  // The reader may have seen enough (`… | head`).
  process.stdout.on('error', err => process.exit('code' in err && err.code === 'EPIPE' ? process.exitCode : 1))
  try {
    await createProgram().parseAsync()
  } catch (thrown) {
    process.exitCode = thrown instanceof CommanderError ? thrown.exitCode : reportFailure(toError(thrown))
  }
  setTimeout(() => process.exit(), lingerMs).unref()
}

function createProgram(): Command {
  const program = new Command('eleva-jobs')
    .description('Runs, watches and mends the scheduled jobs of Eleva Care.')
    .version(packageJson.version)
    .exitOverride()
    // An option belongs to the command that it follows, not to one above it.
    .enablePositionalOptions()
    .showHelpAfterError('`npm run cli -- --help` lists commands, `npm run cli -- help <command>` explains one')
    .addHelpText('after', helpText())
    .hook('preAction', (_program, { options }) => {
      refuseSwallowedOptions(options, process.argv.slice(2))
    })
  addReading(program)
  addRunning(program)
  addSwitches(program)
  addMoneyCommands(program)
  addNoticeCommands(program)
  addScheduleCommands(program)
  addMonitorCommands(program)
  addUpkeep(program)
  return program
}

/** Commands import their file when they are called: asking for help must not wait for the database driver. */
function addReading(program: Command): void {
  addCommand(program, 'jobs', 'list the jobs: when they run, what they may do, whether they are watched').action(
    async (options: { json?: boolean }) => await finish((await import('./jobs.ts')).showJobs(options)),
  )
  addCommand(program, 'runs', 'list runs, newest first, or show one with plan, report, attempts and pings')
    .addArgument(new Argument('[id]', 'the run to show').argParser(parseRunId))
    .option('--job <name>', 'only runs of this job')
    .addOption(new Option('--state <state>', 'only runs in this state').choices(runStates))
    .option('--before <run>', 'only runs older than this one', parseRunId)
    .option('--limit <n>', 'at most so many, 1 to 200', parseWhole(1, 200), 50)
    .option('--id <run>', 'the run to show', parseRunId)
    .action(async (id: string | undefined, { id: named, ...options }: RunsOptions & { id?: string }) => {
      const { showRun, showRuns } = await import('./runs.ts')
      const wanted = id ?? named
      return await finish(wanted === undefined ? showRuns(options) : showRun(wanted, options))
    })
  addCommand(program, 'slots', 'account for every slot that was due: ran, skipped, paused, failed, missed, doubled')
    .option('--job <name>', 'only this job')
    .option('--days <n>', 'how far back, 1 to 400', parseWhole(1, 400), 30)
    .option('--all', 'list the slots that ran as well')
    .action(async (options: SlotsOptions) => await finish((await import('./slots.ts')).showSlots(options)))
}

function addRunning(program: Command): void {
  addCommand(program, 'run', 'run a job once, now; Ctrl-C lets it finish, a second Ctrl-C stops it')
    .argument('<job>')
    .option('--dry-run', 'only show what it would do')
    .option('--input <json>', 'input for a job that takes some, as JSON or @file; today none does')
    .option('--plan-hash <hash>', 'do nothing when the plan is no longer the one of this hash', parsePlanHash)
    .option('--ping', 'report to the heartbeat, which a run by hand otherwise does not')
    .option('--as <name>', 'who runs it, for the audit; your user name unless given')
    .option('--verbose', "the service's log lines on stderr")
    .action(async (job: string, options: RunOptions) => await finish((await import('./run.ts')).run(job, options)))
}

function addSwitches(program: Command): void {
  const switches = [
    ['pause', 'stop a job before its next effect, until it is resumed'],
    ['resume', 'let a paused job run again'],
  ] as const
  for (const [name, description] of switches) {
    addCommand(program, name, description)
      .argument('<job>')
      .requiredOption('--reason <text>', 'why, for the audit', parseRemark)
      .option('--as <name>', 'who does it, for the audit; your user name unless given')
      .action(
        async (job: string, options: SwitchOptions) => await finish((await import('./pause.ts'))[name](job, options)),
      )
  }
}

function addUpkeep(program: Command): void {
  addCommand(program, 'migrate', "bring the service's own tables up to this build; needs DATABASE_URL alone")
    .option('--dry-run', 'only list what is missing; exit code 2 when something is')
    .action(
      async (options: { dryRun?: boolean; json?: boolean }) =>
        await finish((await import('./migrate.ts')).migrate(options)),
    )
  addCommand(program, 'check', 'check configuration, database, migrations, marketplace and heartbeats').action(
    async (options: { json?: boolean }) => await finish((await import('./check.ts')).check(options)),
  )
  addCommand(
    program,
    'diagnose',
    'look at everything that the jobs need, and say what to do; exit code 1 when something fails',
  )
    .addArgument(new Argument('[component]', 'only this one').choices(['all', ...componentNames]))
    .option('--details', 'the figures, too')
    .action(
      async (component: ComponentName | 'all' | undefined, options: DiagnoseOptions) =>
        await finish((await import('./diagnose.ts')).diagnose(component, options)),
    )
  const novu = program.command('novu').description('look at what Novu has of ours')
  addCommand(
    novu,
    'diagnose',
    'compare the workflows that notices use with those that Novu has; needs its key alone',
  ).action(
    async (options: { json?: boolean }) => await finish((await import('./novu-diagnostics.ts')).diagnoseNovu(options)),
  )
}

/** One clear message and no stack. Redacted, because a driver may put anything into its errors. */
function reportFailure(err: Error): number {
  const message = redact(err.message === '' ? nameOf(err) : err.message)
  if (process.argv.includes('--json')) printJson({ error: message })
  printNote(`eleva-jobs: ${message}`)
  return 1
}

/** A refused connection to several addresses comes without a message. */
function nameOf(err: Error): string {
  return 'code' in err ? `something failed (${String(err.code)})` : err.name
}

function helpText(): string {
  return `
Every command takes --json and then writes one JSON document to stdout; what is wrong with the
command line itself is said on stderr. Times are UTC.

Environment:
  DATABASE_URL  all that runs, slots, pause, resume, findings, operations, approve, decline,
                notices, heartbeats logs and migrate need
  NOVU_SECRET_KEY, NOVU_BASE_URL  all that novu diagnose needs
  QSTASH_TOKEN, QSTASH_URL  all that schedules list, stats and remove need; plan and apply need PUBLIC_URL too
  BETTERSTACK_API_TOKEN, BETTERSTACK_API_BASE_URL  all that heartbeats check needs beside the heartbeats' own variables;
                monitors plan, apply and import need PUBLIC_URL and OPERATOR_TOKEN too
  The rest of the service's environment is needed by run, check and diagnose; .env.example describes each variable.
  NO_COLOR      no colours on a terminal either

Exit codes:
  0  fine
  1  trouble: a run that did not succeed, a slot missed, failed or doubled, a check that failed, a workflow that
     differs, something that could not be changed, or was not approved or declined, a wrong command
  2  changes pending (migrate --dry-run, schedules plan, monitors plan, monitors import)

Examples:
  eleva-jobs jobs
  eleva-jobs diagnose webhooks
  eleva-jobs run process-tasks --dry-run
  eleva-jobs runs --job keep-alive --state failed
  eleva-jobs runs 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b
  eleva-jobs slots --days 7
  eleva-jobs pause keep-alive --reason 'the site is being moved'
  eleva-jobs findings resolve 12 --note 'reversed at Stripe, tr_1032D82eZvKYlo2C'
  eleva-jobs operations --state held
  eleva-jobs approve 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b --note 'agreed with finance'
  eleva-jobs decline 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b --note 'paid by bank transfer'
  eleva-jobs notices --state poison
  eleva-jobs notices retry 42 --note 'the workflow has its field again'
  eleva-jobs schedules plan
  eleva-jobs monitors apply --write-env heartbeats.env
  eleva-jobs heartbeats check
  eleva-jobs migrate --dry-run`
}
