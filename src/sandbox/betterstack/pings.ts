import { type Reaction, reactTo, type Request } from '../stand-in.ts'
import type { Ping, State } from './state.ts'

const keptArrivals = 10_000
export const everyToken = ''
const address = /^\/api\/v1\/heartbeat\/([^/]+)(?:\/(fail|\d+))?$/

/** Answers a request to a heartbeat's address; undefined for any other. */
export async function receivePing(state: State, request: Request, closed: AbortSignal): Promise<Reaction | undefined> {
  const [, token, ending] = address.exec(request.path) ?? []
  if (token === undefined || (request.method !== 'GET' && request.method !== 'POST')) return undefined
  const fault = state.faults.get(token) ?? state.faults.get(everyToken)
  const isKnown = state.expectations.has(token)
  const isLost = fault?.kind === 'lost-answer'
  const instead = isLost ? undefined : await reactTo(fault, closed)
  const accepted = isKnown && instead === undefined
  state.arrivals.push({ ...readPing(request, token, ending), at: state.clock(), accepted })
  if (state.arrivals.length > keptArrivals) state.arrivals.shift()
  if (isLost) return 'reset'
  return instead ?? (isKnown ? { status: 200, body: 'OK' } : { status: 404, body: { errors: 'heartbeat not found' } })
}

const keptBodyBytes = 10_000

function readPing(request: Request, token: string, ending: string | undefined): Omit<Ping, 'at' | 'accepted'> {
  const exitCode = ending === undefined || ending === 'fail' ? undefined : Number(ending)
  return {
    token,
    kind: ending === 'fail' || (exitCode ?? 0) !== 0 ? 'fail' : 'success',
    ...(exitCode === undefined ? {} : { exitCode }),
    method: request.method,
    body: request.body.subarray(0, keptBodyBytes).toString(),
    bodyBytes: request.bodyBytes,
  }
}
