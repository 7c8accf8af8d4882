import { randomBytes } from 'node:crypto'
import { withFaults } from './control-door.ts'
import { type Answer, type Fault, listen, notModelled, type Reaction, reactTo, type Request } from './stand-in.ts'

export interface ResendOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly apiKey?: string
  /** What the key may do; `sending` unless given. */
  readonly access?: Access
}

export type Access = 'sending' | 'full'

export interface ResendStandIn {
  readonly url: string
  readonly apiKey: string
  /** How many calls came in, refused ones included. */
  asked(): number
  setAccess(access: Access): void
  /** For every call from now on; undefined takes it back. */
  setFault(fault: Fault | undefined): void
  readonly close: () => Promise<void>
}

interface State {
  readonly apiKey: string
  access: Access
  asked: number
  fault: Fault | undefined
}

/** Starts as much of Resend's API on 127.0.0.1 as the probe asks, refusals included. Source: resend.com/docs/api-reference. */
export async function startResend(options: ResendOptions = {}): Promise<ResendStandIn> {
  const { access = 'sending', apiKey = `re_${randomBytes(16).toString('hex')}`, port = 0 } = options
  const state: State = { apiKey, access, asked: 0, fault: undefined }
  const setFault = (fault: Fault | undefined): void => {
    state.fault = fault
  }
  const answer = withFaults('Resend', setFault, async (request, closed) => await reply(state, request, closed))
  const { close, url } = await listen({ port, maxBodyBytes: 64 * 1024, answer })
  return {
    url,
    apiKey,
    asked: () => state.asked,
    setAccess: next => {
      state.access = next
    },
    setFault,
    close,
  }
}

async function reply(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  const { headers, method, path } = request
  state.asked += 1
  if (method !== 'GET' || path !== '/domains') return notModelled('Resend', `${method} ${path}`)
  const instead = await reactTo(state.fault, closed)
  if (instead !== undefined) return instead
  // The firewall in front of it answers first, and not in its shape.
  if (headers['user-agent'] === undefined) return { status: 403, body: 'error code: 1010' }
  if (headers.authorization === undefined)
    return refuse(401, 'missing_api_key', 'Missing API key in the authorization header.')
  if (headers.authorization !== `Bearer ${state.apiKey}`) return refuse(403, 'invalid_api_key', 'API key is invalid')
  if (state.access === 'full') return { status: 200, body: { object: 'list', has_more: false, data: [domain] } }
  return refuse(401, 'restricted_api_key', 'This API key is restricted to only send emails')
}

const domain = {
  id: 'd91cd9bd-1176-453e-8fc1-35364d380206',
  name: 'eleva.example',
  status: 'verified',
  created_at: '2026-01-01T00:00:00.000Z',
  region: 'eu-west-1',
}

function refuse(statusCode: number, name: string, message: string): Answer {
  return { status: statusCode, body: { statusCode, message, name } }
}
