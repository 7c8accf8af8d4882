import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { type App, createApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import type { Job } from '../runner/define-job.ts'
import type { RunAnswer } from '../runner/outcomes.ts'
import type { RunResult } from '../runner/run-job.ts'
import { waitForLedger } from './connect.ts'
import { getJob } from './jobs.ts'
import { findOperator } from './operator.ts'
import { printFacts, printJson, printLine, printNote, toUtc } from './print.ts'
import { printDifference, printPlan, printReport } from './print-plan.ts'
import { createRunProgress } from './run-progress.ts'
import { onStopSignals } from './stop-signals.ts'

export interface RunOptions {
  readonly dryRun?: boolean
  readonly input?: string
  readonly planHash?: string
  readonly ping?: boolean
  readonly as?: string
  readonly verbose?: boolean
  readonly json?: boolean
}

const databaseBudgetMs = 10_000

/**
 * Runs a job once through the runner, as an operator: (1) build the app without listening, (2) wait for the database,
 * (3) audit and run, (4) show the answer, (5) drain and close. Gives 0 only when the run succeeded.
 */
export async function run(name: string, options: RunOptions): Promise<number> {
  const job = getJob(name)
  const operator = findOperator(options.as)
  const body = readInput(options.input)
  const config = loadConfig()
  const log = pino({ level: options.verbose === true ? config.logLevel : 'silent' }, process.stderr)
  const progress = createRunProgress(job.name)
  const app = await createApp(config, log, { onStep: progress.onStep })
  const signals = onStopSignals(app, config.drainMs)
  try {
    progress.show('waiting for the database')
    await waitForLedger(app.db, databaseBudgetMs, signals.stopping)
    await bootInTime(app)
    const result = await runOnce(app, job, operator, body, options)
    progress.end()
    return show(result, options)
  } finally {
    progress.end()
    await app.close()
    signals.end()
  }
}

/** `boot` waits for a database for ever; here a person waits for an answer. */
async function bootInTime(app: App): Promise<void> {
  const gaveUp = new AbortController()
  const booted = app.boot().then(() => true)
  try {
    const inTime = await Promise.race([booted, sleep(databaseBudgetMs, false, { signal: gaveUp.signal })])
    if (!inTime) throw new Error('the database cannot be used: `npm run cli -- check` says why')
  } finally {
    gaveUp.abort()
    // Closing the app ends it, when nobody listens any more.
    booted.catch(() => {})
  }
}

async function runOnce(app: App, job: Job, operator: string, body: unknown, options: RunOptions): Promise<RunResult> {
  const { dryRun = false, ping = false, planHash } = options
  return await app.actions.startRun({ job, trigger: 'cli', operator, input: body, dryRun, planHash, ping })
}

function show(result: RunResult, { json = false }: RunOptions): number {
  if (result.kind === 'refused') throw new Error(`the run was not started: ${result.message}`)
  const { body } = result.answer
  if (json) printJson(body)
  else printAnswer(body)
  return body.outcome === 'succeeded' ? 0 : 1
}

function printAnswer(answer: RunAnswer): void {
  const { attempt, dryRun, job, message, outcome, plan, planHash, report, runId, slot } = answer
  printLine(
    { text: job, style: 'bold' },
    { text: outcome, style: outcome === 'succeeded' ? 'green' : 'red' },
    dryRun ? '(dry run: nothing was done)' : '',
  )
  printFacts([
    ['run', runId],
    ['attempt', attempt],
    ['slot', slot === null ? undefined : `${toUtc(slot)} UTC`],
    ['reason', message],
    ['plan hash', planHash],
  ])
  printReport(report)
  if (plan !== undefined && 'difference' in plan) printDifference(plan['difference'] as Record<string, unknown> | null)
  else printPlan(plan)
  if (!dryRun && outcome !== 'succeeded') printNote(`more: npm run cli -- runs ${runId}`)
}

/** JSON, or `@` and the name of a file that has it. Throws without showing what was given. */
function readInput(input: string | undefined): unknown {
  if (input === undefined) return undefined
  const text = input.startsWith('@') ? readInputFile(input.slice(1)) : input
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new Error('--input is no JSON: give JSON, or @ and the name of a file that has it', { cause })
  }
}

function readInputFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`the file of --input cannot be read: ${file}`, { cause })
  }
}
