import { sql } from 'kysely'
import { approveOperation } from '../../src/database/money-approvals.ts'
import type { LedgerStep } from '../../src/ledger/parts.ts'
import { clearTables } from './money-arena.ts'
import { addBooking, addExpert, type BookedRow } from './money-dues.ts'
import { faults, type Happening, rowCount, type SiteEvent } from './money-happenings.ts'
import type { Stadium } from './money-players.ts'

const hourMs = 60 * 60_000
/** One row, and what has happened to it. */
export interface MatchRow extends BookedRow {
  readonly account: string
  readonly amountCents: number
  /** Not before, whatever is asked. */
  readonly eligibleFrom: Date
  refundId: string | undefined
  /** Only what the service itself and the guest's payment did. */
  isUntouched: boolean
  /** Objects that may have moved its money; after a refund there must not be another one. */
  allowed: ReadonlySet<string> | undefined
}

export interface Match {
  readonly stadium: Stadium
  readonly accounts: readonly string[]
  readonly rows: readonly MatchRow[]
  /** Accounts whose money somebody took, so that it may not reach for all of their rows. */
  readonly robbed: Set<string>
}

/** Two experts; bookings with and without a transfer, due, not due yet, and one that is not paid yet. */
export async function beginMatch(stadium: Stadium): Promise<Match> {
  await clearTables(stadium.url)
  stadium.stripe.clearFaults()
  const accounts = [stadium.stripe.addAccount({}), stadium.stripe.addAccount({})]
  const experts: string[] = []
  for (const account of accounts) experts.push(await addExpert(stadium, account))
  const rows: MatchRow[] = []
  for (let index = 0; index < rowCount; index += 1) {
    const account = accounts[index % 2] ?? ''
    const amountCents = 3000 + 500 * index
    const paidDaysAgo = index === 2 ? 6.5 : 12
    const flow = index === 1 || index === 2 ? 'create' : 'record'
    const booked = await addBooking(stadium, {
      flow,
      account,
      amountCents,
      paidDaysAgo,
      expert: experts[index % 2] ?? '',
    } as const)
    const eligibleFrom = new Date(stadium.now().getTime() + (7 - paidDaysAgo) * 24 * hourMs)
    const untouched = { refundId: undefined, isUntouched: true, allowed: undefined }
    rows.push({ ...booked, account, amountCents, eligibleFrom, ...untouched })
  }
  return { stadium, accounts, rows, robbed: new Set() }
}

/** Lets it happen. */
export async function playHappening(match: Match, happening: Happening): Promise<void> {
  const { stadium } = match
  const { clock, stripe } = stadium
  switch (happening.kind) {
    case 'wait':
      clock.advance(happening.hours * hourMs)
      break
    case 'site':
      await playSite(match, happening.event, true)
      break
    case 'bank':
      playBank(match, happening.result)
      break
    case 'approve':
      await approveAll(stadium)
      break
    case 'account':
      enable(match, happening.which, happening.isAble)
      break
    case 'run': {
      const { cutAt, fault, job, meanwhile, unread } = happening
      if (fault !== undefined) stripe.inject({ ...faults[fault], method: 'POST' })
      // The SDK's caller asks a few times before it gives a question up.
      if (unread !== undefined) stripe.inject({ kind: 'drop', executed: false, method: 'GET', after: unread, times: 4 })
      let isOver = false
      let factsAreRead = false
      const onStep = async (step: LedgerStep): Promise<void> => {
        factsAreRead = step === 'facts' || (factsAreRead && (step === 'intent' || step === 'sending'))
        if (isOver || step !== meanwhile?.at) return
        isOver = true
        await playSite(match, meanwhile.event, !factsAreRead)
      }
      await stadium.run({ job, worker: 'one', cutAt, onStep })
      break
    }
    case 'race': {
      const { cutAt, fault, jobs } = happening
      if (fault !== undefined) stripe.inject({ ...faults[fault], method: 'POST' })
      await Promise.all([
        stadium.run({ job: jobs[0], worker: 'one', cutAt }),
        stadium.run({ job: jobs[1], worker: 'two' }),
      ])
      break
    }
  }
  stripe.clearFaults()
}

