import { type MoneyNoticeState, readMoneyNotice } from '../database/money-notices.ts'
import type { FactsOf } from './facts.ts'
import type { OutgoingNotice, Recheck, RecheckVerdict } from './notice.ts'
import { paymentOf } from './payment-reminders.ts'

type MoneyFacts = FactsOf<'payout-failed' | 'payout-upcoming' | 'transfer-recorded'>

/**
 * Whether what an expert is to hear about their money is still so: refunded, disputed, paid or corrected meanwhile, it is
 * not, and the site or another notice tells the news.
 */
export const recheckMoney: Recheck = async (notice, { db }) => {
  const { rows: told } = notice.facts as MoneyFacts
  const ids = [...new Set(told.map(row => row.paymentTransferId))]
  const operationId = notice.kind === 'payout-upcoming' ? null : notice.subject
  const reason = findReason(notice, await readMoneyNotice(db, { ids, operationId }))
  return reason === undefined ? { kind: 'send' } : drop(reason)
}

function findReason(notice: OutgoingNotice, state: MoneyNoticeState): string | undefined {
  const { rows: told } = notice.facts as MoneyFacts
  if (state.rows.length < new Set(told.map(row => row.paymentTransferId)).size) return 'deleted'
  if (notice.kind === 'payout-upcoming') return judgeUpcoming(notice, state)
  if (notice.kind === 'payout-failed') return judgeFailed(state)
  if (state.operation !== 'created' && state.operation !== 'paid') return 'operation_undone'
  // The money of a payout has left Stripe; that of a transfer must not have.
  return stopped(state.rows) ?? (notice.kind === 'transfer-recorded' ? paidOut(state.rows) : undefined)
}

/** Its money is still to come, on the day and in the amount that are announced, and to the one who is told. */
function judgeUpcoming(notice: OutgoingNotice, { rows }: MoneyNoticeState): string | undefined {
  const facts = notice.facts as FactsOf<'payout-upcoming'>
  const over = stopped(rows) ?? paidOut(rows)
  if (over !== undefined) return over
  if (
    rows.some(
      row => row.paymentIntentId !== paymentOf(notice.occurrence) || row.currency !== facts.currency.toLowerCase(),
    )
  ) {
    return 'changed'
  }
  if (rows.reduce((cents, row) => cents + row.amountCents, 0) !== facts.amountCents) return 'changed'
  if (rows.some(row => row.status === 'FAILED')) return 'failed'
  if (rows.some(row => row.expert !== notice.recipient)) return 'recipient_changed'
  if (rows.some(row => row.needsApproval)) return 'needs_approval'
  return hasMoved(facts, rows) ? 'moved' : undefined
}

/** The day on which money is payable follows from its appointment. */
function hasMoved(facts: FactsOf<'payout-upcoming'>, rows: MoneyNoticeState['rows']): boolean {
  const starts = new Set(facts.rows.map(row => row.startsAt))
  const ends = facts.appointmentEndsAt
  return rows.some(
    row =>
      !starts.has(row.startsAt.toISOString()) || (ends !== undefined && row.appointmentEndsAt?.toISOString() !== ends),
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
