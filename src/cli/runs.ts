import type { RunState } from '../database/tables.ts'
import { listOperationsWithItems, type OperationSummary } from '../database/operation-queries.ts'
import { findRun, listRuns, type RunSummary } from '../database/run-history.ts'
import { jobs } from '../jobs/index.ts'
import { withLedger } from './connect.ts'
import { getJob } from './jobs.ts'
import { printOperations } from './operations.ts'
import { printSome } from './print-values.ts'
import { type Cell, printFacts, printJson, printLine, printTable, type Style, toDuration, toUtc } from './print.ts'
import { printPlan, printReport } from './print-plan.ts'

export interface RunsOptions {
  readonly job?: string
  readonly state?: RunState
  readonly before?: string
  readonly limit: number
  readonly json?: boolean
}

/** Lists runs, newest first. Throws when nothing was found under a job's name that does not exist. */
export async function showRuns({ json = false, limit, ...filter }: RunsOptions): Promise<number> {
  return await withLedger(async db => {
    const runs = await listRuns(db, { ...filter, limit: limit + 1 })
    // Jobs that were removed keep their history, so an unknown name is an error only when it names nothing.
    if (runs.length === 0 && filter.job !== undefined) getJob(filter.job)
    const page = runs.slice(0, limit)
    const next = runs.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ runs: page, next })
    else printPage(page, next)
    return 0
  })
}

/** Shows one run with its plan, its report, its earlier attempts and its pings. Throws when there is none. */
export async function showRun(id: string, { json = false }: { readonly json?: boolean }): Promise<number> {
  return await withLedger(async db => {
    const run = await findRun(db, id)
    if (run === undefined) throw new Error(`there is no run ${id}`)
    const operations = await listOperationsWithItems(db, { run: run.id, limit: operationsShown })
    if (json) printJson({ ...run, operations })
    else {
      printRun(run)
      printMoney(operations)
    }
    return 0
  })
}

const operationsShown = 1000

type Run = NonNullable<Awaited<ReturnType<typeof findRun>>>

/** Colours of states: green is done, yellow is left on purpose or under way, red needs a look. */
export function paintState(state: RunState): Cell {
  const styles: Readonly<Record<RunState, Style>> = {
    succeeded: 'green',
    running: 'yellow',
    skipped: 'dim',
    paused: 'yellow',
    duplicate: 'dim',
    failed: 'red',
    incomplete: 'red',
    interrupted: 'red',
    abandoned: 'red',
  }
  return { text: state, style: styles[state] }
}

const head = ['started (UTC)', 'job', 'state', 'try', 'trigger', 'slot (UTC)', 'took', 'run', 'report']

function printPage(runs: readonly RunSummary[], next: string | null): void {
  if (runs.length === 0) {
    printLine('no runs')
    return
  }
  printTable(head, runs.map(toRow))
  if (next !== null) printLine(`more: --before ${next}`)
}

function toRow(run: RunSummary): Cell[] {
  return [
    toUtc(run.started_at),
    run.job,
    paintState(run.state),
    run.attempt,
    run.dry_run ? `${run.trigger}, dry run` : run.trigger,
    toUtc(run.slot),
    took(run),
    run.id,
    summarize(run),
  ]
}

function took({ finished_at: finishedAt, started_at: startedAt }: Pick<Run, 'started_at' | 'finished_at'>): string {
  return finishedAt === null ? '-' : toDuration(finishedAt.getTime() - startedAt.getTime())
}

/** The counts that matter, or why there are none. */
function summarize({ dry_run: dryRun, error_code: errorCode, message, report, state }: RunSummary): string {
  const counts = [dryRun ? 'planned' : 'applied', 'failed', 'left', 'waiting', 'findings'].flatMap(name => {
    const count = report?.[name]
    return typeof count === 'number' && count > 0 ? [`${name} ${count}`] : []
  })
  const reason = state === 'succeeded' ? [] : [errorCode ?? message ?? '']
  return [...reason, ...counts].filter(part => part !== '').join(', ')
}

function printRun(run: Run): void {
  printLine({ text: run.job, style: 'bold' }, paintState(run.state), `run ${run.id}`)
  printFacts([
    ['summary', jobs.find(job => job.name === run.job)?.summary],
    ['trigger', run.dry_run ? `${run.trigger}, dry run` : run.trigger],
    ['operator', run.operator ?? undefined],
    ['message', run.message_id],
    ['slot', run.slot === null ? undefined : `${toUtc(run.slot)} UTC`],
    ['attempt', `${run.attempt}, deliveries ${run.deliveries}`],
    ['started', `${toUtc(run.started_at)} UTC, took ${took(run)}`],
    ['deadline', `${toUtc(run.deadline_at)} UTC`],
    ['process', run.owner],
    ['error', run.error_code ?? undefined],
    ['reason', run.message ?? undefined],
    ['plan hash', run.plan_hash ?? undefined],
    ['runs again', run.final || run.state === 'running' ? undefined : 'yes, when its message is delivered again'],
  ])
  printReport(run.report)
  printPlan(run.plan)
  printHistory(run)
}

function printMoney(operations: readonly OperationSummary[]): void {
  if (operations.length === 0) return
  printLine({ text: 'operations that it began or moved', style: 'bold' })
  printSome(operations, operationsListed, printOperations)
}

const operationsListed = 50

function printHistory({ attempts, pings }: Run): void {
  if (attempts.length > 0) {
    printLine({ text: 'earlier attempts', style: 'bold' })
    printTable(
      ['try', 'state', 'started (UTC)', 'finished (UTC)', 'error', 'reason'],
      attempts.map(past => [
        past.attempt,
        paintState(past.state),
        toUtc(past.started_at),
        toUtc(past.finished_at),
        past.error_code,
        past.message,
      ]),
    )
  }
  if (pings.length === 0) return
  printLine({ text: 'heartbeat pings', style: 'bold' })
  printTable(
    ['kind', 'state', 'tries', 'since (UTC)', 'finished (UTC)', 'note'],
    pings.map(ping => [
      ping.kind,
      ping.state,
      ping.attempts,
      toUtc(ping.happened_at),
      toUtc(ping.finished_at),
      ping.note,
    ]),
  )
}
