import t from 'tap'
import { type AskedDispute, type DisputedRow, planDisputes } from '../../src/money/disputes.ts'

const charge = {
  paidAt: new Date('2026-03-01T10:00:00Z'),
  amountCents: 10_000,
  currency: 'eur',
  refundedCents: 0,
  disputed: false,
  disputeLost: false,
}

const disputed = (row: Partial<DisputedRow> = {}, charged: Partial<typeof charge> = {}): AskedDispute => ({
  row: {
    paymentTransferId: 7,
    paymentIntentId: 'pi_7',
    account: 'acct_1',
    amountCents: 8_500,
    currency: 'eur',
    transferId: null,
    payoutId: null,
    ...row,
  },
  answer: { kind: 'known', value: { status: 'paid', charge: { ...charge, ...charged } } },
})

t.test('a dispute that was won says what the row was before, and one that was lost what to decide', async t => {
  for (const [row, status] of [
    [{}, 'PENDING'],
    [{ transferId: 'tr_1' }, 'COMPLETED'],
    [{ transferId: 'tr_1', payoutId: 'po_1' }, 'PAID_OUT'],
    [{ payoutId: 'po_1' }, 'PAID_OUT'],
  ] as const) {
    t.match(planDisputes([disputed(row)]), {
      findings: [
        {
          kind: 'dispute-won',
          subject: 'payment_transfers 7',
          message: new RegExp(`: set the row to ${status}, which it was before$`),
          details: { ...row, setStatusTo: status, paymentIntentId: 'pi_7', amountCents: 8_500, currency: 'eur' },
        },
      ],
      failures: [],
    })
  }
  const lost = disputed({ transferId: 'tr_1' }, { disputed: true, disputeLost: true })
  t.match(planDisputes([lost]), {
    findings: [{ kind: 'dispute-lost', message: /platform paid the guest back; decide what the expert is owed/ }],
  })
})

t.test(
  'nothing is said of a dispute that is open, of a payment that is none, and of what nobody had time for',
  async t => {
    const { row } = disputed()
    const quiet: AskedDispute[] = [
      disputed({}, { disputed: true }),
      { row, answer: { kind: 'known', value: { status: 'settling', charge: undefined } } },
      { row, answer: { kind: 'left' } },
    ]
    t.same(planDisputes(quiet), { findings: [], failures: [] })
    t.match(
      planDisputes([
        { row, answer: { kind: 'failed', code: 'http_500' } },
        { row, answer: { kind: 'refused', code: 'resource_missing' } },
      ]),
      {
        findings: [{ kind: 'payment-missing', details: { code: 'resource_missing' } }],
        failures: [{ subject: 'payment_transfers 7', code: 'http_500' }],
      },
    )
  },
)
