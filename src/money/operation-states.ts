/** Every state of an operation of money, and which may follow which. */
export type State =
  | 'planned'
  | 'held'
  | 'sending'
  | 'unknown'
  | 'blocked'
  | 'created'
  | 'paid'
  | 'failed'
  | 'canceled'
  | 'rejected'

/**
 * The legal transitions. A state may follow itself where that means another try.
 * Nothing leads from `unknown` to `failed`: what may have moved money is never given up.
 */
export const transitions: Readonly<Record<State, readonly State[]>> = {
  planned: ['sending', 'held', 'blocked', 'created', 'canceled'],
  held: ['planned', 'canceled'],
  sending: ['sending', 'unknown', 'blocked', 'created', 'held', 'canceled', 'rejected'],
  unknown: ['unknown', 'sending', 'created', 'held', 'blocked', 'canceled'],
  blocked: ['blocked', 'sending', 'unknown', 'created', 'held', 'canceled'],
  created: ['created', 'paid', 'failed', 'canceled'],
  // A payout may come back after it arrived, whatever the vendor then calls it.
  paid: ['paid', 'failed', 'canceled'],
  failed: [],
  canceled: [],
  rejected: [],
}

/** Whether an operation in the state `from` may come to the state `to`. */
export function mayFollow(from: State, to: State): boolean {
  return transitions[from].includes(to)
}

/** Whether nothing more is expected to happen; `paid` may still turn into `failed`. */
export function isFinished(state: State): boolean {
  return ['paid', 'failed', 'canceled', 'rejected'].includes(state)
}
