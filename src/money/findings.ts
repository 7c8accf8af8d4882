/** What a person must look at; the runner's own form of it. */
export interface MoneyFinding {
  readonly kind: string
  readonly subject: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** What was found broken while Stripe was asked; it makes the run come back. */
export interface MoneyFailure {
  readonly subject: string
  readonly code: string
  readonly message: string
}

/** How plans, findings and people name a row. */
export function subjectOf({ paymentTransferId }: { readonly paymentTransferId: number }): string {
  return `payment_transfers ${paymentTransferId}`
}
