import type { Payment, PaymentReads, Payout, Transfer } from './payments.ts'
import { toBooking } from './stripe-booking.ts'
import { toBalance, toConnectAccount, toPayment, toPayout, toTransfer, withDisputes } from './stripe-objects.ts'
import { read, readAnswer, readPages, type ReadsOptions } from './stripe-requests.ts'

/** What Stripe says. Tries again what may pass: 429, 5xx, a lock, the network. */
export function createReads(options: ReadsOptions): PaymentReads {
  return {
    readPlatform: async signal => {
      const { at, object } = await readAnswer(
        options,
        'our own account',
        signal,
        async stripe => await stripe.accounts.retrieveCurrent(),
      )
      return { account: object.id, live: options.live, now: at }
    },
    readPayment: async (id, signal) => await readPayment(options, id, signal),
    readBooking: async (id, signal) =>
      toBooking(await read(options, id, signal, async stripe => await stripe.paymentIntents.retrieve(id))),
    listTransfers: async (query, signal) => await listTransfers(options, query, signal),
    listTransferGroup: async (group, signal) => await listTransferGroup(options, group, signal),
    readAccount: async (id, signal) =>
      toConnectAccount(await read(options, id, signal, async stripe => await stripe.accounts.retrieve(id))),
    readBalance: async (stripeAccount, signal) => {
      const what = `the balance of ${stripeAccount}`
      return toBalance(
        await read(options, what, signal, async stripe => await stripe.balance.retrieve({}, { stripeAccount })),
      )
    },
    listPayouts: async (query, signal) => await listPayouts(options, query, signal),
    readPayout: async ({ account: stripeAccount, id }, signal) => {
      const what = `${id} of ${stripeAccount}`
      return toPayout(
        await read(options, what, signal, async stripe => await stripe.payouts.retrieve(id, {}, { stripeAccount })),
      )
    },
  }
}

/** A payment with its charge and transfer, and where it was ever disputed, with its disputes. */
async function readPayment(options: ReadsOptions, id: string, signal: AbortSignal): Promise<Payment> {
  const expand = ['latest_charge.transfer', 'latest_charge.balance_transaction']
  const payment = toPayment(
    await read(options, id, signal, async stripe => await stripe.paymentIntents.retrieve(id, { expand })),
  )
  const { charge } = payment
  if (charge?.disputed !== true) return payment
  const disputes = await readPages(
    options,
    `the disputes of ${charge.id}`,
    signal,
    async (stripe, page) => await stripe.disputes.list({ charge: charge.id, ...page }),
  )
  return withDisputes(payment, disputes)
}

async function listTransfers(
  options: ReadsOptions,
  { destination, from }: { readonly destination: string; readonly from: Date },
  signal: AbortSignal,
): Promise<Transfer[]> {
  const filter = { destination, created: { gte: toSeconds(from) } }
  const all = await readPages(
    options,
    `the transfers to ${destination}`,
    signal,
    async (stripe, page) => await stripe.transfers.list({ ...filter, ...page }),
  )
  return all.map(toTransfer)
}

async function listTransferGroup(options: ReadsOptions, group: string, signal: AbortSignal): Promise<Transfer[]> {
  const all = await readPages(
    options,
    `the transfers of ${group}`,
    signal,
    async (stripe, page) => await stripe.transfers.list({ transfer_group: group, ...page }),
  )
  return all.map(toTransfer)
}

async function listPayouts(
  options: ReadsOptions,
  { account: stripeAccount, from }: { readonly account: string; readonly from: Date },
  signal: AbortSignal,
): Promise<Payout[]> {
  const filter = { created: { gte: toSeconds(from) } }
  const all = await readPages(
    options,
    `the payouts of ${stripeAccount}`,
    signal,
    async (stripe, page) => await stripe.payouts.list({ ...filter, ...page }, { stripeAccount }),
  )
  return all.map(toPayout)
}

function toSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
