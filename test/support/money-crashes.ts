import type { FaultOrder } from '../../src/sandbox/stripe.ts'
import { type Arena, backUp, holdRows } from './money-arena.ts'
import { type Due, type Flow, jobOf } from './money-dues.ts'
import type { MoneyChild } from './money-processes.ts'
import { operatorToken, type Reply } from './processes.ts'

/** What a crash is played on. */
export interface Stage {
  readonly arena: Arena
  readonly due: Due
  /** Processes that will live. */
  readonly survivors: readonly [MoneyChild, MoneyChild]
  /** Kills a process, and says so in the count. */
  kill(child: MoneyChild): Promise<void>
}

export interface Crash {
  readonly name: string
  readonly flows: readonly Flow[]
  /** Of each row; more than an operator allows unasked where it has to be held. */
  readonly amountCents?: number
  /** Our tables forget what was sent, until a run finds it at Stripe. */
  readonly isForgotten?: true
  /** The vendor is still at work when the process is gone; no hour passes before it is through, because at Stripe none could. */
  readonly isUnderWay?: true
  /** A run finds it and may not decide by itself. */
  readonly leavesToAPerson?: readonly Flow[]
  play(stage: Stage): Promise<void>
}

const sent = ['create', 'payout'] as const
const all = ['create', 'record', 'payout'] as const

const firstMessage = 'msg_first'

/** Every crash point that there is today, and the faults of the vendor. */
export const crashes: readonly Crash[] = [
  { name: '1 planned, nothing begun', flows: all, play: killAt('applying') },
  { name: '1 in the transaction of the intent', flows: all, play: killInIntent },
  { name: '2 approved, facts read', flows: sent, amountCents: 300_000, play: killApproved },
  { name: '3 intent committed', flows: sent, play: killAt('intent') },
  { name: '3 facts read', flows: sent, play: killAt('facts') },
  { name: '3 before the socket', flows: sent, play: killAt('sending') },
  { name: '4 request lost', flows: sent, play: killAt('answered', { kind: 'drop', executed: false }) },
  { name: '4 on its way', flows: sent, play: killOnItsWay({ kind: 'freeze', executed: false }) },
  { name: '5 answer on its way', flows: sent, play: killOnItsWay({ kind: 'freeze', executed: true }) },
  { name: '5 answer lost', flows: sent, play: killAt('answered', { kind: 'drop', executed: true }) },
  { name: '5 carried out late', flows: sent, isUnderWay: true, play: killOnItsWay({ kind: 'slow', delayMs: 700 }) },
  {
    name: '6 stored 500, carried out',
    flows: sent,
    play: killAt('answered', { kind: 'error', executed: true, stored: true }),
  },
  {
    name: '6 stored 500, not carried out',
    flows: sent,
    play: killAt('answered', { kind: 'error', executed: false, stored: true }),
  },
  { name: '7 answer in hand', flows: sent, play: killAt('answered') },
  { name: '7 in the transaction of the receipt', flows: sent, play: killInReceipt },
  { name: '8 receipt committed', flows: all, play: killAt('receipt') },
  { name: '8 run not closed', flows: all, play: killAt('closing') },
  { name: '9 receipt by another process', flows: sent, play: adoptedMeanwhile },
  { name: '10 two send one key', flows: sent, play: sentTwice },
  { name: '11 refused for now', flows: sent, play: refusedForNow },
  {
    name: '12 restored to before',
    flows: all,
    isForgotten: true,
    leavesToAPerson: ['payout'],
    play: restoredToBefore,
  },
  { name: '12 restored to the send', flows: sent, play: restoredToSending },
  { name: 'resumed and killed at the look-up', flows: sent, play: killTwice('looked-up') },
  { name: 'resumed and killed in its answer', flows: sent, play: killTwice('answered') },
  { name: 'fault: dropped before', flows: sent, play: fault({ kind: 'drop', executed: false }) },
  { name: 'fault: dropped after', flows: sent, play: fault({ kind: 'drop', executed: true }) },
  { name: 'fault: stored 500, carried out', flows: sent, play: fault({ kind: 'error', executed: true, stored: true }) },
  { name: 'fault: stored 500', flows: sent, play: fault({ kind: 'error', executed: false, stored: true }) },
  { name: 'fault: 429', flows: sent, play: fault({ kind: 'limit', times: 3 }) },
  { name: 'fault: truncated', flows: sent, play: fault({ kind: 'truncate' }) },
  { name: "fault: a proxy's page", flows: sent, play: fault({ kind: 'html', executed: true }) },
]

/** The first process is told to run, gets as far as the step, and is killed there. */
function killAt(step: string, met?: FaultOrder): Crash['play'] {
  return async stage => {
    const { arena } = stage
    if (met !== undefined) inject(arena, met)
    const child = await arena.take()
    await child.stopAt(step)
    const cut = deliverFirst(stage, child)
    await Promise.race([child.stopped(), refuseEarly(cut, step)])
    await stage.kill(child)
    await cut
  }
}

function killOnItsWay(met: FaultOrder): Crash['play'] {
  return async stage => {
    const { arena } = stage
    inject(arena, met)
    const child = await arena.take()
    const before = countPosts(arena)
    const cut = deliverFirst(stage, child)
    await untilPosted(arena, before)
    await stage.kill(child)
    await cut
  }
}

async function killInIntent(stage: Stage): Promise<void> {
  const child = await stage.arena.take()
  const held = await holdRows(stage.arena.url)
  const cut = deliverFirst(stage, child)
  await Promise.race([held.waited(), refuseEarly(cut, 'the rows')])
  await stage.kill(child)
  await held.release()
  await cut
}

