import { answerApi } from './betterstack/api.ts'
import { addItem, changeItem, removeItem } from './betterstack/items.ts'
import { everyToken, receivePing } from './betterstack/pings.ts'
import {
  type ApiCall,
  type ApiFault,
  type ApiMatch,
  type BetterStackFault,
  type Expectation,
  heartbeatUrl,
  type Item,
  type Kind,
  type Ping,
  type State,
  statusOf,
} from './betterstack/state.ts'
import { withFaults } from './control-door.ts'
import { type Fault, listen, notModelled } from './stand-in.ts'

export type { ApiCall, ApiFault, ApiMatch, BetterStackFault, Expectation, Item, Kind, Ping }

export interface BetterStackOptions {
  /** A free port unless given. */
  readonly port?: number
  /** Dates the pings and decides what is overdue; the real clock unless given. */
  readonly clock?: () => Date
  /** What the API is called with; a fixed one unless given. */
  readonly apiToken?: string
}

/** Faults can be set over HTTP too: `POST {url}/_control/setFault`, see control-door.ts. */
export interface BetterStackStandIn {
  readonly url: string
  /** What the API is called with; the other one may only read. */
  readonly apiToken: string
  readonly readOnlyToken: string
  /** Makes the token known, `pending` until its first ping; with an expectation it goes down when a ping is overdue. */
  register(token: string, expectation?: Expectation): string
  /** The heartbeat's full address. */
  heartbeatUrl(token: string): string
  /** Pings that counted, oldest first, of one token where given. */
  pings(token?: string): Ping[]
  /** Every request to a heartbeat, refused ones included. */
  arrivals(token?: string): Ping[]
  statusOf(token: string): 'pending' | 'up' | 'down'
  /** For every ping from now on, or those of one token; undefined takes it back. */
  setFault(fault: BetterStackFault | undefined, token?: string): void
  /** What the API keeps, oldest first. */
  items(kind: Kind): readonly Item[]
  /** Makes something by hand, as on the vendor's pages. */
  add(kind: Kind, attributes: Readonly<Record<string, unknown>>): Item
  /** Changes something by hand. */
  change(item: Item, attributes: Readonly<Record<string, unknown>>): void
  /** Removes something by hand. */
  remove(item: Item): void
  /** Every call of the API, oldest first. */
  apiCalls(): readonly ApiCall[]
  /** For the calls that match, after the faults that were set before; undefined takes all of them back. */
  setApiFault(fault: ApiFault | undefined, match?: ApiMatch): void
  /** How many heartbeats, and how many monitors, may be made. */
  setQuota(most: number): void
  readonly close: () => Promise<void>
}

// A monitor is sent whole, and a ping may be too long.
const maxBodyBytes = 64 * 1024

/** Starts Better Stack on 127.0.0.1: its heartbeats (betterstack.com/docs/uptime/cron-and-heartbeat-monitor) and its API. */
export async function startBetterStack(options: BetterStackOptions = {}): Promise<BetterStackStandIn> {
  const { apiToken = 'betterstack-token-of-the-sandbox', clock = () => new Date(), port = 0 } = options
  const state = createState(clock, apiToken)
  const pings = createPingControls(state)
  const api = createApiControls(state)
  const setFault = (fault: Fault | undefined): void => {
    pings.setFault(fault)
    api.setApiFault(undefined)
    if (fault !== undefined) api.setApiFault(fault)
  }
  const answer = withFaults(
    'Better Stack',
    setFault,
    async (request, closed) =>
      (await receivePing(state, request, closed)) ??
      (await answerApi(state, request, closed)) ??
      notModelled('Better Stack', `${request.method} ${request.path}`),
  )
  const { close, url } = await listen({ port, maxBodyBytes, answer })
  state.url = url
  return { url, ...pings, ...api, close }
}

function createState(clock: () => Date, apiToken: string): State {
  return {
    clock,
    apiToken,
    readOnlyToken: 'betterstack-token-that-only-reads',
    globalToken: 'betterstack-token-of-the-organisation',
    url: '',
    lastId: 1000,
    items: [],
    expectations: new Map(),
    arrivals: [],
    faults: new Map(),
    apiFaults: [],
    apiCalls: [],
    quota: Infinity,
  }
}

function createPingControls(state: State) {
  const arrivals = (token?: string): Ping[] =>
    state.arrivals.filter(ping => token === undefined || ping.token === token)
  return {
    register: (token: string, expectation?: Expectation): string => {
      const { graceSeconds: grace, periodSeconds: period } = expectation ?? {}
      addItem(state, 'heartbeats', { name: token, ...(period === undefined ? {} : { period, grace }) }, token)
      return heartbeatUrl(state, token)
    },
    heartbeatUrl: (token: string) => heartbeatUrl(state, token),
    pings: (token?: string) => arrivals(token).filter(({ accepted }) => accepted),
    arrivals,
    statusOf: (token: string) => statusOf(state, token),
    setFault: (fault: BetterStackFault | undefined, token: string = everyToken): void => {
      if (fault === undefined) state.faults.delete(token)
      else state.faults.set(token, fault)
    },
  }
}

function createApiControls(state: State) {
  const { apiToken, readOnlyToken } = state
  return {
    apiToken,
    readOnlyToken,
    items: (kind: Kind) => state.items.filter(item => item.kind === kind),
    add: (kind: Kind, attributes: Readonly<Record<string, unknown>>) => addItem(state, kind, attributes),
    change: (item: Item, attributes: Readonly<Record<string, unknown>>) => changeItem(state, item, attributes),
    remove: (item: Item) => removeItem(state, item),
    apiCalls: () => state.apiCalls,
    setApiFault: (fault: ApiFault | undefined, match: ApiMatch = {}): void => {
      if (fault === undefined) state.apiFaults.length = 0
      else state.apiFaults.push({ fault, match, seen: 0, used: 0 })
    },
    setQuota: (most: number): void => {
      state.quota = most
    },
  }
}
