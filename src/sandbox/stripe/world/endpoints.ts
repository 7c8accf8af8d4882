import { put } from '../shelf.ts'
import { nowMs, type State, stamp } from '../state.ts'

export interface NewEndpoint {
  readonly url: string
  /** All of them unless given. */
  readonly events?: readonly string[]
  /** That of the account when null, which it is unless given. */
  readonly apiVersion?: string | null
  readonly isEnabled?: boolean
}

/** Registers an endpoint; gives its id. */
export function addEndpoint(state: State, wanted: NewEndpoint): string {
  const { apiVersion = null, events = ['*'], isEnabled = true, url } = wanted
  return put(state.endpoints, { ...stamp(state, 'we', nowMs(state)), url, events, apiVersion, isEnabled }).id
}
