import { type Fault, listen, notModelled, type Reaction, reactTo, type Request } from './stand-in.ts'

export interface SiteOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly clock?: () => Date
}

/** What can go wrong; `down` is the site's own 503, said in its own words. */
export type SiteFault = Fault | { readonly kind: 'down' }

export interface SiteStandIn {
  readonly url: string
  /** How often the health route was asked, faults included. */
  asked(): number
  /** For every call from now on; undefined takes it back. */
  setFault(fault: SiteFault | undefined): void
  readonly close: () => Promise<void>
}

interface State {
  readonly clock: () => Date
  asked: number
  fault: SiteFault | undefined
}

/** Starts the marketplace's site, as far as its open health route, on 127.0.0.1. */
export async function startSite(options: SiteOptions = {}): Promise<SiteStandIn> {
  const { clock = () => new Date(), port = 0 } = options
  const state: State = { clock, asked: 0, fault: undefined }
  const answer = async (request: Request, closed: AbortSignal): Promise<Reaction> => await show(state, request, closed)
  const { close, url } = await listen({ port, maxBodyBytes: 0, answer })
  return {
    url,
    asked: () => state.asked,
    setFault: fault => {
      state.fault = fault
    },
    close,
  }
}

async function show(state: State, { method, path }: Request, closed: AbortSignal): Promise<Reaction> {
  if (method !== 'GET' || path !== '/api/healthcheck') return notModelled('site', `${method} ${path}`)
  state.asked += 1
  const { fault } = state
  if (fault?.kind === 'down') return { status: 503, body: health(state, 'unhealthy') }
  return (await reactTo(fault, closed)) ?? { status: 200, body: health(state, 'healthy') }
}

function health({ clock }: State, status: 'healthy' | 'unhealthy'): object {
  return {
    status,
    timestamp: clock().toISOString(),
    source: 'direct',
    uptime: 86_400,
    version: '1.0.0',
    environment: 'production',
    memory: { used: 180, total: 512, percentage: 35 },
  }
}
