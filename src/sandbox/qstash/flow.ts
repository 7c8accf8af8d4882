import type { Timers } from './timers.ts'

/** `Upstash-Flow-Control-Key` and `-Value`. */
export interface FlowControl {
  readonly key: string
  readonly parallelism?: number
  readonly rate?: number
  readonly periodMs: number
}

export interface Flow {
  /** Starts `start` as soon as the limits of its key and of the account allow; it waits, and is never dropped. */
  run(control: FlowControl | undefined, start: () => Promise<void>): void
  list(): Array<Readonly<Record<string, unknown>> & { readonly flowControlKey: string }>
  /** Deliveries in flight, over all keys. */
  active(): number
}

export interface FlowOptions {
  readonly clock: () => Date
  readonly timers: Timers
  /** Deliveries at once, over all keys. */
  readonly maxParallelism: number
}

interface Lane {
  /** The latest message's configuration counts. */
  control: FlowControl
  active: number
  startedInPeriod: number
  periodStart: Date
}

interface Waiting {
  readonly control: FlowControl | undefined
  readonly start: () => Promise<void>
}

interface State extends FlowOptions {
  readonly lanes: Map<string, Lane>
  waiting: Waiting[]
  active: number
}

/** Limits how many deliveries run at once and per period. Source: upstash.com/docs/qstash/features/flowcontrol. */
export function createFlow(options: FlowOptions): Flow {
  const state: State = { ...options, lanes: new Map(), waiting: [], active: 0 }
  return {
    run: (control, start) => {
      if (control !== undefined) laneOf(state, control).control = control
      state.waiting.push({ control, start })
      admit(state)
    },
    list: () => [...state.lanes.values()].map(lane => describe(state, lane)),
    active: () => state.active,
  }
}

function admit(state: State): void {
  const stillWaiting: Waiting[] = []
  for (const waiting of state.waiting) {
    const lane = waiting.control === undefined ? undefined : laneOf(state, waiting.control)
    if (state.active >= state.maxParallelism || (lane !== undefined && !hasRoom(lane))) stillWaiting.push(waiting)
    else begin(state, lane, waiting)
  }
  state.waiting = stillWaiting
}

function begin(state: State, lane: Lane | undefined, { start }: Waiting): void {
  state.active += 1
  if (lane !== undefined) {
    lane.active += 1
    if (lane.startedInPeriod === 0) startPeriod(state, lane)
    lane.startedInPeriod += 1
  }
  const finish = (): void => {
    state.active -= 1
    if (lane !== undefined) lane.active -= 1
    admit(state)
  }
  // Started apart, so that what it does at once cannot change the list of waiting ones that is being read.
  queueMicrotask(() => {
    start().then(finish, finish)
  })
}

function startPeriod(state: State, lane: Lane): void {
  lane.periodStart = state.clock()
  state.timers.after(lane.control.periodMs, () => {
    lane.startedInPeriod = 0
    admit(state)
  })
}

function hasRoom({ active, control, startedInPeriod }: Lane): boolean {
  return active < (control.parallelism ?? Infinity) && startedInPeriod < (control.rate ?? Infinity)
}

function laneOf(state: State, control: FlowControl): Lane {
  const known = state.lanes.get(control.key)
  if (known !== undefined) return known
  const lane: Lane = { control, active: 0, startedInPeriod: 0, periodStart: state.clock() }
  state.lanes.set(control.key, lane)
  return lane
}

function describe(
  state: State,
  { active, control, periodStart, startedInPeriod }: Lane,
): ReturnType<Flow['list']>[number] {
  return {
    flowControlKey: control.key,
    waitListSize: state.waiting.filter(waiting => waiting.control?.key === control.key).length,
    parallelismMax: control.parallelism ?? 0,
    parallelismCount: active,
    rateMax: control.rate ?? 0,
    rateCount: startedInPeriod,
    ratePeriod: control.periodMs / 1_000,
    ratePeriodStart: Math.floor(periodStart.getTime() / 1_000),
    isPaused: false,
    isPinnedParallelism: false,
    isPinnedRate: false,
  }
}
