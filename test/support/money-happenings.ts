import fc from 'fast-check'
import type { LedgerStep } from '../../src/ledger/parts.ts'
import type { FaultOrder } from '../../src/sandbox/stripe.ts'
import type { MoneyJobName } from './money-players.ts'

/** Rows of a match. */
export const rowCount = 5

/** What the vendor may do to a write. */
export const faults = {
  'request lost': { kind: 'drop', executed: false },
  'answer lost': { kind: 'drop', executed: true },
  'stored 500': { kind: 'error', executed: false, stored: true },
  'stored 500 carried out': { kind: 'error', executed: true, stored: true },
  '429': { kind: 'limit', times: 3 },
  truncated: { kind: 'truncate' },
  'a page of a proxy': { kind: 'html', executed: true },
} as const satisfies Readonly<Record<string, FaultOrder>>

const anyRow = fc.nat(rowCount - 1)
const anyStep = fc.constantFrom<LedgerStep>('intent', 'looked-up', 'facts', 'sending', 'answered', 'receipt')
const anySiteEvent = fc.oneof(
  fc.record({
    kind: fc.constantFrom('refund' as const, 'partial refund' as const),
    row: anyRow,
    reverse: fc.boolean(),
    isTold: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('refund failed' as const, 'dispute' as const, 'paid' as const), row: anyRow }),
)
const anyJob = fc.constantFrom<MoneyJobName>('transfers', 'payouts')
const anyFault = fc.constantFrom(...(Object.keys(faults) as (keyof typeof faults)[]))
const orNot = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })

/** Something that happens. */
export const anyHappening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      job: anyJob,
      fault: orNot(anyFault),
      unread: orNot(fc.nat(12)),
      cutAt: orNot(anyStep),
      meanwhile: orNot(fc.record({ at: anyStep, event: anySiteEvent })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('race' as const),
      jobs: fc.tuple(anyJob, anyJob),
      fault: orNot(anyFault),
      cutAt: orNot(anyStep),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('approve' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('account' as const), which: fc.nat(1), isAble: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('site' as const), event: anySiteEvent }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.constantFrom(0.25, 1, 6, 25, 49) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('bank' as const),
      result: fc.constantFrom('paid' as const, 'failed' as const, 'canceled' as const),
    }),
  },
)
export type Happening = typeof anyHappening extends fc.Arbitrary<infer T> ? T : never
export type SiteEvent = typeof anySiteEvent extends fc.Arbitrary<infer T> ? T : never

/** One line for people. */
export function describe(happening: Happening): string {
  const said = Object.entries(happening).flatMap(([key, value]) => {
    if (value === undefined || key === 'kind') return []
    return [`${key} ${typeof value === 'object' ? JSON.stringify(value).replaceAll('"', '') : String(value)}`]
  })
  return [happening.kind, ...said].join(', ')
}
