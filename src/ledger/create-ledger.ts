import { requireLease } from '../database/leases.ts'
import { createOperation } from './create.ts'
import { draftPayout, draftTransfer } from './drafts.ts'
import type { Ledger, LedgerRun, Posting } from './ledger.ts'
import { foresee } from './outlook.ts'
import type { LeasedRun, LedgerParts } from './parts.ts'
import { createAccountCheck } from './pin.ts'
import { recordTransfer } from './record.ts'
import { resumeOperation } from './resume.ts'
import { settlePayout } from './settle.ts'

/** The ledger over a database and a payment vendor. Every order needs a run with a lease and our own Stripe account. */
export function createLedger(parts: LedgerParts): Ledger {
  const checkAccount = createAccountCheck(parts)
  const permit = async (run: LedgerRun): Promise<LeasedRun> => {
    const leased = { ...run, lease: requireLease(run.lease) }
    await checkAccount(leased)
    return leased
  }
  const { newId } = parts
  return {
    limits: parts.limits,
    checkAccount,
    recordTransfer: async (order, run) => await recordTransfer(parts, order, await permit(run)),
    createTransfer: async (order, run): Promise<Posting> =>
      await createOperation(parts, draftTransfer(order, newId()), await permit(run)),
    createPayout: async (order, run): Promise<Posting> =>
      await createOperation(parts, draftPayout(order, newId()), await permit(run)),
    resume: async (operationId, run) => await resumeOperation(parts, operationId, await permit(run)),
    foresee: async (operationId, run) => await foresee(parts, operationId, run),
    settlePayout: async (operationId, run) => await settlePayout(parts, operationId, await permit(run)),
  }
}
