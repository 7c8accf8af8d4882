import { render } from '../render/things.ts'
import type { Book, State } from '../state.ts'
import { bookFor, findThing } from './find.ts'
import { NotModelled } from './not-modelled.ts'
import { invalid } from './refusal.ts'

type Rendered = Record<string, unknown>

/** Properties that Stripe can expand and the stand-in does too. */
const expandable: Readonly<Record<string, readonly string[]>> = {
  payment_intent: ['latest_charge'],
  charge: ['balance_transaction', 'payment_intent', 'transfer', 'source_transfer'],
  dispute: ['charge', 'payment_intent'],
  refund: ['balance_transaction', 'charge', 'payment_intent', 'transfer_reversal'],
  transfer: ['balance_transaction', 'destination', 'destination_payment', 'source_transaction'],
  transfer_reversal: ['balance_transaction', 'transfer', 'source_refund'],
  payout: ['balance_transaction', 'destination', 'failure_balance_transaction'],
  balance_transaction: ['source'],
}

const mostSteps = 4

/**
 * Puts objects in the place of ids, along each path; `data.` goes through a list. Throws a Refusal for a property that
 * does not exist, and NotModelled for one that the stand-in does not expand. Source: docs.stripe.com/expand.
 */
export function expandAll(state: State, book: Book, body: unknown, paths: readonly string[]): void {
  for (const path of paths) {
    const steps = path.split('.')
    if (steps.filter(step => step !== 'data').length > mostSteps) {
      throw invalid(
        'parameter_invalid',
        `You cannot expand more than ${mostSteps} levels of a property. Property: ${path}`,
        'expand',
      )
    }
    expand(state, book, body, steps, path)
  }
}

function expand(state: State, book: Book, at: unknown, steps: readonly string[], path: string): void {
  const [step, ...rest] = steps
  if (step === undefined || at === null || at === undefined) return
  const owner = at as Rendered
  if (owner.object === 'list') {
    if (step !== 'data') throw cannot(path)
    for (const each of owner.data as unknown[]) expand(state, book, each, rest, path)
    return
  }
  if (!Object.hasOwn(owner, step)) {
    // A charge without a transfer has no such property at all.
    if (owner.object === 'charge' && step === 'transfer') return
    throw cannot(path)
  }
  if (expandable[String(owner.object)]?.includes(step) !== true) {
    throw new NotModelled(`expand[] of ${String(owner.object)}.${step}`)
  }
  const within = bookFor(state, book, step, owner)
  if (typeof owner[step] === 'string') owner[step] = lookUp(state, within, owner[step], path)
  expand(state, within, owner[step], rest, path)
}

function lookUp(state: State, book: Book, id: string, path: string): object {
  const thing = findThing(state, book, id)
  if (thing === undefined) throw new NotModelled(`expand[] of ${path}, which is ${id}`)
  return render(state, thing)
}

function cannot(path: string): Error {
  return invalid('parameter_invalid', `This property cannot be expanded (${path}).`, 'expand')
}
