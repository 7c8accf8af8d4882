import type { Arena } from './money-arena.ts'
import { audit, type Standing } from './money-audit.ts'
import { type Crash, crashes, type Stage } from './money-crashes.ts'
import { addDue, type Due, type Flow, jobOf } from './money-dues.ts'
import type { MoneyChild } from './money-processes.ts'
import type { Reply } from './processes.ts'

const hourMs = 60 * 60_000

export const delays = { 'at once': 0, 'an hour': hourMs, '25 hours': 25 * hourMs } as const

export interface Scenario {
  readonly crash: Crash
  readonly flow: Flow
  readonly delay: keyof typeof delays
  readonly resumers: 1 | 2
}

export interface Outcome {
  readonly kills: number
  /** What must never be, and was. */
  readonly broken: readonly string[]
  readonly end: 'paid once' | 'left to a person' | 'stuck' | 'paid twice'
  /** Hours of the shared clock from the crash until it was paid. */
  readonly hours: number
}

export function nameOf({ crash, delay, flow, resumers }: Scenario): string {
  return `${flow}, ${crash.name}, resumed ${delay === 'at once' ? delay : `after ${delay}`} by ${resumers}`
}

/** All of them: each crash, flow, delay and number of processes. */
export function listScenarios(): Scenario[] {
  const resumers = [1, 2] as const
  return crashes.flatMap(crash =>
    crash.flows.flatMap(flow =>
      (Object.keys(delays) as (keyof typeof delays)[]).flatMap(delay =>
        resumers.map(count => ({ crash, flow, delay, resumers: count })),
      ),
    ),
  )
}

/** Played without a process in `ledger/crashes.test.ts` and `providers/stripe.test.ts`, or like another one of the list. */
const spared = /^(?:1 planned|3 |4 request lost|5 answer lost|6 |7 answer in hand|8 |11 |resumed .* answer|fault: )/

/** Each crash once that needs a process to be killed, or two of them, with flows, delays and numbers of processes in turn. */
export function sampleScenarios(): Scenario[] {
  const names = Object.keys(delays) as (keyof typeof delays)[]
  const sampled = crashes.filter(({ name }) => !spared.test(name))
  return sampled.map((crash, index) => ({
    crash,
    // So that a payout is restored away, and a transfer that is only recorded is cut off too.
    flow: crash.flows[(index + 2) % crash.flows.length] ?? 'payout',
    delay: names[index % names.length] ?? 'at once',
    resumers: index % 4 < 2 ? 1 : 2,
  }))
}

// Ten minutes prove a look-up, six hours end a refusal, and two days are the longest that anything may take.
const ticksMs = [0.25, 6, 6, 6, 6, 6, 6, 6, 6, 6].map(hours => hours * hourMs)

/** Plays a scenario from nothing to the end, looking after every step at what must never be. */
export async function play(
  arena: Arena,
  survivors: readonly [MoneyChild, MoneyChild],
  scenario: Scenario,
): Promise<Outcome> {
  const { crash, delay, flow, resumers } = scenario
  await arena.clear()
  arena.stripe.clearFaults()
  const due = await addDue(arena, flow, crash.amountCents)
  let kills = 0
  const stage: Stage = {
    arena,
    due,
    survivors,
    kill: async child => {
      kills += 1
      await child.kill()
    },
  }
  await crash.play(stage)
  arena.stripe.clearFaults()
  const restored = crash.leavesToAPerson?.includes(flow) === true
  const broken = crash.isForgotten === true ? [] : [...(await audit(arena, due)).broken]
  const crashedAt = arena.now().getTime()

  await arena.expireLeases()
  if (crash.isUnderWay === true && delay !== 'at once') await untilMoved(arena, due)
  arena.advance(delays[delay])
  const messageId = delay === 'at once' ? 'msg_first' : 'msg_second'
  const racers = survivors.slice(0, resumers)
  await Promise.all(
    racers.map(async (child, index) => {
      await deliver(arena, child, due, index === 0 ? messageId : 'msg_racing')
    }),
  )
  let standing = await look(arena, survivors[0], due, broken)
  for (const [index, ms] of ticksMs.entries()) {
    if (standing.isPaid || restored) break
    arena.advance(ms)
    await Promise.all(racers.map(async (child, racer) => await deliver(arena, child, due, `msg_${index}_${racer}`)))
    standing = await look(arena, survivors[0], due, broken)
  }
  const hours = (arena.now().getTime() - crashedAt) / hourMs
  if (restored) await provePersonIsTold(arena, due, standing, broken)
  if (standing.movedCents > due.entitledCents) return { kills, broken, end: 'paid twice', hours }
  if (restored) return { kills, broken, end: 'left to a person', hours }
  return { kills, broken, end: standing.isPaid ? 'paid once' : 'stuck', hours }
}

/** Delivers until the message is answered for good; another process may be at work on it. */
async function deliver(arena: Arena, child: MoneyChild, due: Due, messageId: string): Promise<Reply> {
  for (let retried = messageId === 'msg_first' ? 1 : 0; ; retried += 1) {
    const reply = await arena.deliver(child, jobOf[due.flow], { messageId, retried })
    if (reply.statusCode !== 409 && reply.statusCode !== 503) return reply
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function untilMoved(arena: Arena, due: Due): Promise<void> {
  while ((await audit(arena, due)).movedCents === 0) await new Promise(resolve => setTimeout(resolve, 10))
}

/** What stands now; whatever is unfinished must be explained by a plan made now. */
async function look(arena: Arena, child: MoneyChild, due: Due, broken: string[]): Promise<Standing> {
  const standing = await audit(arena, due)
  broken.push(...standing.broken)
  if (standing.unfinished.length === 0) return standing
  const messageId = `msg_look_${arena.now().getTime()}`
  const { body } = await arena.deliver(child, jobOf[due.flow], { messageId, dryRun: true })
  const said = JSON.stringify(body)
  for (const names of standing.unfinished) {
    if (!names.some(name => said.includes(name))) broken.push(`no plan explains ${names.join(' or ')}: ${said}`)
  }
  return standing
}

/** A payout that our restored tables do not know freezes its account, and a finding says so. */
async function provePersonIsTold(arena: Arena, due: Due, standing: Standing, broken: string[]): Promise<void> {
  const findings = await arena.db.selectFrom('jobs.findings').select(['kind', 'subject']).execute()
  const payouts = new Set(arena.stripe.payouts(due.account).map(({ id }) => id))
  const told = findings.some(({ kind, subject }) => kind === 'payout-unexplained' && payouts.has(subject))
  if (!told) broken.push(`nobody was told of the payout that was restored away: ${JSON.stringify(findings)}`)
  if (standing.movedCents !== due.entitledCents) broken.push(`${standing.movedCents} left of ${due.entitledCents}`)
}
