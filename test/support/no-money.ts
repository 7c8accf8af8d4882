import type { Ledger } from '../../src/ledger/ledger.ts'
import type { PaymentReads } from '../../src/providers/payments.ts'

/** Payments for tests in which nobody may ask for any. */
export const noPayments: PaymentReads = {
  readPlatform: neverAsked,
  readPayment: neverAsked,
  readBooking: neverAsked,
  listTransfers: neverAsked,
  listTransferGroup: neverAsked,
  readAccount: neverAsked,
  readBalance: neverAsked,
  listPayouts: neverAsked,
  readPayout: neverAsked,
}

/** A ledger for tests in which no money may move. */
export const noLedger: Ledger = {
  limits: { maxSingleCents: 0, maxTotalCents: 0, since: undefined },
  checkAccount: neverAsked,
  recordTransfer: neverAsked,
  createTransfer: neverAsked,
  createPayout: neverAsked,
  resume: neverAsked,
  foresee: neverAsked,
  settlePayout: neverAsked,
}

export async function neverAsked(): Promise<never> {
  throw new Error('no test provider was given')
}
