import type { Fault } from '../stand-in.ts'

export type Kind = 'policies' | 'heartbeat-groups' | 'monitor-groups' | 'heartbeats' | 'monitors'

/** One request to a heartbeat's address. */
export interface Ping {
  readonly token: string
  readonly kind: 'success' | 'fail'
  /** Of a ping to `/<exit code>`. */
  readonly exitCode?: number
  readonly method: string
  readonly body: string
  /** More than 10,000 is more than the vendor is known to keep; then `body` holds the first 10,000. */
  readonly bodyBytes: number
  readonly at: Date
  /** Whether it counts: false when a fault took its place or the token is unknown. */
  readonly accepted: boolean
}

/** What can go wrong with a ping; `lost-answer` counts it and then breaks the connection. */
export type BetterStackFault = Fault | { readonly kind: 'lost-answer' }

/** What can go wrong with a call of the API; `lost-answer` and `silent` carry it out first. */
export type ApiFault =
  | Fault
  | { readonly kind: 'lost-answer' }
  /** The connection stays open without an answer. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }

/** Which calls a fault is for; all of them where it says nothing. */
export interface ApiMatch {
  readonly method?: string
  /** What the path, or what was sent, contains. */
  readonly part?: string
  /** So many calls go well before. */
  readonly skip?: number
  /** So many times; always where it does not say. */
  readonly times?: number
}

export interface ApiCall {
  readonly method: string
  readonly target: string
  /** Undefined where the connection broke or stayed open. */
  readonly status: number | undefined
  readonly at: Date
}

export interface Expectation {
  readonly periodSeconds: number
  readonly graceSeconds: number
}

/** Something that the API keeps. */
export interface Item {
  readonly kind: Kind
  readonly id: string
  readonly createdAt: Date
  updatedAt: Date
  attributes: Readonly<Record<string, unknown>>
  /** Of a heartbeat. */
  readonly token?: string
}

export interface State {
  readonly clock: () => Date
  /** What the API is called with. */
  readonly apiToken: string
  readonly readOnlyToken: string
  /** Of the whole organisation: sees the things of every team, and must say whose it makes. */
  readonly globalToken: string
  url: string
  lastId: number
  readonly items: Item[]
  /** Heartbeats without a period never go down by themselves. */
  readonly expectations: Map<string, Expectation | undefined>
  readonly arrivals: Ping[]
  readonly faults: Map<string, BetterStackFault>
  readonly apiFaults: { fault: ApiFault; match: ApiMatch; seen: number; used: number }[]
  readonly apiCalls: ApiCall[]
  /** How many heartbeats, and how many monitors, the plan has. */
  quota: number
}

/** Whose things are, unless they say so. */
export const usualTeam = 'Eleva'

/** The heartbeat's address. */
export function heartbeatUrl({ url }: State, token: string): string {
  return `${url}/api/v1/heartbeat/${token}`
}

/** What a heartbeat has come to by the stand-in's clock. */
export function statusOf({ arrivals, clock, expectations }: State, token: string): 'pending' | 'up' | 'down' {
  const last = arrivals.findLast(ping => ping.token === token && ping.accepted)
  if (last === undefined) return 'pending'
  if (last.kind === 'fail') return 'down'
  const expected = expectations.get(token)
  if (expected === undefined) return 'up'
  const overdueAt = last.at.getTime() + (expected.periodSeconds + expected.graceSeconds) * 1_000
  return clock().getTime() > overdueAt ? 'down' : 'up'
}
