import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import type { Ledger, LedgerRun } from '../../src/ledger/ledger.ts'
import type { LedgerStep } from '../../src/ledger/parts.ts'
import { isFullRun } from '../support/database.ts'
import { scripted, standIn, type Booked, type WriteFault } from './vendors.ts'
import { moneyWorld, netCents, payoutOrder, transferOrder, type World } from './world.ts'

t.setTimeout(isFullRun ? 1_200_000 : 240_000)

const hourMs = 60 * 60_000
const vendors = [scripted, standIn]
const kinds = ['payout', 'transfer'] as const
const delays = { 'at once': 0, 'after an hour': hourMs, 'after 25 hours': 25 * hourMs }
const resumers = [1, 2] as const

/** The crash points that one process can come to, and faults that look like one. */
const crashes: Readonly<
  Record<string, { readonly at?: LedgerStep; readonly fault?: WriteFault; readonly executed: boolean }>
> = {
  '2 intent committed': { at: 'intent', executed: false },
  '2 facts read': { at: 'facts', executed: false },
  '3 before the send': { at: 'sending', executed: false },
  '4 request lost': { fault: 'request lost', executed: false },
  '4 request lost, then a crash': { at: 'answered', fault: 'request lost', executed: false },
  '5 answer lost': { fault: 'answer lost', executed: true },
  '5 answer lost, then a crash': { at: 'answered', fault: 'answer lost', executed: true },
  '6 stored error, carried out': { fault: 'stored error, carried out', executed: true },
  '6 stored error': { fault: 'stored error', executed: false },
  '7 answer in hand': { at: 'answered', executed: true },
  '8 receipt committed': { at: 'receipt', executed: true },
  busy: { fault: 'busy', executed: false },
  'key refused': { fault: 'key refused', executed: false },
}

class Crash extends Error {}

function crashAt(wanted: LedgerStep | undefined) {
  return (step: LedgerStep): void => {
    if (step === wanted) throw new Crash(step)
  }
}

interface Due {
  readonly world: World
  readonly kind: 'payout' | 'transfer'
  readonly rowId: number
  readonly booked: Booked
  /** What there was before: cases share a world, because making one takes longer than a case. */
  readonly before: { readonly outflowCents: number; readonly notices: number; readonly ids: ReadonlySet<string> }
}

async function setUp(world: World, kind: 'payout' | 'transfer'): Promise<Due> {
  const { vendor } = world
  const booked = vendor.book(kind === 'payout' ? 'destination' : 'direct')
  // Money of other bookings, that a second payout would take.
  vendor.book('destination')
  const rowId = await world.addRow(kind === 'payout' ? 'COMPLETED' : 'PENDING', booked)
  const before = {
    outflowCents: vendor.outflowCents(),
    notices: await countNotices(world),
    ids: new Set((await world.operations()).map(({ id }) => id)),
  }
  return { world, kind, rowId, booked, before }
}

async function countNotices({ db }: World): Promise<number> {
  return (await db.selectFrom('jobs.outbox').select('id').execute()).length
}

async function listOwn({ before, world }: Due) {
  return (await world.operations()).filter(({ id }) => !before.ids.has(id))
}

async function create({ booked, kind, rowId, world }: Due, ledger: Ledger, run: LedgerRun): Promise<unknown> {
  const { account } = world.vendor
  return kind === 'payout'
    ? await ledger.createPayout(payoutOrder(account, [rowId]), run)
    : await ledger.createTransfer(transferOrder(account, rowId, booked), run)
}

/** What the next run of the job does: resumes what is unfinished, and begins anew what is in no operation. */
async function runOnce(due: Due, ledger: Ledger, run: LedgerRun): Promise<void> {
  const { rowId, world } = due
  for (const { id, state } of await listOwn(due)) {
    if (['planned', 'sending', 'unknown', 'blocked'].includes(state))
      await ledger.resume(id, run).catch(() => undefined)
  }
  const { status } = await world.row(rowId)
  const isDue = status === (due.kind === 'payout' ? 'COMPLETED' : 'PENDING')
  if (isDue) await create(due, ledger, run).catch(() => undefined)
}

/** Lets one or two processes run until nothing is unfinished, first a quarter of an hour apart and then three. */
async function finish(due: Due, count: 1 | 2, pool: Db): Promise<number> {
  const { world } = due
  const first = { ledger: world.ledger(), job: 'process-pending-payouts' }
  const second = { ledger: world.ledger({ db: pool }), job: 'process-expert-transfers' }
  for (let round = 1; round <= 20; round += 1) {
    const racing = [first, second].slice(0, count)
    const runs = await Promise.all(racing.map(async ({ job }) => await world.run(job)))
    await Promise.all(racing.map(async ({ ledger }, index) => await runOnce(due, ledger, runs[index] as LedgerRun)))
    const open = (await listOwn(due)).filter(({ state }) =>
      ['planned', 'sending', 'unknown', 'blocked'].includes(state),
    )
    if (open.length === 0) return round
    world.clock.advance(round <= 3 ? hourMs / 4 : 3 * hourMs)
  }
  return Number.POSITIVE_INFINITY
}

for (const vendorOf of vendors) {
  for (const kind of kinds) {
    t.test(`a ${kind} that is cut off anywhere is made exactly once (${vendorOf.name})`, async t => {
      const world = await moneyWorld(t, vendorOf, { maxTotalCents: 100_000_000 })
      const pool = world.pool()
      for (const [name, crash] of Object.entries(crashes)) {
        for (const [delay, delayMs] of Object.entries(delays)) {
          for (const count of resumers) {
            const isSpared =
              delay === 'after an hour' ||
              (vendorOf === standIn ? count === 1 || delay === 'after 25 hours' : count === 2)
            if (!isFullRun && isSpared) continue
            await t.test(`${name}, ${delay}, resumed by ${count}`, async t => {
              const due = await setUp(world, kind)
              const { clock, ledger, row, run, vendor } = world
              const { before } = due
              vendor.setFault(crash.fault)
              await create(due, ledger({ onStep: crashAt(crash.at) }), await run()).catch(() => undefined)
              vendor.setFault(undefined)
              const left = (): number => vendor.outflowCents() - before.outflowCents
              t.equal(left(), crash.executed ? netCents : 0, 'what the crash left at the vendor')
              clock.advance(delayMs)

              const rounds = await finish(due, count, pool)

              t.ok(rounds < Number.POSITIVE_INFINITY, 'it comes to an end')
              t.equal(left(), netCents, 'the money left once')
              const made = (await listOwn(due)).filter(({ state }) => state === 'created')
              t.equal(made.length, 1, 'and that is what we know')
              t.equal((await row(due.rowId)).status, kind === 'payout' ? 'PAID_OUT' : 'COMPLETED')
              t.equal((await countNotices(world)) - before.notices, 1, 'one notice')
            })
          }
        }
      }
    })
  }
}

t.test('an intent that is not committed leaves nothing (crash point 1)', async t => {
  const due = await setUp(await moneyWorld(t), 'payout')
  const { ledger, operations, run, vendor } = due.world
  const limits = {
    get maxSingleCents(): number {
      throw new Crash()
    },
    maxTotalCents: 1,
    since: undefined,
  }
  await t.rejects(create(due, ledger({ limits }), await run()))
  t.same(await operations(), [])
  t.equal(vendor.outflowCents(), 0)
})
