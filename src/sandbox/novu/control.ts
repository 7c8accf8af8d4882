import { injectFault } from './faults.ts'
import type { State } from './state.ts'
import type { NovuControl } from './types.ts'
import { runDue } from './worker.ts'

export function createControl(state: State): NovuControl {
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
      const workflow = state.workflows.get(id)
      if (workflow === undefined) throw new Error(`the Novu stand-in has no workflow ${id}`)
      state.workflows.set(id, { ...workflow, ...changes })
    },
    removeWorkflow: id => {
      state.workflows.delete(id)
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
