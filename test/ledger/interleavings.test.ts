import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { approveOperation } from '../../src/database/money-approvals.ts'
import type { LedgerRun } from '../../src/ledger/ledger.ts'
import type { LedgerStep } from '../../src/ledger/parts.ts'
import { type State, transitions } from '../../src/money/operation-states.ts'
import { isFullRun } from '../support/database.ts'
import type { Booked, WriteFault } from './vendors.ts'
import { moneyWorld, netCents, payoutOrder, transferOrder, type World } from './world.ts'

t.setTimeout(isFullRun ? 1_200_000 : 240_000)

const hourMs = 60 * 60_000
const rowCount = 4
const anyRow = fc.nat(rowCount - 1)
const anyStep = fc.constantFrom<LedgerStep | undefined>('intent', 'facts', 'sending', 'answered', undefined)
const anyFault = fc.constantFrom<WriteFault | undefined>(
  'answer lost',
  'request lost',
  'stored error',
  'stored error, carried out',
  'busy',
  'key refused',
  undefined,
)
const anyCommand = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('create' as const), row: anyRow, at: anyStep, fault: anyFault }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('resume' as const), at: anyStep, fault: anyFault }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('race' as const), fault: anyFault }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.constantFrom(0.25, 1, 20, 25, 49) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refund' as const), row: anyRow }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dispute' as const), row: anyRow }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('settle' as const), as: fc.constantFrom('paid', 'failed', 'canceled') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disable' as const), payoutsEnabled: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('approve' as const) }) },
)
type Command = typeof anyCommand extends fc.Arbitrary<infer C> ? C : never

interface Row {
  readonly id: number
  readonly kind: 'payout' | 'transfer'
  readonly booked: Booked
}

interface Play {
  readonly world: World
  readonly rows: readonly Row[]
  /** Rows whose guest had the money back before any of it left. */
  readonly forbidden: Set<number>
}

async function begin(world: World): Promise<Play> {
  const rows: Row[] = []
  for (let made = 0; made < rowCount; made += 1) {
    const kind = made % 2 === 0 ? 'payout' : 'transfer'
    const booked = world.vendor.book(kind === 'payout' ? 'destination' : 'direct')
    rows.push({ id: await world.addRow(kind === 'payout' ? 'COMPLETED' : 'PENDING', booked), kind, booked })
  }
  world.vendor.book('destination')
  return { world, rows, forbidden: new Set() }
}

function cut(world: World, at: LedgerStep | undefined, more: object = {}) {
  return world.ledger({
    ...more,
    onStep: step => {
      if (step === at) throw new Error('cut off')
    },
  })
}

async function listOpen({ operations }: World) {
  return (await operations()).filter(({ state }) => ['planned', 'sending', 'unknown', 'blocked'].includes(state))
}

async function create({ world }: Play, { booked, id, kind }: Row, ledger = world.ledger()): Promise<void> {
  const run = await world.run()
  const { account } = world.vendor
  const made =
    kind === 'payout'
      ? ledger.createPayout(payoutOrder(account, [id]), run)
      : ledger.createTransfer(transferOrder(account, id, booked), run)
  await made.catch(() => undefined)
}

async function resumeAll(world: World, ledger = world.ledger(), run?: LedgerRun): Promise<void> {
  const leased = run ?? (await world.run())
  for (const { id } of await listOpen(world)) await ledger.resume(id, leased).catch(() => undefined)
}

async function playOne(play: Play, command: Command): Promise<void> {
  const { rows, world } = play
  const { clock, db, vendor } = world
  vendor.setFault('fault' in command ? command.fault : undefined)
  const row = 'row' in command ? rows[command.row] : undefined
  switch (command.do) {
    case 'create':
      if (row !== undefined) await create(play, row, cut(world, command.at))
      break
    case 'resume':
      await resumeAll(world, cut(world, command.at))
      break
    case 'race': {
      const runs = [await world.run('one'), await world.run('two')]
      await Promise.all(runs.map(async run => await resumeAll(world, world.ledger(), run)))
      break
    }
    case 'wait':
      clock.advance(command.hours * hourMs)
      break
    case 'refund':
      if (row !== undefined) await refund(play, row)
      break
    case 'dispute':
      await sql`update payment_transfers set status = 'DISPUTED' where id = ${row?.id} and status <> 'REFUNDED'`.execute(
        db,
      )
      break
    case 'settle':
      await settle(world, command.as)
      break
    case 'disable':
      vendor.setAccount({ payoutsEnabled: command.payoutsEnabled })
      break
    case 'approve':
      for (const { id } of await world.operations()) {
        await approveOperation(db, { id, operator: 'ana', now: clock() }).catch(() => undefined)
      }
      break
  }
  vendor.setFault(undefined)
}

