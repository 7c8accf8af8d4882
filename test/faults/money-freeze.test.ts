import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { isFullRun } from '../support/database.ts'
import { type Arena, createArena } from '../support/money-arena.ts'
import { audit } from '../support/money-audit.ts'
import { refuseEarly } from '../support/money-crashes.ts'
import { addDue, type Due, jobOf } from '../support/money-dues.ts'
import type { MoneyChild } from '../support/money-processes.ts'
import type { Reply } from '../support/processes.ts'

t.setTimeout(600_000)

const hourMs = 60 * 60_000
// Short, because every case waits until it is over, and long enough for a busy machine.
const env = { LEASE_SECONDS: '6' }
const flows = ['create', 'payout'] as const

/** Hours that pass, and after each of which another process runs, before the frozen one wakes. */
const wakings = {
  'before anybody took over': [],
  'after somebody took over': [0],
  // Under another key, because nobody found anything for a day.
  'after 30 hours, paid meanwhile': [25, 1, 4],
}
type Waking = keyof typeof wakings

// Its key is still good, so that nothing but the lease keeps it from sending.
const sampled: readonly (readonly [string, Waking])[] = [['sending', 'after somebody took over']]
const steps = ['intent', 'facts', 'sending']
const whole = steps.flatMap(step => (Object.keys(wakings) as Waking[]).map(waking => [step, waking] as const))

t.test('a process that was frozen past its lease sends nothing, however late it wakes', async t => {
  const cases = isFullRun ? whole : sampled
  // Two at a time: most of it is waiting.
  for (let index = 0; index < cases.length; index += 2) {
    await Promise.all(
      cases.slice(index, index + 2).map(async ([step, waking]) => {
        await playFrozen(t, step, waking)
      }),
    )
  }
})

async function playFrozen(t: Test, step: string, waking: Waking): Promise<void> {
  const arena = await createArena(t, env)
  const other = await arena.take()
  const frozen = await Promise.all(flows.map(async flow => await freezeAt(arena, step, flow)))
  await leasesRunOut(arena)
  for (const [index, hours] of wakings[waking].entries()) {
    arena.advance(hours * hourMs)
    const message = { messageId: index === 0 ? 'msg_first' : `msg_${index}`, retried: 1 }
    for (const flow of flows) await arena.deliver(other, jobOf[flow], message)
  }
  const posts = countPosts(arena)
  for (const { answer, child, due } of frozen) {
    const name = `${due.flow}, frozen at ${step}, awake ${waking}`
    child.goOn()
    child.signal('SIGCONT')
    t.equal((await answer).statusCode, 500, `${name}: it cannot claim success`)
    t.equal(countPosts(arena), posts, `${name}: nothing was sent`)
    await child.kill()
  }
  for (const { due } of frozen) await payInTheEnd(t, arena, other, due)
}

t.test('a process that was frozen with its request on the way loses nothing of what came of it', async t => {
  const arena = await createArena(t, env)
  const other = await arena.take()
  arena.stripe.inject({ kind: 'slow', delayMs: 500, method: 'POST', times: flows.length })
  const frozen: Frozen[] = []
  for (const flow of flows) {
    const due = await addDue(arena, flow)
    const child = await arena.take()
    const posts = countPosts(arena)
    const answer = arena.deliver(child, jobOf[flow], { messageId: 'msg_first' })
    await Promise.race([untilPosted(arena, posts), refuseEarly(answer, 'the call')])
    child.signal('SIGSTOP')
    frozen.push({ due, child, answer })
  }
  await leasesRunOut(arena)
  for (const { answer, child, due } of frozen) {
    const taken = await arena.deliver(other, jobOf[due.flow], { messageId: 'msg_first', retried: 1 })
    t.equal(taken.statusCode, 200, `${due.flow}: its successor finds the object`)
    child.signal('SIGCONT')
    t.equal((await answer).statusCode, 500, `${due.flow}: it cannot claim success`)
    const standing = await audit(arena, due)
    t.same(standing.broken, [])
    t.ok(standing.isPaid)
    await child.kill()
  }
})

interface Frozen {
  readonly child: MoneyChild
  readonly due: Due
  readonly answer: Promise<Reply>
}

/** A process that stands still at the step, with all its timers. */
async function freezeAt(arena: Arena, step: string, flow: Due['flow']): Promise<Frozen> {
  const due = await addDue(arena, flow)
  const child = await arena.take()
  await child.stopAt(step)
  const answer = arena.deliver(child, jobOf[flow], { messageId: 'msg_first' })
  await Promise.race([child.stopped(), refuseEarly(answer, step)])
  child.signal('SIGSTOP')
  return { child, due, answer }
}

async function leasesRunOut({ db }: Arena): Promise<void> {
  const isHeld = async (): Promise<boolean> => {
    const { rows } = await sql`select from jobs.leases where expires_at > clock_timestamp()`.execute(db)
    return rows.length > 0
  }
  while (await isHeld()) await new Promise(resolve => setTimeout(resolve, 50))
}

async function payInTheEnd(t: Test, arena: Arena, child: MoneyChild, due: Due): Promise<void> {
  for (const hours of [0, 25, 1, 6]) {
    arena.advance(hours * hourMs)
    await arena.deliver(child, jobOf[due.flow], { messageId: `msg_end_${hours}` })
    const standing = await audit(arena, due)
    t.same(standing.broken, [], `${due.flow}: ${hours} hours on`)
    if (standing.isPaid) break
  }
  t.ok((await audit(arena, due)).isPaid, `${due.flow}: paid in the end`)
}

async function untilPosted(arena: Arena, before: number): Promise<void> {
  while (countPosts(arena) === before) await new Promise(resolve => setTimeout(resolve, 5))
}

function countPosts({ stripe }: Arena): number {
  return stripe.calls().filter(({ method }) => method === 'POST').length
}
