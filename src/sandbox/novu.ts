import { answerControl, controlPath } from './control-door.ts'
import { answerCall } from './novu/answer.ts'
import { createControl } from './novu/control.ts'
import { answerInbox } from './novu/inbox-routes.ts'
import { createState } from './novu/state.ts'
import type { NovuControl, NovuOptions } from './novu/types.ts'
import { listen, type Reaction, type Request } from './stand-in.ts'

export type {
  DeliveredMessage,
  NovuEvent,
  NovuFault,
  NovuFaultOrder,
  NovuOptions,
  NovuRequest,
  NovuWorkflow,
} from './novu/types.ts'

/** Controls can be called over HTTP too: `POST {url}/_control/{name}`, see control-door.ts. */
export interface NovuStandIn extends NovuControl {
  /** Of the API; opened in a browser, it shows the inbox. */
  readonly url: string
  readonly secretKey: string
  /** Drops every connection; calling it again does nothing more. */
  readonly close: () => Promise<void>
}

const maxBodyBytes = 2_097_152

/**
 * Starts a Novu on 127.0.0.1 that the official SDK works with: it checks payloads and tells duplicates as Novu does, and
 * keeps every message that would have reached somebody. What it does not model is 501. Source: docs.novu.co.
 */
export async function startNovu(options: NovuOptions = {}): Promise<NovuStandIn> {
  const state = createState(options)
  const control = createControl(state)
  const answer = async (request: Request, closed: AbortSignal): Promise<Reaction> => {
    if (request.path.startsWith(controlPath)) return answerControl('Novu', control, request)
    return answerInbox(() => control.inbox(), request) ?? (await answerCall(state, request, closed))
  }
  const { close, url } = await listen({ port: options.port ?? 0, maxBodyBytes, answer })
  return { ...control, url, secretKey: state.secretKey, close }
}
