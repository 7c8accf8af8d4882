import type { PaymentFacts } from '../../src/money/eligibility.ts'

type PaidCharge = NonNullable<PaymentFacts['charge']>

/** A payment of 100.00 that went through on March 1 at 10:00, with nothing in its way. */
export function paid(overrides: Partial<PaidCharge> = {}): PaymentFacts {
  return {
    status: 'paid',
    charge: {
      paidAt: new Date('2026-03-01T10:00:00Z'),
      amountCents: 10_000,
      currency: 'eur',
      refundedCents: 0,
      disputed: false,
      disputeLost: false,
      ...overrides,
    },
  }
}
