import t from 'tap'
import { isFullRun } from '../support/database.ts'
import { liveThrough } from '../support/people-month.ts'
import { judge } from '../support/people-referee.ts'

t.setTimeout(isFullRun ? 3_600_000 : 240_000)

const lives = isFullRun
  ? ([
      [1, 30],
      [2, 30],
      [3, 30],
    ] as const)
  : ([[7, 1]] as const)

for (const [seed, days] of lives) {
  t.test(`in ${days} days of trouble (${seed}) each party is told once while it helps, and nobody else`, async t => {
    const startedAt = performance.now()
    const month = await liveThrough(t, seed, days)
    const { counts, wrongs } = await judge(month)
    t.comment(JSON.stringify({ seed, days, seconds: Math.round((performance.now() - startedAt) / 1000), ...counts }))
    t.same(wrongs.slice(0, 20), [], `${wrongs.length} wrongs`)
    t.ok((counts['must be told, told'] ?? 0) > 20 * days, 'there was somebody to tell')
    for (const what of ['told again after another start', 'another expert told', 'another address told'])
      t.ok((counts[what] ?? 0) >= 3, what)
    t.ok((counts['told after an outage of Novu'] ?? 0) > 0, 'somebody waited for Novu, and was told')
    const states = await month.db.selectFrom('jobs.outbox').select(['state', 'note']).execute()
    t.same(
      states.filter(({ state }) => !['sent', 'dropped'].includes(state)),
      [],
      'each notice has come to its end',
    )
  })
}
