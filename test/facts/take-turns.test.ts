import t from 'tap'
import type { PaymentReads } from '../../src/providers/payments.ts'
import { askPayments } from '../../src/facts/ask-payments.ts'
import { fitting } from '../../src/facts/take-turns.ts'
import { noPayments } from '../support/no-money.ts'

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    paymentIntentId: `pi_${index}`,
    account: 'acct_1',
    createdAt: new Date('2026-03-01T10:00:00Z'),
  }))

/** Asks about `count` rows with time for `room` questions; gives the rows that were asked about, in that order. */
async function ask(count: number, room: number, now: string): Promise<string[]> {
  const asked: string[] = []
  const payments: PaymentReads = {
    ...noPayments,
    readPayment: async paymentIntentId => {
      asked.push(paymentIntentId)
      return { paymentIntentId, status: 'unpaid', charge: undefined }
    },
  }
  const signal = new AbortController().signal
  const isTimeUp = () => asked.length >= room
  const rows = rowsOf(count)
  const answers = await askPayments(rows, payments, { concurrency: 1, isTimeUp, signal, now: new Date(now) })
  for (const [index, { paymentIntentId }] of rows.entries()) {
    const answer = answers[index]
    const expected = asked.includes(paymentIntentId) ? paymentIntentId : undefined
    if (answer?.kind !== (expected === undefined ? 'left' : 'known'))
      t.fail(`${paymentIntentId} has the answer of another`)
    if (answer?.kind === 'known') t.equal(answer.value.payment.paymentIntentId, expected)
  }
  return asked
}

t.test('rows that all fit are asked about in their order', async t => {
  t.same(await ask(fitting, 3, '2026-03-10T12:00:00Z'), ['pi_0', 'pi_1', 'pi_2'])
})

t.test('of more rows than may fit, each has its turn, and an hour has one order', async t => {
  const asked = new Set<string>()
  const hourly = async (hour: number, minute = '00') => {
    const day = String(10 + Math.floor(hour / 24)).padStart(2, '0')
    return await ask(fitting + 1, 200, `2026-03-${day}T${String(hour % 24).padStart(2, '0')}:${minute}:00Z`)
  }
  t.same(await hourly(3, '05'), await hourly(3, '55'))
  for (let hour = 0; hour < 48; hour += 1) for (const id of await hourly(hour)) asked.add(id)
  t.ok(asked.size > fitting * 0.99, `${asked.size} of ${fitting + 1} had their turn`)
})
