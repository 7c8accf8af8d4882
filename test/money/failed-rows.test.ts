import t from 'tap'
import { type AskedFailedRow, planFailedRows } from '../../src/money/failed-rows.ts'

const row = {
  paymentTransferId: 7,
  paymentIntentId: 'pi_7',
  account: 'acct_1',
  amountCents: 8_500,
  currency: 'eur',
}
const charge = {
  paidAt: new Date('2026-03-01T10:00:00Z'),
  amountCents: 10_000,
  currency: 'eur',
  refundedCents: 0,
  disputed: false,
  disputeLost: false,
}
const paid = (charged: Partial<typeof charge> = {}): AskedFailedRow => ({
  row,
  answer: { kind: 'known', value: { status: 'paid', charge: { ...charge, ...charged } } },
})

t.test('a FAILED row whose payment went through says which status to set', async t => {
  for (const [charged, setStatusTo] of [
    [{}, 'READY'],
    [{ refundedCents: 9_999 }, 'READY'],
    [{ refundedCents: 10_000 }, 'REFUNDED'],
    [{ disputed: true }, 'DISPUTED'],
    [{ disputed: true, disputeLost: true, refundedCents: 10_000 }, 'DISPUTED'],
  ] as const) {
    t.match(planFailedRows([paid(charged)]), {
      findings: [
        {
          kind: 'failed-row-paid',
          subject: 'payment_transfers 7',
          message: new RegExp(`: set the row to ${setStatusTo}, `),
          details: {
            paymentIntentId: 'pi_7',
            account: 'acct_1',
            amountCents: 8_500,
            paidAt: charge.paidAt,
            setStatusTo,
          },
        },
      ],
      failures: [],
    })
  }
})

t.test('nothing is said of a payment that failed indeed, and what could not be asked fails alone', async t => {
  const answers: AskedFailedRow['answer'][] = [
    { kind: 'known', value: { status: 'unpaid', charge: undefined } },
    { kind: 'known', value: { status: 'canceled', charge: undefined } },
    { kind: 'left' },
    { kind: 'refused', code: 'resource_missing' },
    { kind: 'failed', code: 'http_500' },
  ]
  t.match(planFailedRows(answers.map(answer => ({ row, answer }))), {
    findings: [],
    failures: [{ subject: 'payment_transfers 7', code: 'http_500' }],
  })
  t.equal(planFailedRows(answers.map(answer => ({ row, answer }))).failures.length, 1)
})
