import type { Command } from 'commander'
import { addCommand, finish, parseWhole } from './command.ts'
import { freePlanLimit } from '../provision/schedule-limit.ts'
import type { ApplyChoice } from './schedules.ts'
import type { PlanChoice } from './schedules-connect.ts'
import type { RemoveChoice } from './schedules-remove.ts'

/** The schedules at QStash, made from the job files. */
export function addScheduleCommands(program: Command): void {
  const schedules = program
    .command('schedules')
    .description('make the schedules at QStash what the job files say; needs QSTASH_TOKEN and PUBLIC_URL')
  const addPlanned = (name: string, description: string): Command =>
    addCommand(schedules, name, description).option(
      '--plan-limit <n>',
      `how many schedules the account's plan allows, to warn above it (unless given: ${freePlanLimit}, or what is there)`,
      parseWhole(1, 1_000_000),
    )
  const addCompared = (name: string, description: string): Command =>
    addPlanned(name, description).option(
      '--resumed <job...>',
      'these run, although they were paused when they were changed last, and may',
    )
  addCompared(
    'plan',
    'show what apply would do, field by field; exit code 2 when that is something, 1 when a person has to decide first',
  ).action(async (options: PlanChoice) => await finish((await import('./schedules.ts')).plan(options)))
  addCompared('apply', 'create and change schedules, then remove ours that no job has; safe to run again')
    .option('--dry-run', 'the same as plan')
    .option('--move', 'let schedules that call another environment of this service call this one')
    .action(async (options: ApplyChoice) => await finish((await import('./schedules.ts')).apply(options)))
  addCommand(schedules, 'list', 'list every schedule of the account, ours first').action(
    async (options: { json?: boolean }) => await finish((await import('./schedules-list.ts')).list(options)),
  )
  addPlanned('stats', 'show how the schedules are doing, and what of the plan they use').action(
    async (options: PlanChoice) => await finish((await import('./schedules-list.ts')).stats(options)),
  )
  addCommand(schedules, 'remove', 'remove schedules of ours, after asking: those named, else all')
    .argument('[job...]', 'jobs, or ids of schedules')
    .option('--orphans', 'only those that no job has')
    .option('--yes', 'do not ask')
    .action(
      async (names: string[], options: RemoveChoice) =>
        await finish((await import('./schedules-remove.ts')).remove(names, options)),
    )
}
