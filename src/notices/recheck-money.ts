import { type MoneyNoticeState, readMoneyNotice } from '../database/money-notices.ts'
import type { FactsOf } from './facts.ts'
import type { OutgoingNotice, Recheck, RecheckVerdict } from './notice.ts'

type MoneyFacts = FactsOf<'payout-failed' | 'payout-upcoming' | 'transfer-recorded'>

/**
 * Whether what an expert is to hear about their money is still so: refunded, disputed, paid or corrected meanwhile, it is
 * not, and the site or another notice tells the news.
 */
export const recheckMoney: Recheck = async (notice, { db }) => {
  const { rows: told } = notice.facts as MoneyFacts
  const ids = [...new Set(told.map(row => row.paymentTransferId))]
  const operationId = notice.kind === 'payout-upcoming' ? null : notice.subject
  const reason = findReason(notice, await readMoneyNotice(db, { ids, operationId }), ids.length)
  return reason === undefined ? { kind: 'send' } : drop(reason)
}

function findReason(notice: OutgoingNotice, state: MoneyNoticeState, told: number): string | undefined {
  if (state.rows.length < told) return 'deleted'
  if (notice.kind === 'payout-upcoming') return judgeUpcoming(notice, state)
  if (notice.kind === 'payout-failed') return judgeFailed(state)
  if (state.operation !== 'created' && state.operation !== 'paid') return 'operation_undone'
  // The money of a payout has left Stripe; that of a transfer must not have.
  return stopped(state.rows) ?? (notice.kind === 'transfer-recorded' ? paidOut(state.rows) : undefined)
}

/** Its money is still to come, in the amount that is announced. */
function judgeUpcoming({ facts, occurrence }: OutgoingNotice, { rows }: MoneyNoticeState): string | undefined {
  const { amountCents, currency } = facts as MoneyFacts
  const isAnother = rows.some(row => row.paymentIntentId !== occurrence || row.currency !== currency.toLowerCase())
  const sum = rows.reduce((cents, row) => cents + row.amountCents, 0)
  const hasFailed = rows.some(row => row.status === 'FAILED')
  return (
    stopped(rows) ?? paidOut(rows) ?? (isAnother || sum !== amountCents ? 'changed' : hasFailed ? 'failed' : undefined)
  )
}

/** True as long as some of the money that came back still is to be sent again. */
function judgeFailed({ rows }: MoneyNoticeState): string | undefined {
  const open = rows.filter(row => !row.isRepaid && stopped([row]) === undefined)
  if (open.length > 0) return undefined
  return rows.some(row => row.isRepaid) ? 'repaid' : (stopped(rows) ?? 'deleted')
}

function stopped(rows: MoneyNoticeState['rows']): string | undefined {
  if (rows.some(row => row.status === 'REFUNDED')) return 'refunded'
  return rows.some(row => row.status === 'DISPUTED') ? 'disputed' : undefined
}

function paidOut(rows: MoneyNoticeState['rows']): string | undefined {
  return rows.some(row => row.status === 'PAID_OUT' || row.payoutId !== null) ? 'paid_out' : undefined
}

function drop(reason: string): RecheckVerdict {
  return { kind: 'drop', reason }
}
