import t from 'tap'
import { isFullRun } from '../support/database.ts'
import { createArena } from '../support/money-arena.ts'
import {
  listScenarios,
  nameOf,
  type Outcome,
  play,
  sampleScenarios,
  type Scenario,
} from '../support/money-scenarios.ts'

t.setTimeout(isFullRun ? 3_000_000 : 240_000)

/** A scenario waits for what a right service does; a wrong one may never do it. */
const scenarioMs = 120_000

t.test('whatever is killed, lost, late or refused, what is owed leaves once', async t => {
  const scenarios = isFullRun ? listScenarios() : sampleScenarios()
  const outcomes: [Scenario, Outcome][] = []
  const startedAt = performance.now()
  // Few scenarios are sooner through than two more processes are started.
  const arenas = isFullRun ? 2 : 1
  await Promise.all(
    Array.from({ length: arenas }, async (_, arenaIndex) => {
      const half = scenarios.filter((_scenario, index) => index % arenas === arenaIndex)
      const arena = await createArena(t)
      const survivors = [await arena.take(), await arena.take()] as const
      for (const scenario of half) {
        const outcome = await within(scenarioMs, play(arena, survivors, scenario), nameOf(scenario))
        outcomes.push([scenario, outcome])
        t.same(outcome.broken, [], nameOf(scenario))
        t.notMatch(outcome.end, /stuck|twice/, `${nameOf(scenario)}: ${outcome.end} after ${outcome.hours} h`)
      }
      t.same(arena.stripe.notModelled(), [])
    }),
  )
  t.equal(outcomes.length, scenarios.length)
  for (const line of tabulate(outcomes)) t.comment(line)
  t.comment(`${Math.round((performance.now() - startedAt) / 1000)} s`)
})

async function within<T>(ms: number, work: Promise<T>, name: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new Error(`${name}: not through after ${ms / 1000} s`))
  }, ms)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** One line for each flow: scenarios, kills, and how they ended. */
function tabulate(outcomes: readonly (readonly [Scenario, Outcome])[]): string[] {
  const groups = new Map([...Map.groupBy(outcomes, ([{ flow }]) => flow as string), ['all', [...outcomes]]])
  const ends = ['paid once', 'left to a person', 'stuck', 'paid twice'] as const
  const lines = [...groups].map(([name, group]) => {
    const kills = group.reduce((sum, [, outcome]) => sum + outcome.kills, 0)
    const counts = ends.map(end => group.filter(([, outcome]) => outcome.end === end).length)
    const broken = group.filter(([, outcome]) => outcome.broken.length > 0).length
    return [name, ...[group.length, kills, ...counts, broken].map(count => `${count}`)]
  })
  return [['flow', 'scenarios', 'kills', ...ends, 'broken'], ...lines].map(cells =>
    cells.map(cell => cell.padEnd(17)).join(''),
  )
}
