import type { Config } from './config.ts'
import type { Db } from './database/connection.ts'
import { type Corrections, createCorrections } from './ledger/corrections.ts'
import { createLedger } from './ledger/create-ledger.ts'
import type { Ledger, LedgerRun } from './ledger/ledger.ts'
import type { LedgerParts } from './ledger/parts.ts'
import type { Fetch } from './providers/http.ts'
import type { PaymentReads } from './providers/payments.ts'
import type { Reachability } from './providers/reachability.ts'
import { createStripe } from './providers/stripe.ts'
import type { WebhookReads } from './providers/webhooks.ts'

export interface MoneyOptions {
  readonly config: Pick<Config, 'money' | 'stripe'>
  readonly db: Db
  readonly fetch: Fetch
  readonly newId: () => string
  readonly clock: () => Date
  readonly log: LedgerRun['log']
  readonly onStep?: LedgerParts['onStep'] | undefined
}

export interface Money {
  readonly payments: PaymentReads
  readonly ledger: Ledger
  readonly corrections: Corrections
  readonly reachability: Reachability
  readonly webhooks: WebhookReads
}

/** Stripe, and the ledger on top of it. What can write to Stripe exists in this function alone, and goes to the ledger. */
export function wireMoney(options: MoneyOptions): Money {
  const { clock, config, db, fetch, log, newId, onStep } = options
  const { reachability, reads: payments, webhooks, writes } = createStripe({ ...config.stripe, fetch })
  const hooks = onStep === undefined ? {} : { onStep }
  const ledger = createLedger({ db, payments, writes, limits: config.money, newId, ...hooks })
  const corrections = createCorrections({ db, payments, newId, clock, log, ...hooks })
  return { payments, ledger, corrections, reachability, webhooks }
}
