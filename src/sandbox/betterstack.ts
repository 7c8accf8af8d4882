import { type Fault, listen, notModelled, type Reaction, reactTo, type Request } from './stand-in.ts'

export interface BetterStackOptions {
  /** A free port unless given. */
  readonly port?: number
  /** Dates the pings and decides what is overdue; the real clock unless given. */
  readonly clock?: () => Date
}

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

/** What can go wrong; `lost-answer` counts the ping and then breaks the connection. */
export type BetterStackFault = Fault | { readonly kind: 'lost-answer' }

export interface Expectation {
  readonly periodSeconds: number
  readonly graceSeconds: number
}

export interface BetterStackStandIn {
  readonly url: string
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
  readonly close: () => Promise<void>
}

interface State {
  readonly clock: () => Date
  readonly registered: Map<string, Expectation | undefined>
  readonly arrivals: Ping[]
  readonly faults: Map<string, BetterStackFault>
}

const keptBodyBytes = 10_000
const keptArrivals = 10_000
const everyToken = ''
const address = /^\/api\/v1\/heartbeat\/([^/]+)(?:\/(fail|\d+))?$/

/** Starts Better Stack's heartbeat receiver on 127.0.0.1. Source: betterstack.com/docs/uptime/cron-and-heartbeat-monitor. */
export async function startBetterStack(options: BetterStackOptions = {}): Promise<BetterStackStandIn> {
  const { clock = () => new Date(), port = 0 } = options
  const state: State = { clock, registered: new Map(), arrivals: [], faults: new Map() }
  const answer = async (request: Request, closed: AbortSignal): Promise<Reaction> =>
    await receive(state, request, closed)
  const { close, url } = await listen({ port, maxBodyBytes: keptBodyBytes, answer })
  const heartbeatUrl = (token: string): string => `${url}/api/v1/heartbeat/${token}`
  const arrivals = (token?: string): Ping[] =>
    state.arrivals.filter(ping => token === undefined || ping.token === token)
  return {
    url,
    register: (token, expectation) => {
      state.registered.set(token, expectation)
      return heartbeatUrl(token)
    },
    heartbeatUrl,
    pings: token => arrivals(token).filter(({ accepted }) => accepted),
    arrivals,
    statusOf: token => statusOf(state, token),
    setFault: (fault, token = everyToken) => {
      if (fault === undefined) state.faults.delete(token)
      else state.faults.set(token, fault)
    },
    close,
  }
}

async function receive(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  const [, token, ending] = address.exec(request.path) ?? []
  if (token === undefined || (request.method !== 'GET' && request.method !== 'POST')) {
    return notModelled('Better Stack', `${request.method} ${request.path}`)
  }
  const fault = state.faults.get(token) ?? state.faults.get(everyToken)
  const isKnown = state.registered.has(token)
  const isLost = fault?.kind === 'lost-answer'
  const instead = isLost ? undefined : await reactTo(fault, closed)
  const accepted = isKnown && instead === undefined
  state.arrivals.push({ ...readPing(request, token, ending), at: state.clock(), accepted })
  if (state.arrivals.length > keptArrivals) state.arrivals.shift()
  if (isLost) return 'reset'
  return instead ?? (isKnown ? { status: 200, body: 'OK' } : { status: 404, body: { errors: 'heartbeat not found' } })
}

function readPing(request: Request, token: string, ending: string | undefined): Omit<Ping, 'at' | 'accepted'> {
  const exitCode = ending === undefined || ending === 'fail' ? undefined : Number(ending)
  return {
    token,
    kind: ending === 'fail' || (exitCode ?? 0) !== 0 ? 'fail' : 'success',
    ...(exitCode === undefined ? {} : { exitCode }),
    method: request.method,
    body: request.body.toString(),
    bodyBytes: request.bodyBytes,
  }
}

function statusOf({ arrivals, clock, registered }: State, token: string): 'pending' | 'up' | 'down' {
  const last = arrivals.findLast(ping => ping.token === token && ping.accepted)
  if (last === undefined) return 'pending'
  if (last.kind === 'fail') return 'down'
  const expected = registered.get(token)
  if (expected === undefined) return 'up'
  const overdueAt = last.at.getTime() + (expected.periodSeconds + expected.graceSeconds) * 1_000
  return clock().getTime() > overdueAt ? 'down' : 'up'
}
