import type { Asked } from '../money/asked.ts'
import type { Payment, PaymentReads, Transfer } from '../providers/payments.ts'
import { askEach, type AskOptions } from './ask-each.ts'
import { takeTurns } from './take-turns.ts'

/** A row whose payment is asked about. */
export interface AskedRow {
  readonly paymentIntentId: string
  /** The Connect account. */
  readonly account: string
  readonly createdAt: Date
}

/**
 * A payment, and the transfers to its row's account and of the payment's group, which matter only where the charge has none
 * of its own.
 */
export interface AskedPayment {
  readonly payment: Payment
  readonly transfers: readonly Transfer[]
}

const dayMs = 24 * 60 * 60_000
const none: Asked<readonly Transfer[]> = { kind: 'known', value: [] }

/** What Stripe says about each row's payment, in the rows' order; transfers are listed once per account. */
export async function askPayments(
  rows: readonly AskedRow[],
  payments: PaymentReads,
  options: AskOptions & { readonly now: Date },
): Promise<readonly Asked<AskedPayment>[]> {
  const inTurn = takeTurns(rows, options.now)
  const asked = await askEach(
    inTurn,
    async row => await payments.readPayment(row.paymentIntentId, options.signal),
    options,
  )
  const lists = await listTransfersTo(findAccounts(inTurn, asked), payments, options)
  const groups = await listGroups(asked, payments, options)
  const answers = new Map(inTurn.map((row, index) => [row, asked[index]]))
  return rows.map(row => {
    const answer = answers.get(row) ?? { kind: 'left' }
    const [group] = listGroupsOf(answer)
    return join(answer, lists.get(row.account), group === undefined ? none : groups.get(group))
  })
}

/** The accounts of charges without a transfer of their own, each with the day before its oldest row was made. */
function findAccounts(rows: readonly AskedRow[], asked: readonly Asked<Payment>[]): ReadonlyMap<string, Date> {
  const accounts = new Map<string, Date>()
  for (const [index, { account, createdAt }] of rows.entries()) {
    if (!lacksTransfer(asked[index])) continue
    const from = new Date(createdAt.getTime() - dayMs)
    const known = accounts.get(account)
    if (known === undefined || from < known) accounts.set(account, from)
  }
  return accounts
}

async function listTransfersTo(
  accounts: ReadonlyMap<string, Date>,
  payments: PaymentReads,
  options: AskOptions,
): Promise<ReadonlyMap<string, Asked<readonly Transfer[]>>> {
  const asked = await askEach(
    [...accounts],
    async ([destination, from]) => await payments.listTransfers({ destination, from }, options.signal),
    options,
  )
  return new Map([...accounts.keys()].map((account, index) => [account, asked[index] ?? { kind: 'left' }]))
}

/**
 * The transfers of the payments' groups: the row's account may have been another one when they were made. A charge that has
 * no group has none of them; the ledger asks once more, whatever it has, right before it sends.
 */
async function listGroups(
  asked: readonly Asked<Payment>[],
  payments: PaymentReads,
  options: AskOptions,
): Promise<ReadonlyMap<string, Asked<readonly Transfer[]>>> {
  const groups = [...new Set(asked.flatMap(listGroupsOf))]
  const answers = await askEach(groups, async group => await payments.listTransferGroup(group, options.signal), options)
  return new Map(groups.map((group, index) => [group, answers[index] ?? { kind: 'left' }]))
}

function join(
  asked: Asked<Payment>,
  listed: Asked<readonly Transfer[]> | undefined,
  grouped: Asked<readonly Transfer[]> | undefined,
): Asked<AskedPayment> {
  if (asked.kind !== 'known') return asked
  if (!lacksTransfer(asked)) return { kind: 'known', value: { payment: asked.value, transfers: [] } }
  if (listed === undefined || grouped === undefined) return { kind: 'left' }
  if (listed.kind !== 'known') return listed
  if (grouped.kind !== 'known') return grouped
  return { kind: 'known', value: { payment: asked.value, transfers: mergeTransfers(listed.value, grouped.value) } }
}

/** Each transfer once. */
function mergeTransfers(one: readonly Transfer[], two: readonly Transfer[]): Transfer[] {
  return [...new Map([...one, ...two].map(transfer => [transfer.id, transfer])).values()]
}

function lacksTransfer(asked: Asked<Payment> | undefined): boolean {
  return asked?.kind === 'known' && asked.value.charge !== undefined && asked.value.charge.transfer === undefined
}

/** None of a charge that made its transfer itself, and none of one without a group. */
function listGroupsOf(asked: Asked<Payment> | undefined): string[] {
  const charge = asked?.kind === 'known' ? asked.value.charge : undefined
  return charge?.transfer === undefined && charge?.isGrouped === true ? [charge.transferGroup] : []
}
