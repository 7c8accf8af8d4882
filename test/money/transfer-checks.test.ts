import fc from 'fast-check'
import t from 'tap'
import {
  checkTransfer,
  type ExistingTransfer,
  findTransfer,
  mismatchSentences,
  type OwedTransfer,
  type TransferredCharge,
} from '../../src/money/transfer-checks.ts'

const row: OwedTransfer = { paymentTransferId: 7, account: 'acct_1', amountCents: 8_500, currency: 'eur' }

const transfer = (overrides: Partial<ExistingTransfer> = {}): ExistingTransfer => ({
  id: 'tr_1',
  destination: 'acct_1',
  amountCents: 10_000,
  currency: 'eur',
  reversedCents: 0,
  chargeId: 'ch_1',
  paymentTransferId: null,
  ...overrides,
})

/** A destination charge: the transfer is of the gross amount, and the fee was taken back. */
const destinationCharge = (own: ExistingTransfer | undefined = transfer()): TransferredCharge => ({
  id: 'ch_1',
  feeCents: 1_500,
  transfer: own,
})
const plainCharge: TransferredCharge = { id: 'ch_1', feeCents: null, transfer: undefined }

t.test("a destination charge's transfer is the row's when the gross less the fee is the net, to the cent", async t => {
  t.same(findTransfer(row, destinationCharge(), []), { kind: 'match', transfer: transfer() })
  for (const amountCents of [9_999, 10_001, 8_500]) {
    const own = transfer({ amountCents })
    t.match(findTransfer(row, destinationCharge(own), []), {
      kind: 'mismatch',
      mismatches: [{ kind: 'amount', expectedCents: 8_500, actualCents: amountCents - 1_500 }],
      transferIds: ['tr_1'],
    })
  }
})

t.test('a transfer that somebody made by a call is net already', async t => {
  const made = transfer({ id: 'tr_2', amountCents: 8_500 })
  t.same(findTransfer(row, plainCharge, [made]), { kind: 'match', transfer: made })
  t.match(findTransfer(row, plainCharge, [transfer()]), { kind: 'mismatch', mismatches: [{ kind: 'amount' }] })
  const feeWithoutTransfer = { ...plainCharge, feeCents: 1_500 }
  t.same(findTransfer(row, feeWithoutTransfer, [made]).kind, 'match', 'the fee came off another transfer')
})

t.test('a transfer is found by its charge or by the row it names, and by nothing else', async t => {
  const found = (listed: ExistingTransfer): string => findTransfer(row, plainCharge, [listed]).kind
  const net = { amountCents: 8_500 }
  t.equal(found(transfer({ ...net, paymentTransferId: null, chargeId: 'ch_1' })), 'match')
  t.equal(found(transfer({ ...net, paymentTransferId: 7, chargeId: null })), 'match')
  t.equal(found(transfer({ ...net, paymentTransferId: 8, chargeId: 'ch_9' })), 'none')
  t.equal(found(transfer({ ...net, paymentTransferId: null, chargeId: null })), 'none')
  t.same(findTransfer(row, plainCharge, []), { kind: 'none' })
})

t.test('each difference is named, with both sides', async t => {
  const charge = destinationCharge()
  const check = (overrides: Partial<ExistingTransfer>) => checkTransfer(row, transfer(overrides), charge)
  t.same(check({}), [])
  t.same(check({ currency: 'EUR' }), [], 'letter case means nothing')
  t.same(checkTransfer({ ...row, currency: 'EUR' }, transfer(), charge), [])
  t.same(check({ destination: 'acct_2' }), [{ kind: 'destination', expected: 'acct_1', actual: 'acct_2' }])
  t.same(check({ currency: 'USD' }), [{ kind: 'currency', expected: 'eur', actual: 'usd' }])
  t.same(check({ reversedCents: 1 }), [{ kind: 'reversed', reversedCents: 1 }])
  t.same(check({ chargeId: 'ch_9' }), [{ kind: 'charge', expected: 'ch_1', actual: 'ch_9' }])
  t.same(check({ amountCents: 10_000, reversedCents: 10_000, destination: 'acct_2' }).length, 2)
})

t.test('two transfers for one booking are never adopted, not even when one was taken back', async t => {
  const second = transfer({ id: 'tr_2', amountCents: 8_500, reversedCents: 8_500, paymentTransferId: 7 })
  const wanted = { kind: 'mismatch', mismatches: [{ kind: 'duplicate', transferIds: ['tr_1', 'tr_2'] }] }
  t.match(findTransfer(row, destinationCharge(), [second]), wanted)
  t.match(findTransfer(row, plainCharge, [second, transfer({ paymentTransferId: 7 })]), wanted)
  t.equal(findTransfer(row, destinationCharge(), [transfer()]).kind, 'match', 'the same one twice is one')
})

t.test('each mismatch has a sentence for people', async t => {
  for (const text of Object.values(mismatchSentences)) t.match(text, /^[a-z].{20,}[^.]$/)
})

t.test('whatever is adopted went to the account, of the net amount, in the currency, and is still there', async () => {
  const transfers = fc.record({
    id: fc.constantFrom('tr_1', 'tr_2', 'tr_3'),
    destination: fc.constantFrom('acct_1', 'acct_2'),
    amountCents: fc.constantFrom(8_500, 10_000, 1_500),
    currency: fc.constantFrom('eur', 'EUR', 'usd'),
    reversedCents: fc.constantFrom(0, 0, 1),
    chargeId: fc.constantFrom('ch_1', 'ch_2', null),
    paymentTransferId: fc.constantFrom(7, 8, null),
  })
  const charges = fc.record({
    id: fc.constant('ch_1'),
    feeCents: fc.constantFrom(1_500, 0, null),
    transfer: fc.option(transfers, { nil: undefined }),
  })
  fc.assert(
    fc.property(charges, fc.array(transfers, { maxLength: 3 }), (charge, listed) => {
      const found = findTransfer(row, charge, listed)
      if (found.kind !== 'match') return true
      const { transfer } = found
      const fee = transfer.id === charge.transfer?.id ? (charge.feeCents ?? 0) : 0
      return (
        transfer.destination === 'acct_1' &&
        transfer.amountCents - fee === 8_500 &&
        transfer.currency.toLowerCase() === 'eur' &&
        transfer.reversedCents === 0 &&
        (transfer.chargeId ?? 'ch_1') === 'ch_1'
      )
    }),
    { numRuns: 2_000 },
  )
})