/** An operator releases whatever is held. */
export async function approveAll({ db, now }: Stadium): Promise<void> {
  const held = await db.selectFrom('jobs.money_operations').select('id').where('state', '=', 'held').execute()
  for (const { id } of held) {
    // Another payout of its account may be on its way: then it is approved another time.
    await approveOperation(db, { id, operator: 'ana', now: now() }).catch(() => undefined)
  }
}

/** What Stripe lets an account do. */
export function enable({ accounts, stadium: { stripe } }: Match, which: number, isAble: boolean): void {
  const account = accounts[which]
  if (account === undefined) return
  stripe.setAccount(account, { payoutsEnabled: isAble, transfers: isAble ? 'active' : 'inactive' })
}

/** Takes the oldest payouts that are not through to where the bank wants them; another account then has a new bank. */
function playBank({ accounts, stadium: { stripe } }: Match, result: 'paid' | 'failed' | 'canceled'): void {
  for (const account of accounts) {
    const mayFail = ['pending', 'in_transit', ...(result === 'failed' ? ['paid'] : [])]
    const payout = stripe.payouts(account).find(({ status }) => mayFail.includes(status))
    if (payout === undefined || (result === 'canceled' && payout.status !== 'pending')) continue
    stripe.setPayout(payout.id, result)
    if (result === 'failed') stripe.replaceBank(account)
  }
}

/** What the site does at Stripe, and what it writes when it hears of it. `isSeen`: before any look at the facts. */
async function playSite(match: Match, event: SiteEvent, isSeen: boolean): Promise<void> {
  const { stadium } = match
  const row = match.rows[event.row]
  if (row === undefined) return
  switch (event.kind) {
    case 'refund':
    case 'partial refund':
      return await playRefund(match, row, event, isSeen)
    case 'refund failed':
      if (row.refundId === undefined) return
      stadium.stripe.failRefund(row.refundId)
      row.refundId = undefined
      row.allowed = undefined
      return await write(stadium, row, 'PENDING', ['REFUNDED'])
    case 'dispute':
      if (row.refundId !== undefined || !row.isUntouched) return
      row.isUntouched = false
      stadium.stripe.dispute(row.chargeId)
      if (isSeen) row.allowed = listObjects(match)
      return await write(stadium, row, 'DISPUTED', ['PENDING', 'READY', 'APPROVED', 'COMPLETED', 'PAID_OUT'])
    case 'paid':
      return await write(stadium, row, 'READY', ['PENDING'])
  }
}

async function playRefund(
  match: Match,
  row: MatchRow,
  event: { readonly kind: string; readonly reverse: boolean; readonly isTold: boolean },
  isSeen: boolean,
): Promise<void> {
  const { stadium } = match
  if (row.refundId !== undefined || !row.isUntouched) return
  row.isUntouched = false
  const isWhole = event.kind === 'refund'
  const reverseTransfer = event.reverse && row.transferId !== null
  const amount = isWhole ? {} : { amountCents: 700 }
  row.refundId = stadium.stripe.refund({ chargeId: row.chargeId, reverseTransfer, ...amount })
  if (reverseTransfer) match.robbed.add(row.account)
  if (isSeen) row.allowed = listObjects(match)
  if (isWhole && event.isTold) await write(stadium, row, 'REFUNDED', ['PENDING', 'READY', 'APPROVED', 'COMPLETED'])
}

function listObjects({ accounts, stadium: { stripe } }: Match): ReadonlySet<string> {
  const payouts = accounts.flatMap(account => stripe.payouts(account))
  return new Set([...payouts, ...stripe.transfers()].map(({ id }) => id))
}

async function write({ db }: Stadium, { id }: MatchRow, to: string, from: readonly string[]): Promise<void> {
  await sql`
    update payment_transfers set status = ${to}::payment_transfer_status_enum, updated = now()
    where id = ${id} and status = any(${[...from]}::payment_transfer_status_enum[])`.execute(db)
}
