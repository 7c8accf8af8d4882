import type { RunState } from '../database/tables.ts'

/** What the ledger knows of one slot: for each state its runs are in, the newest run, and the messages of the slot. */
export interface SlotRun {
  readonly slot: Date
  readonly state: RunState
  readonly runId: string
  readonly attempt: number
  readonly startedAt: Date
  readonly errorCode: string | null
  readonly message: string | null
  /** How many messages wanted the slot, whatever became of them. */
  readonly messages: number
}

/** A time in which an operator had the job paused; `to` is null while it still is. */
export interface Pause {
  readonly from: Date
  readonly to: Date | null
  readonly reason: string | null
}

/**
 * `due`: nobody has delivered it, and its grace is not over. `missed`: its grace is over. `failed`: a run exists, and
 * has neither succeeded nor been given a reason not to run.
 */
export type SlotState = 'ran' | 'running' | 'skipped' | 'paused' | 'failed' | 'missed' | 'due'

export interface SlotAccount {
  readonly slot: Date
  readonly state: SlotState
  readonly messages: number
  /** More than one message wanted it: a second schedule, or a second scheduler. */
  readonly doubled: boolean
  readonly runId?: string
  readonly attempts?: number
  /** From the slot to the start of the attempt that counts, in seconds; negative when the scheduler's clock was ahead. */
  readonly latenessSeconds?: number
  readonly reason?: string
}

export interface SlotFacts {
  /** The slots that were due, oldest first. */
  readonly due: readonly Date[]
  readonly runs: readonly SlotRun[]
  readonly pauses: readonly Pause[]
  readonly graceSeconds: number
}

/** Says of every slot that was due what became of it, in the order of `due`. Pure. */
export function accountSlots({ due, graceSeconds, pauses, runs }: SlotFacts, now: Date): SlotAccount[] {
  const bySlot = Map.groupBy(runs, run => run.slot.getTime())
  return due.map(slot => {
    const deciding = findDeciding(bySlot.get(slot.getTime()) ?? [])
    if (deciding !== undefined) return accountRun(slot, deciding)
    const pause = pauses.find(({ from, to }) => from <= slot && (to === null || slot < to))
    const nobody = { slot, messages: 0, doubled: false }
    if (pause !== undefined) return { ...nobody, state: 'paused', reason: explainPause(pause) }
    const missed = slot.getTime() + graceSeconds * 1000 < now.getTime()
    return { ...nobody, state: missed ? 'missed' : 'due', reason: missed ? 'nobody delivered it' : 'not delivered yet' }
  })
}

export type SlotSummary = Readonly<Record<SlotState, number>> & {
  /** All of them. */
  readonly slots: number
  readonly doubled: number
}

/** Counts accounts by state. */
export function summarizeSlots(accounts: readonly SlotAccount[]): SlotSummary {
  const counts = { ran: 0, running: 0, skipped: 0, paused: 0, failed: 0, missed: 0, due: 0 }
  for (const { state } of accounts) counts[state] += 1
  return { slots: accounts.length, ...counts, doubled: accounts.filter(account => account.doubled).length }
}

const meanings: Readonly<Record<RunState, SlotState>> = {
  succeeded: 'ran',
  running: 'running',
  failed: 'failed',
  incomplete: 'failed',
  interrupted: 'failed',
  abandoned: 'failed',
  skipped: 'skipped',
  paused: 'paused',
  // By itself it tells that another run had the slot then, and that one is not known to have succeeded.
  duplicate: 'failed',
}

// A slot that was done is done, whatever other messages came to; and a failure must not hide behind a reason.
const byWeight: readonly RunState[] = [
  'succeeded',
  'running',
  'failed',
  'incomplete',
  'interrupted',
  'abandoned',
  'skipped',
  'paused',
  'duplicate',
]

function findDeciding(runs: readonly SlotRun[]): SlotRun | undefined {
  return runs.toSorted((a, b) => byWeight.indexOf(a.state) - byWeight.indexOf(b.state))[0]
}

function accountRun(slot: Date, run: SlotRun): SlotAccount {
  const state = meanings[run.state]
  const reason = explainRun(run, state)
  return {
    slot,
    state,
    messages: run.messages,
    doubled: run.messages > 1,
    runId: run.runId,
    attempts: run.attempt,
    latenessSeconds: Math.round((run.startedAt.getTime() - slot.getTime()) / 1000),
    ...(reason === null ? {} : { reason }),
  }
}

function explainRun({ errorCode, message, state }: SlotRun, meaning: SlotState): string | null {
  if (meaning === 'ran' || meaning === 'running') return null
  const words = [errorCode, message].filter(word => word !== null).join(': ')
  if (meaning === 'failed') return words === '' ? state : `${state}, ${words}`
  return words === '' ? null : words
}

function explainPause({ reason }: Pause): string {
  return `nobody delivered it while the job was paused${reason === null ? '' : `: ${reason}`}`
}
