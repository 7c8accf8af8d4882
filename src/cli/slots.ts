import type { Db } from '../database/connection.ts'
import { listJobSettings } from '../database/job-settings.ts'
import { listPauses, listSlotRuns, type PauseRow } from '../database/slot-runs.ts'
import { jobs } from '../jobs/index.ts'
import { accountSlots, type SlotAccount, type SlotState, summarizeSlots } from '../runner/account-slots.ts'
import type { Job } from '../runner/define-job.ts'
import { graceSeconds, listDueBetween } from '../runner/slots.ts'
import { withLedger } from './connect.ts'
import { getJob } from './jobs.ts'
import { type Cell, createProgress, printJson, printLine, printTable, type Style, toDuration, toUtc } from './print.ts'

export interface SlotsOptions {
  readonly job?: string
  readonly days: number
  /** Also the slots that ran. */
  readonly all?: boolean
  readonly json?: boolean
}

/** Accounts for every slot that was due. Gives 1 when one was missed, failed or wanted by more than one message. */
export async function showSlots({ all = false, days, job, json = false }: SlotsOptions): Promise<number> {
  const wanted = job === undefined ? jobs : [getJob(job)]
  const to = new Date()
  const from = new Date(to.getTime() - days * dayMs)
  const accounts = await withLedger(async db => await accountJobs(db, wanted, from, to))
  const shown = accounts.map(account => ({
    ...account,
    slots: account.slots.filter(slot => all || slot.state !== 'ran' || slot.doubled),
  }))
  if (json) printJson({ from, to, jobs: shown })
  else printAccounts(shown, from, to)
  return accounts.some(({ summary }) => summary.missed + summary.failed + summary.doubled > 0) ? 1 : 0
}

const dayMs = 86_400_000

async function accountJobs(db: Db, wanted: readonly Job[], from: Date, to: Date) {
  const settings = await listJobSettings(db)
  const pauses = Map.groupBy(await listPauses(db, from), pause => pause.job)
  const progress = createProgress()
  const accounts: JobAccount[] = []
  for (const job of wanted) {
    progress.show(`accounting for ${job.name}`)
    accounts.push(
      await accountJob(db, job, settings.get(job.name)?.first_boot_at, pauses.get(job.name) ?? [], from, to),
    )
  }
  progress.clear()
  return accounts
}

interface JobAccount {
  readonly job: string
  /** From when on it owes its slots; null when no process with this job has ever booted. */
  readonly since: Date | null
  readonly summary: ReturnType<typeof summarizeSlots>
  readonly slots: readonly SlotAccount[]
}

async function accountJob(
  db: Db,
  job: Job,
  firstBootAt: Date | undefined,
  pauses: readonly PauseRow[],
  from: Date,
  to: Date,
): Promise<JobAccount> {
  if (firstBootAt === undefined) return { job: job.name, since: null, summary: summarizeSlots([]), slots: [] }
  const since = firstBootAt > from ? firstBootAt : from
  const facts = {
    due: listDueBetween(job, since, to),
    runs: await listSlotRuns(db, job.name, since, to),
    pauses,
    graceSeconds: graceSeconds(job),
  }
  const slots = accountSlots(facts, to)
  return { job: job.name, since, summary: summarizeSlots(slots), slots }
}

const styles: Readonly<Record<SlotState, Style>> = {
  ran: 'green',
  running: 'yellow',
  skipped: 'dim',
  paused: 'yellow',
  failed: 'red',
  missed: 'red',
  due: 'dim',
}
const summaryColumns = ['slots', 'ran', 'skipped', 'paused', 'running', 'due', 'failed', 'missed', 'doubled'] as const
const bad = new Set<string>(['failed', 'missed', 'doubled'])

function printAccounts(accounts: readonly JobAccount[], from: Date, to: Date): void {
  printLine(`slots due from ${toUtc(from)} to ${toUtc(to)} UTC`)
  printTable(
    ['job', ...summaryColumns, 'counted from (UTC)'],
    accounts.map(({ job, since, summary }) => [
      job,
      ...summaryColumns.map((name): Cell => {
        return bad.has(name) && summary[name] > 0 ? { text: String(summary[name]), style: 'red' } : summary[name]
      }),
      since === null ? 'never booted' : toUtc(since),
    ]),
  )
  const rows = accounts.flatMap(({ job, slots }) => slots.map(slot => toRow(job, slot)))
  if (rows.length === 0) return
  printLine('')
  printTable(['slot (UTC)', 'job', 'state', 'late', 'tries', 'run', 'reason'], rows)
}

function toRow(job: string, slot: SlotAccount): Cell[] {
  const state = slot.doubled ? `${slot.state}, doubled` : slot.state
  const doubled = slot.doubled ? [`${slot.messages} messages wanted it`] : []
  return [
    toUtc(slot.slot),
    job,
    { text: state, style: slot.doubled ? 'red' : styles[slot.state] },
    slot.latenessSeconds === undefined ? null : toDuration(slot.latenessSeconds * 1000),
    slot.attempts,
    slot.runId,
    [...doubled, ...(slot.reason === undefined ? [] : [slot.reason])].join('; '),
  ]
}