async function refund({ forbidden, world }: Play, row: Row): Promise<void> {
  world.vendor.refund(row.booked)
  await sql`update payment_transfers set status = 'REFUNDED' where id = ${row.id}`.execute(world.db)
  const live = await world.db
    .selectFrom('jobs.money_operation_items')
    .select('live')
    .where('payment_transfer_id', '=', row.id)
    .where('live', '=', true)
    .execute()
  if (live.length === 0) forbidden.add(row.id)
}

async function settle(world: World, as: 'paid' | 'failed' | 'canceled'): Promise<void> {
  const run = await world.run()
  for (const { id, kind, state, stripe_id: stripeId } of await world.operations()) {
    if (kind !== 'payout' || stripeId === null || (state !== 'created' && state !== 'paid')) continue
    world.vendor.setPayout(stripeId, as)
    await world.ledger().settlePayout(id, run)
  }
}

/** What must be true at every moment. */
async function check({ forbidden, rows, world }: Play, before: ReadonlyMap<string, State>): Promise<void> {
  const operations = await world.operations()
  const sum = (states: readonly string[]): number =>
    operations.filter(({ state }) => states.includes(state)).reduce((cents, { amount }) => cents + Number(amount), 0)
  const left = world.vendor.outflowCents()
  const known = sum(['created', 'paid'])
  if (left < known) throw new Error(`the ledger knows of ${known} and ${left} left`)
  if (left > known + sum(['sending', 'unknown'])) throw new Error(`${left} left and nobody can say for what`)
  if (left > rows.length * netCents) throw new Error(`${left} left, more than anybody is owed`)
  for (const { id, state } of operations) {
    const from = before.get(id)
    if (from !== undefined && from !== state && !reach(from).has(state)) throw new Error(`${from} became ${state}`)
  }
  const paid = await sql<{ id: number }>`
    select i.payment_transfer_id as id from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
    where o.state in ('created', 'paid')`.execute(world.db)
  const wrong = paid.rows.find(({ id }) => forbidden.has(id))
  if (wrong !== undefined) throw new Error(`row ${wrong.id} was refunded and then paid`)
}

function reach(from: State): Set<State> {
  const reached = new Set<State>(transitions[from])
  for (const each of reached) for (const next of transitions[each]) reached.add(next)
  return reached
}

t.test('whatever happens in whatever order, money leaves once, only for whom it is, and is known', async t => {
  const worlds = async (): Promise<World> => await moneyWorld(t, undefined, { maxTotalCents: 3 * netCents })
  await fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { minLength: 5, maxLength: 25 }), async commands => {
      const play = await begin(await worlds())
      const { world } = play
      for (const command of commands) {
        const before = new Map((await world.operations()).map(({ id, state }) => [id, state]))
        await playOne(play, command)
        await check(play, before)
      }
      world.vendor.setAccount({ payoutsEnabled: true })
      for (let round = 0; round < 8 && (await listOpen(world)).length > 0; round += 1) {
        world.clock.advance(round % 2 === 0 ? 26 * hourMs : hourMs / 4)
        await resumeAll(world)
      }
      await check(play, new Map())
      if ((await listOpen(world)).length > 0) throw new Error('some operation never comes to an end')
      const settled = (await world.operations()).filter(({ state }) => state === 'created' || state === 'paid')
      const known = settled.reduce((cents, { amount }) => cents + Number(amount), 0)
      if (known !== world.vendor.outflowCents()) throw new Error('the ledger and the vendor disagree')
    }),
    { numRuns: isFullRun ? 150 : 12, endOnFailure: true },
  )
  t.pass('no counterexample')
})