async function killInReceipt(stage: Stage): Promise<void> {
  const child = await stage.arena.take()
  await child.stopAt('answered')
  const cut = deliverFirst(stage, child)
  await Promise.race([child.stopped(), refuseEarly(cut, 'answered')])
  const held = await holdRows(stage.arena.url)
  child.goOn()
  await Promise.race([held.waited(), refuseEarly(cut, 'the rows')])
  await stage.kill(child)
  await held.release()
  await cut
}

/** Held as too large, approved by an operator, and cut off while it is taken up. */
async function killApproved(stage: Stage): Promise<void> {
  const { arena, survivors } = stage
  await arena.deliver(survivors[0], jobOf[stage.due.flow], { messageId: 'msg_held' })
  const [operation] = await arena.db.selectFrom('jobs.money_operations').select(['id', 'state']).execute()
  if (operation?.state !== 'held') throw new Error(`the operation is ${operation?.state ?? 'not there'}`)
  const answer = await fetch(`${survivors[0].url}/operations/${operation.id}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
    body: '{}',
  })
  if (answer.status !== 200) throw new Error(`the approval was answered ${answer.status}`)
  await killAt('facts')(stage)
}

/** While the first process has the answer in its hands, another one takes over, finds the object and writes the receipt. */
async function adoptedMeanwhile(stage: Stage): Promise<void> {
  const { arena, survivors } = stage
  const [first, second] = survivors
  await first.stopAt('answered')
  const slow = deliverFirst(stage, first)
  await Promise.race([first.stopped(), refuseEarly(slow, 'answered')])
  await arena.expireLeases()
  const taken = await arena.deliver(second, jobOf[stage.due.flow], { messageId: firstMessage, retried: 1 })
  if (taken.statusCode !== 200) throw new Error(`taking over was answered ${taken.statusCode}`)
  first.goOn()
  await slow
}

/** The lease is lost in the middle of the call: the successor finds nothing yet, and sends the same key. */
async function sentTwice(stage: Stage): Promise<void> {
  const { arena, due, survivors } = stage
  const [first, second] = survivors
  inject(arena, { kind: 'slow', delayMs: 1_000 })
  const before = countPosts(arena)
  const slow = deliverFirst(stage, first)
  await untilPosted(arena, before)
  await arena.expireLeases()
  await arena.deliver(second, jobOf[due.flow], { messageId: firstMessage, retried: 1 })
  await slow
}

/** Between the facts and the call the money goes, or the expert's permission: refused, and the refusal stored. */
async function refusedForNow(stage: Stage): Promise<void> {
  const { arena, due, survivors } = stage
  const [first] = survivors
  await first.stopAt('sending')
  const answer = deliverFirst(stage, first)
  await Promise.race([first.stopped(), refuseEarly(answer, 'sending')])
  const { available } = arena.stripe.balances()[due.account]?.['eur'] ?? { available: 0 }
  if (due.flow === 'payout') arena.stripe.credit(due.account, -available)
  else arena.stripe.setAccount(due.account, { transfers: 'inactive' })
  first.goOn()
  await answer
  if (due.flow === 'payout') arena.stripe.credit(due.account, available)
  else arena.stripe.setAccount(due.account, { transfers: 'active' })
}

async function restoredToBefore(stage: Stage): Promise<void> {
  const backup = await backUp(stage.arena.url)
  await killAt('receipt')(stage)
  await backup.restore()
}

async function restoredToSending(stage: Stage): Promise<void> {
  const child = await stage.arena.take()
  await child.stopAt('sending')
  const cut = deliverFirst(stage, child)
  await Promise.race([child.stopped(), refuseEarly(cut, 'sending')])
  const backup = await backUp(stage.arena.url)
  await child.stopAt('receipt')
  child.goOn()
  await child.stopped()
  await stage.kill(child)
  await cut
  await backup.restore()
}

/** Killed with the answer in hand, and whoever takes it up is killed too. */
function killTwice(step: 'looked-up' | 'answered'): Crash['play'] {
  return async stage => {
    // What was carried out would be found and adopted, and nothing would be sent again.
    await killAt('answered', { kind: 'drop', executed: step === 'looked-up' })(stage)
    await stage.arena.expireLeases()
    await killAt(step)(stage)
  }
}

function fault(met: FaultOrder): Crash['play'] {
  return async stage => {
    inject(stage.arena, met)
    await deliverFirst(stage, stage.survivors[0])
  }
}

function inject({ stripe }: Arena, met: FaultOrder): void {
  stripe.inject({ ...met, method: 'POST' })
}

async function deliverFirst({ arena, due }: Stage, child: MoneyChild): Promise<Reply> {
  return await arena.deliver(child, jobOf[due.flow], { messageId: firstMessage })
}

function countPosts({ stripe }: Arena): number {
  return stripe.calls().filter(({ method }) => method === 'POST').length
}

async function untilPosted(arena: Arena, before: number): Promise<void> {
  while (countPosts(arena) === before) await new Promise(resolve => setTimeout(resolve, 5))
}

/** A run that ends before it comes to the step would be waited for in vain. */
export async function refuseEarly(reply: Promise<Reply>, step: string): Promise<never> {
  const { body, statusCode } = await reply
  // Never settles for a process that was killed: its caller has gone on.
  if (statusCode === 0) return await new Promise(() => {})
  throw new Error(`the run never came to ${step}: ${statusCode} ${JSON.stringify(body)}`)
}
