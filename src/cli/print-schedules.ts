import { countPending, type SchedulePlan } from '../provision/plan-schedules.ts'
import { redact } from '../runner/redact.ts'
import { type Cell, printLine, printNote, printTable } from './print.ts'

/** What is wrong with one that is doubtful. */
export const doubt = 'runs, and was paused when it was changed last'

/** The plan as JSON: everything that is or would be, with the reason where there is one. */
export function describePlan(plan: SchedulePlan) {
  const { changes, creates, doubtful, orphans, paused, unchanged, unmanaged, warnings } = plan
  return {
    pending: countPending(plan),
    create: creates,
    change: changes.map(({ differences, paused, wanted: { id } }) => ({ id, paused, differences })),
    orphan: orphans.map(({ destination, id }) => ({ id, destination: redact(destination) })),
    paused: paused.map(({ id }) => id),
    doubtful: doubtful.map(({ id }) => id),
    unmanaged: unmanaged.map(({ job, schedule: { destination, id } }) => ({
      id,
      destination: redact(destination),
      job: job ?? null,
    })),
    unchanged: unchanged.map(({ id }) => id),
    warnings,
  }
}

/** The plan as a table: what would be done first, then what is only told. */
export function printPlan(plan: SchedulePlan): void {
  const rows = [...listPending(plan), ...listTold(plan)]
  if (rows.length > 0) printTable(['plan', 'schedule', 'what', 'is', 'wanted'], rows)
  const pending = countPending(plan)
  const { unchanged } = plan
  printLine(
    pending === 0
      ? `nothing to do: ${unchanged.length} schedules are as they should be`
      : `${pending} to do, ${unchanged.length} as they should be: \`schedules apply\` does it`,
  )
  for (const warning of plan.warnings) printNote(`warning: ${warning}`)
}

function listPending({ changes, creates, orphans }: SchedulePlan): Cell[][] {
  return [
    ...creates.map(({ cron, id, timeZone }): Cell[] => [
      { text: 'create', style: 'green' },
      id,
      'missing',
      '',
      `${cron} ${timeZone}`,
    ]),
    ...changes.flatMap(({ differences, wanted: { id } }) =>
      differences.map(({ field, is, wanted }, index): Cell[] => [
        { text: index > 0 ? '' : 'change', style: 'yellow' },
        index > 0 ? '' : id,
        field,
        is,
        wanted,
      ]),
    ),
    ...orphans.map(({ destination, id }): Cell[] => [
      { text: 'remove', style: 'red' },
      id,
      'orphan: no job has it',
      redact(destination),
      '',
    ]),
  ]
}

function listTold({ doubtful, paused, unmanaged }: SchedulePlan): Cell[][] {
  return [
    ...doubtful.map(({ id }): Cell[] => [{ text: 'doubtful', style: 'red' }, id, `${doubt}: not touched`, '', '']),
    ...paused.map(({ id }): Cell[] => [
      { text: 'paused', style: 'yellow' },
      id,
      'paused in the console: stays so',
      '',
      '',
    ]),
    ...unmanaged.map(({ job, schedule: { destination, id } }): Cell[] => [
      { text: 'unmanaged', style: 'dim' },
      id,
      job === undefined ? 'not ours: not touched' : `not ours, calls ${job} too: not touched`,
      redact(destination),
      '',
    ]),
  ]
}
