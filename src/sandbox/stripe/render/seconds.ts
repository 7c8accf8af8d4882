/** Stripe's times are whole seconds. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}
