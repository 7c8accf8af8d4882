import { setTimeout as sleep } from 'node:timers/promises'
import type { Stripe } from 'stripe'
import type { PaymentReads } from './payments.ts'
import { apiVersion, type StripeClient } from './stripe-client.ts'
import { mayPass, toReadError } from './stripe-failure.ts'
import { toBalance, toConnectAccount, toPayment, toPayout, toTransfer, withDisputes } from './stripe-objects.ts'

export interface ReadsOptions {
  readonly client: StripeClient
  readonly live: boolean
  readonly timeoutMs: number
  /** The first of the waits between tries, in milliseconds. */
  readonly retryMs: number
}

const tries = 4
const pageSize = 100
const maxPages = 100

/** What Stripe says. Tries again what may pass: 429, 5xx, a lock, the network. */
export function createReads(options: ReadsOptions): PaymentReads {
  const { live } = options
  return {
    readPlatform: async signal => {
      const { at, object } = await readAnswer(
        options,
        'our own account',
        signal,
        async stripe => await stripe.accounts.retrieveCurrent(),
      )
      return { account: object.id, live, now: at }
    },
    readPayment: async (id, signal) => {
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
    },
    listTransfers: async ({ destination, from }, signal) => {
      const filter = { destination, created: { gte: toSeconds(from) } }
      const all = await readPages(
        options,
        `the transfers to ${destination}`,
        signal,
        async (stripe, page) => await stripe.transfers.list({ ...filter, ...page }),
      )
      return all.map(toTransfer)
    },
    readAccount: async (id, signal) =>
      toConnectAccount(await read(options, id, signal, async stripe => await stripe.accounts.retrieve(id))),
    readBalance: async (stripeAccount, signal) =>
      toBalance(
        await read(
          options,
          `the balance of ${stripeAccount}`,
          signal,
          async stripe => await stripe.balance.retrieve({}, { stripeAccount }),
        ),
      ),
    listPayouts: async ({ account: stripeAccount, from }, signal) => {
      const filter = { created: { gte: toSeconds(from) } }
      const all = await readPages(
        options,
        `the payouts of ${stripeAccount}`,
        signal,
        async (stripe, page) => await stripe.payouts.list({ ...filter, ...page }, { stripeAccount }),
      )
      return all.map(toPayout)
    },
    readPayout: async ({ account: stripeAccount, id }, signal) =>
      toPayout(
        await read(
          options,
          `${id} of ${stripeAccount}`,
          signal,
          async stripe => await stripe.payouts.retrieve(id, {}, { stripeAccount }),
        ),
      ),
  }
}

type Request<T> = (stripe: Stripe) => Promise<T>

async function read<T>(options: ReadsOptions, what: string, signal: AbortSignal, request: Request<T>): Promise<T> {
  return (await readAnswer(options, what, signal, request)).object
}

async function readAnswer<T>(options: ReadsOptions, what: string, signal: AbortSignal, request: Request<T>) {
  const { client, retryMs, timeoutMs } = options
  for (let attempt = 1; ; attempt += 1) {
    const asked = await client.ask(request, { signal, timeoutMs, graceMs: 0 })
    if (asked.kind === 'answered') {
      // Fields of another version could mean something else.
      if (asked.version === null || asked.version === apiVersion) return asked
      throw Object.assign(new Error(`stripe answered in a version we did not ask for, about ${what}`), {
        code: 'api_version',
      })
    }
    signal.throwIfAborted()
    if (attempt === tries || !mayPass(asked.failure)) throw toReadError(asked.failure, what)
    await pause(retryMs * 2 ** (attempt - 1), signal)
  }
}

/** Half of the time is chance, so that many who were refused at once do not come back at once. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
    signal.throwIfAborted()
  })
}

interface Page<T> {
  readonly data: readonly T[]
  readonly has_more: boolean
}

type PageRequest<T> = (stripe: Stripe, page: { limit: number; starting_after?: string }) => Promise<Page<T>>

/** All pages, newest first. Throws rather than leave out the end of a list that is longer than anybody expects. */
async function readPages<T extends { readonly id: string }>(
  options: ReadsOptions,
  what: string,
  signal: AbortSignal,
  request: PageRequest<T>,
): Promise<T[]> {
  const all: T[] = []
  for (let page = 1; page <= maxPages; page += 1) {
    const after = all.at(-1)
    const cursor = after === undefined ? {} : { starting_after: after.id }
    const { data, has_more: more } = await read(
      options,
      what,
      signal,
      async stripe => await request(stripe, { limit: pageSize, ...cursor }),
    )
    all.push(...data)
    if (!more) return all
    if (data.length === 0) throw new Error(`stripe promised more of ${what} and sent nothing`)
  }
  throw Object.assign(new Error(`${what} are more than ${maxPages * pageSize}`), { code: 'too_many_pages' })
}

function toSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
