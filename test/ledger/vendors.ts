import type { Test } from 'tap'
import { createHttp } from '../../src/providers/http.ts'
import type { PaymentReads, PaymentWrites, Payout, Transfer, WriteAnswer } from '../../src/providers/payments.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { neverAsked } from '../support/no-money.ts'

/** What goes wrong with the writes to come, until it is lifted. */
export type WriteFault =
  /** Carried out, and the answer never comes. */
  | 'answer lost'
  /** Never arrives. */
  | 'request lost'
  /** Carried out, answered 500, and the 500 is kept under the key. */
  | 'stored error, carried out'
  /** Not carried out, answered 500, and the 500 is kept under the key. */
  | 'stored error'
  | 'busy'
  | 'key refused'

export interface Booked {
  readonly paymentIntentId: string
  readonly chargeId: string
  readonly transferId: string | null
}

/** The payment vendor of a test, whichever it is. Each booking is paid and its money available. */
export interface Vendor {
  readonly payments: PaymentReads
  readonly writes: PaymentWrites
  readonly account: string
  /** A charge of 7000 with 1000 of fee for the expert's account; `direct` stays on the platform, without a transfer. */
  book(kind: 'destination' | 'direct'): Booked
  /** From now on Stripe says that the guest got everything back. */
  refund(booked: Booked): void
  setFault(fault: WriteFault | undefined): void
  /** Cents that really left: payouts to the bank, and transfers that were asked for. */
  outflowCents(): number
  setPayout(id: string, status: 'paid' | 'failed' | 'canceled', isMoneyBack?: boolean): void
  setAccount(settings: { payoutsEnabled?: boolean }): void
  /** A payout that somebody else makes, of 1000 cents; with an operation's id where given. */
  payOutElsewhere(operationId?: string): void
}

type Clock = () => Date

/** The stand-in over HTTP, through the official SDK. */
export async function standIn(t: Test, clock: Clock): Promise<Vendor> {
  const stripe = await startStripe({ clock })
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
    await stripe.close()
  })
  const { secretKey, url } = stripe
  const shared = { secretKey, url, fetch: http.fetch, requestsPerSecond: 10_000, retryMs: 1, timeoutMs: 4_000 }
  const { reads, writes } = createStripe(shared)
  const account = stripe.addAccount({})
  const refunded = new Set<string>()
  const faults = {
    'answer lost': { kind: 'drop', executed: true },
    'request lost': { kind: 'drop', executed: false },
    'stored error, carried out': { kind: 'error', executed: true, stored: true },
    'stored error': { kind: 'error', executed: false, stored: true },
    busy: { kind: 'limit' },
    'key refused': { kind: 'unauthorized' },
  } as const
  return {
    payments: {
      ...reads,
      readPayment: async (id, signal) => {
        const payment = await reads.readPayment(id, signal)
        const { charge } = payment
        return charge !== undefined && refunded.has(id)
          ? { ...payment, charge: { ...charge, refundedCents: 7000 } }
          : payment
      },
    },
    writes,
    account,
    book: kind => {
      const at = new Date(clock().getTime() - 10 * 86_400_000)
      const destination = kind === 'destination' ? account : null
      const feeCents = kind === 'destination' ? 1000 : null
      return stripe.pay({ amountCents: 7000, feeCents, destination, paidAt: at, availableAt: at })
    },
    refund: booked => {
      refunded.add(booked.paymentIntentId)
    },
    setFault: fault => {
      stripe.clearFaults()
      if (fault !== undefined) stripe.inject({ ...faults[fault], method: 'POST', times: 1_000 })
    },
    outflowCents: () => {
      const { payouts, transfers } = stripe.outflow()
      return (payouts[account]?.['eur'] ?? 0) + (transfers[account]?.['eur'] ?? 0)
    },
    setPayout: (id, status, isMoneyBack = true) => {
      stripe.setPayout(id, status, { isMoneyBack })
    },
    setAccount: settings => {
      stripe.setAccount(account, settings)
    },
    payOutElsewhere: operationId => {
      const metadata = operationId === undefined ? {} : { operation_id: operationId }
      stripe.payOutAsOldCode({ account, amountCents: 1000, metadata })
    },
  }
}

