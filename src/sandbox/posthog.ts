import { randomBytes, randomUUID } from 'node:crypto'
import { withFaults } from './control-door.ts'
import { type Answer, type Fault, listen, notModelled, type Reaction, reactTo, type Request } from './stand-in.ts'

export interface PosthogOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly key?: string
}

export interface PosthogStandIn {
  readonly url: string
  readonly key: string
  /** How many calls came in, refused ones included. */
  asked(): number
  /** How many of them PostHog would have put on the bill: those that evaluated flags. */
  billed(): number
  /** For every call from now on; undefined takes it back. */
  setFault(fault: Fault | undefined): void
  readonly close: () => Promise<void>
}

interface State {
  readonly key: string
  asked: number
  billed: number
  fault: Fault | undefined
}

/** Starts as much of PostHog on 127.0.0.1 as the probe asks: its flags. Source: posthog.com/docs/api/flags. */
export async function startPosthog(options: PosthogOptions = {}): Promise<PosthogStandIn> {
  const { key = `phc_${randomBytes(20).toString('hex')}`, port = 0 } = options
  const state: State = { key, asked: 0, billed: 0, fault: undefined }
  const setFault = (fault: Fault | undefined): void => {
    state.fault = fault
  }
  const answer = withFaults('PostHog', setFault, async (request, closed) => await reply(state, request, closed))
  const { close, url } = await listen({ port, maxBodyBytes: 64 * 1024, answer })
  return {
    url,
    key,
    asked: () => state.asked,
    billed: () => state.billed,
    setFault,
    close,
  }
}

async function reply(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  const { method, path, query } = request
  state.asked += 1
  if (method !== 'POST' || !/^\/flags\/?$/.test(path) || query.get('v') !== '2') {
    return notModelled('PostHog', `${method} ${path}`)
  }
  return (await reactTo(state.fault, closed)) ?? evaluate(state, request.body)
}

/** Its refusals are plain text. With `disable_flags` it checks the key, asks for no person, and bills nothing. */
function evaluate(state: State, body: Buffer): Answer {
  const asked = parse(body)
  const key = asked?.['api_key'] ?? asked?.['token']
  if (asked === undefined) return { status: 400, body: 'Failed to parse request' }
  if (key === undefined) return { status: 401, body: 'No API token provided.' }
  if (key !== state.key) return { status: 401, body: 'The provided API key is invalid or has expired.' }
  if (asked['disable_flags'] !== true) {
    if (asked['distinct_id'] === undefined) return { status: 400, body: 'The distinct_id field is missing.' }
    state.billed += 1
  }
  return { status: 200, body: { errorsWhileComputingFlags: false, flags: {}, requestId: randomUUID() } }
}

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
