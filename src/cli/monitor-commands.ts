import { type Command, Option } from 'commander'
import { addCommand, finish, parseWhole } from './command.ts'
import type { HeartbeatLogsChoice } from './heartbeat-logs.ts'
import type { HeartbeatTestChoice } from './heartbeat-test.ts'
import type { ApplyChoice, ImportChoice, PlanChoice } from './monitors-connect.ts'

/** What watches the jobs and the service from outside, and what is known about it. */
export function addMonitorCommands(program: Command): void {
  addMonitors(program)
  addHeartbeats(program)
}

function addMonitors(program: Command): void {
  const monitors = program
    .command('monitors')
    .description('make heartbeats and monitors at Better Stack what the job files say; needs BETTERSTACK_API_TOKEN')
  addPlanned(monitors, 'plan', 'show what apply would do, attribute by attribute; exit code 2 when that is something')
    .option('--prune', 'count what is ours and not wanted any more as something to do')
    .action(async (options: PlanChoice) => await finish((await import('./monitors.ts')).plan(options)))
  addPlanned(monitors, 'apply', 'create and change what is ours; safe to run again')
    .option('--dry-run', 'only show what it would do, as plan does')
    .option('--prune', 'remove what is ours, not wanted any more and used by nobody')
    .option('--beside', 'make new ones beside what was made by hand, instead of taking it over by import')
    .option('--move', 'let monitors watch another host than before')
    // Not --env-file: Node itself would take that one, wherever it stands.
    .option('--write-env <path>', "write the heartbeats' addresses there, as variables, for you alone to read")
    .option('--force', 'replace a file that is there')
    .option('--print', "print the heartbeats' addresses, which are secrets")
    .action(async (options: ApplyChoice) => await finish((await import('./monitors-apply.ts')).apply(options)))
  addPlanned(monitors, 'import', 'show what was made by hand and could become ours; exit code 2 when there is some')
    .option('--apply', 'make it ours: rename it, so that its address and its history stay')
    .action(async (options: ImportChoice) => await finish((await import('./monitors-import.ts')).importAll(options)))
}

function addPlanned(parent: Command, name: string, description: string): Command {
  return addCommand(parent, name, description)
    .option(
      '--plan-limit <n>',
      "how many heartbeats, and how many monitors, the account's plan holds (the free one 10); what matters least is left out",
      parseWhole(1, 1_000_000),
    )
    .option(
      '--shortest-check <seconds>',
      'how often the plan checks at most (the free one 180)',
      parseWhole(30, 3600),
      30,
    )
    .option('--team <name>', 'whose things, for a token of the whole organisation')
    .option('--no-policy', 'make do without an escalation policy, for a plan that has none')
}

function addHeartbeats(program: Command): void {
  const heartbeats = program.command('heartbeats').description('look at the heartbeats of the jobs, and try them')
  addCommand(heartbeats, 'list', 'list which job has which heartbeat, and how often it has to hear of it').action(
    async (options: { json?: boolean }) => await finish((await import('./heartbeats.ts')).list(options)),
  )
  addCommand(
    heartbeats,
    'check',
    'check at Better Stack: configured, ever pinged, period and grace as they should be; needs BETTERSTACK_API_TOKEN',
  )
    .option('--team <name>', 'whose heartbeats, for a token of the whole organisation')
    .action(
      async (options: { json?: boolean; team?: string }) =>
        await finish((await import('./heartbeats.ts')).check(options)),
    )
  addCommand(heartbeats, 'test', 'send one ping to each heartbeat that is configured; it ends an open incident')
    .option('--fail', 'report a failure, which alerts people at once; the next success ends it')
    .option('--yes', 'do not ask before people are alerted')
    .option('--job <name>', 'only to the heartbeat of this job')
    .action(async (options: HeartbeatTestChoice) => await finish((await import('./heartbeat-test.ts')).test(options)))
  addCommand(heartbeats, 'logs', 'list the pings that were sent or are owed, newest first; needs DATABASE_URL alone')
    .option('--job <name>', 'only those of this job')
    .addOption(new Option('--state <state>', 'only those in this state').choices(pingStates))
    .option('--before <ping>', 'only those older than this one', parseWhole(1, Number.MAX_SAFE_INTEGER))
    .option('--limit <n>', 'at most so many, 1 to 200', parseWhole(1, 200), 50)
    .action(async (options: HeartbeatLogsChoice) => await finish((await import('./heartbeat-logs.ts')).show(options)))
}

const pingStates = ['pending', 'sending', 'delivered', 'dropped']