interface Kept {
  readonly at: number
  readonly request: string
  readonly answer: WriteAnswer<Transfer | Payout>
}

const dayMs = 24 * 60 * 60_000

/** The same in memory: quick, and scripted by Stripe's words on idempotency (docs.stripe.com/api/idempotent_requests). */
export function scripted(_t: Test, clock: Clock): Vendor {
  const account = 'acct_scripted'
  const payouts = new Map<string, Payout>()
  const transfers = new Map<string, Transfer>()
  const bookings = new Map<string, { kind: string; refundedCents: number; booked: Booked }>()
  const keys = new Map<string, Kept>()
  let fault: WriteFault | undefined
  let payoutsEnabled = true
  let last = 0
  const next = (prefix: string): string => {
    last += 1
    return `${prefix}_${last}`
  }
  const paidAt = (): Date => new Date(clock().getTime() - 10 * dayMs)
  const ownTransfer = (booked: Booked): Transfer => ({
    id: booked.transferId ?? '',
    destination: account,
    amountCents: 7000,
    currency: 'eur',
    reversedCents: 0,
    chargeId: booked.chargeId,
    group: `group_${booked.paymentIntentId}`,
    operationId: null,
    paymentTransferId: null,
    createdAt: paidAt(),
  })
  const groupOf = (chargeId: string): string | null => {
    const found = [...bookings.values()].find(({ booked }) => booked.chargeId === chargeId)
    return found === undefined ? null : `group_${found.booked.paymentIntentId}`
  }
  const left = (payout: Payout): boolean => !payout.moneyIsBack
  const sum = (all: Iterable<{ amountCents: number }>): number =>
    [...all].reduce((cents, { amountCents }) => cents + amountCents, 0)
  const availableCents = (): number =>
    [...bookings.values()].filter(({ kind }) => kind === 'destination').length * 6000 +
    sum(transfers.values()) -
    sum([...payouts.values()].filter(left))

  async function write<T extends Transfer | Payout>(
    request: object,
    key: string,
    carryOut: () => WriteAnswer<T>,
  ): Promise<WriteAnswer<T>> {
    if (fault === 'request lost') return { kind: 'unknown', code: 'no_answer', replayed: false }
    if (fault === 'busy') return { kind: 'notExecuted', code: 'rate_limit' }
    if (fault === 'key refused') return { kind: 'keyRefused', code: 'http_401' }
    const now = clock().getTime()
    const kept = keys.get(key)
    if (kept !== undefined && now - kept.at < dayMs) {
      if (kept.request !== JSON.stringify(request)) return { kind: 'keyReused' }
      const { answer } = kept
      return (
        answer.kind === 'done' || answer.kind === 'unknown' ? { ...answer, replayed: true } : answer
      ) as WriteAnswer<T>
    }
    const stored = fault === 'stored error' || fault === 'stored error, carried out'
    const answer: WriteAnswer<T> =
      fault === 'stored error' ? { kind: 'unknown', code: 'api_error', replayed: false } : carryOut()
    const kept500: WriteAnswer<T> = stored ? { kind: 'unknown', code: 'api_error', replayed: false } : answer
    keys.set(key, { at: now, request: JSON.stringify(request), answer: kept500 })
    return fault === 'answer lost' ? { kind: 'unknown', code: 'no_answer', replayed: false } : kept500
  }

  const payments: PaymentReads = {
    readPlatform: async () => ({ account: 'acct_platform', live: false }),
    readPayment: async id => {
      const found = bookings.get(id)
      if (found === undefined) throw new Error(`no payment ${id}`)
      const { booked, kind, refundedCents } = found
      const transfer = kind === 'destination' ? ownTransfer(booked) : undefined
      const charge = {
        id: booked.chargeId,
        paidAt: paidAt(),
        amountCents: 7000,
        currency: 'eur',
        settlementCurrency: 'eur',
        refundedCents,
        disputed: false,
        disputeLost: false,
        feeCents: kind === 'destination' ? 1000 : null,
        transfer,
        transferGroup: `group_${id}`,
        isGrouped: true,
      }
      return { paymentIntentId: id, status: 'paid' as const, charge }
    },
    readBooking: neverAsked,
    listTransfers: async ({ from }) => [...transfers.values()].filter(each => each.createdAt >= from).toReversed(),
    listTransferGroup: async group => [...transfers.values()].filter(each => each.group === group).toReversed(),
    readAccount: async id => ({
      id,
      payoutsEnabled,
      transfersActive: true,
      disabledReason: null,
      schedule: 'manual',
      bankCurrencies: ['eur'],
      disabledBankCurrencies: [],
    }),
    readBalance: async () => ({ available: { eur: availableCents() }, pending: {} }),
    listPayouts: async ({ from }) => [...payouts.values()].filter(each => each.createdAt >= from).toReversed(),
    readPayout: async ({ id }) => {
      const found = payouts.get(id)
      if (found === undefined) throw new Error(`no payout ${id}`)
      return found
    },
  }
  const addPayout = (amountCents: number, operationId: string | null): Payout => {
    const payout: Payout = {
      id: next('po'),
      amountCents,
      currency: 'eur',
      status: 'pending',
      automatic: false,
      arrivesAt: null,
      failureCode: null,
      moneyIsBack: false,
      operationId,
      paymentTransferId: null,
      createdAt: clock(),
    }
    payouts.set(payout.id, payout)
    return payout
  }
  return {
    account,
    payments,
    writes: {
      createPayout: async (request, key) =>
        await write<Payout>(request, key, () => {
          if (availableCents() < request.amountCents) return { kind: 'refused', code: 'balance_insufficient' }
          return { kind: 'done', object: addPayout(request.amountCents, request.operationId), replayed: false }
        }),
      createTransfer: async (request, key) =>
        await write<Transfer>(request, key, () => {
          const { chargeId } = request
          const used = sum([...transfers.values()].filter(each => each.chargeId === chargeId))
          if (used + request.amountCents > 7000) return { kind: 'refused', code: 'amount_too_large' }
          const { amountCents, currency, destination, operationId, paymentTransferId } = request
          const object: Transfer = {
            id: next('tr'),
            destination,
            amountCents,
            currency,
            reversedCents: 0,
            chargeId,
            group: groupOf(chargeId),
            operationId,
            paymentTransferId,
            createdAt: clock(),
          }
          transfers.set(object.id, object)
          return { kind: 'done', object, replayed: false }
        }),
    },
    book: kind => {
      const [paymentIntentId, chargeId] = [next('pi'), next('ch')]
      const booked = { paymentIntentId, chargeId, transferId: kind === 'destination' ? next('tr') : null }
      bookings.set(paymentIntentId, { kind, refundedCents: 0, booked })
      return booked
    },
    refund: ({ paymentIntentId }) => {
      const found = bookings.get(paymentIntentId)
      if (found !== undefined) found.refundedCents = 7000
    },
    setFault: wanted => {
      fault = wanted
    },
    outflowCents: () => sum([...payouts.values()].filter(left)) + sum(transfers.values()),
    setPayout: (id, status, isMoneyBack = true) => {
      const found = payouts.get(id)
      if (found === undefined) throw new Error(`no payout ${id}`)
      const back = status !== 'paid' && isMoneyBack
      payouts.set(id, {
        ...found,
        status,
        moneyIsBack: back,
        failureCode: status === 'failed' ? 'could_not_process' : null,
      })
    },
    setAccount: settings => {
      payoutsEnabled = settings.payoutsEnabled ?? payoutsEnabled
    },
    payOutElsewhere: operationId => {
      addPayout(1000, operationId ?? null)
    },
  }
}
