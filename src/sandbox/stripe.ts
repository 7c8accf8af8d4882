import { answerControl, controlPath } from './control-door.ts'
import { listen, type Reaction, type Request } from './stand-in.ts'
import { createControl, type StripeControl } from './stripe/control.ts'
import { answerCall } from './stripe/door/answer.ts'
import { loadSpec } from './stripe/door/spec.ts'
import { createState, type State, type StripeOptions } from './stripe/state.ts'
import { createViews, type StripeViews } from './stripe/views.ts'
import { addAccount } from './stripe/world/accounts.ts'

export type { FaultOrder, StripeFault } from './stripe/door/faults.ts'
export type { Asked, StripeOptions } from './stripe/state.ts'

/** Controls and views can be called over HTTP too: `POST {url}/_control/{name}`, see control-door.ts. */
export interface StripeStandIn extends StripeControl, StripeViews {
  readonly url: string
  readonly secretKey: string
  /** The id of the account behind the secret key. */
  readonly platform: string
  /** Drops every connection; calling it again does nothing more. */
  readonly close: () => Promise<void>
}

const maxBodyBytes = 1_048_576

/**
 * Starts a Stripe on 127.0.0.1 that the official SDK works with: it keeps balances, and answers by idempotency key for
 * a day of its clock. What it does not model is 501. Source: docs.stripe.com/api.
 */
export async function startStripe(options: StripeOptions = {}): Promise<StripeStandIn> {
  const spec = options.specPath === undefined ? undefined : await loadSpec(options.specPath)
  const state = createState(options, spec) as State
  const { id = 'acct_1ElevaPlatform', country = 'PT' } = options.platform ?? {}
  state.platform = addAccount(state, { id, country }, true)
  const controls = { ...createControl(state), ...createViews(state) }
  const answer = async (request: Request, closed: AbortSignal): Promise<Reaction> =>
    request.path.startsWith(controlPath)
      ? answerControl('Stripe', controls, request)
      : await answerCall(state, request, closed)
  const { close, url } = await listen({ port: options.port ?? 0, maxBodyBytes, answer })
  return {
    ...controls,
    url,
    secretKey: state.secretKey,
    platform: state.platform.id,
    close,
  }
}
