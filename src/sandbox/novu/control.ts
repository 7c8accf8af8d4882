import { checkArguments } from './control-rules.ts'
import { injectFault } from './faults.ts'
import type { State } from './state.ts'
import type { NovuControl, NovuWorkflow } from './types.ts'
import { runDue } from './worker.ts'

/** Each control refuses what it does not take. */
export function createControl(state: State): NovuControl {
  const controls = createUnchecked(state)
  for (const name of Object.keys(controls) as (keyof NovuControl)[]) {
    const control = controls[name] as (...given: unknown[]) => never
    controls[name] = (...given: unknown[]): never => {
      checkArguments(name, given)
      return control(...given)
    }
  }
  return controls
}

function createUnchecked(state: State): { -readonly [K in keyof NovuControl]: NovuControl[K] } {
  return {
    inbox: () => {
      runDue(state)
      return [...state.inbox]
    },
    events: () => {
      runDue(state)
      return [...state.events]
    },
    subscribers: () => {
      runDue(state)
      return [...state.subscribers.values()]
    },
    asked: () => [...state.asked],
    inject: fault => {
      injectFault(state, fault)
    },
    clearFaults: () => {
      state.faults.length = 0
    },
    setWorkflow: (id, changes) => {
      state.workflows.set(id, { ...find(state.workflows, id), ...changes })
    },
    removeWorkflow: id => {
      find(state.workflows, id)
      state.workflows.delete(id)
    },
    restoreWorkflow: id => {
      state.workflows.set(id, find(state.original, id))
    },
    setDedupe: ({ idempotencyKey = state.dedupeByKey, transactionId = state.dedupeByTransaction }) => {
      state.dedupeByKey = idempotencyKey
      state.dedupeByTransaction = transactionId
    },
    setDelay: delayMs => {
      state.delayMs = delayMs
    },
  }
}

function find(workflows: ReadonlyMap<string, NovuWorkflow>, id: string): NovuWorkflow {
  const workflow = workflows.get(id)
  if (workflow !== undefined) return workflow
  throw new Error(`the Novu stand-in has no workflow ${id}; there are ${[...workflows.keys()].join(', ')}`)
}
