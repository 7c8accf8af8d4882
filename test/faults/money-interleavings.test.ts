import fc from 'fast-check'
import t from 'tap'
import { isFullRun } from '../support/database.ts'
import { anyHappening, describe, type Happening } from '../support/money-happenings.ts'
import { approveAll, beginMatch, enable, type Match, playHappening } from '../support/money-match.ts'
import { createStadium, type Stadium } from '../support/money-players.ts'
import { listForgotten, listFouls } from '../support/money-referee.ts'

t.setTimeout(isFullRun ? 1_200_000 : 240_000)

const hourMs = 60 * 60_000

t.test('whatever happens in whatever order, money leaves once, in time, and for whom it is', async t => {
  const stadium = await createStadium(t)
  const endings = new Map<string, number>()
  const result = await fc.check(
    fc.asyncProperty(fc.array(anyHappening, { minLength: 4, maxLength: 16 }), async happenings => {
      const match = await playMatch(stadium, happenings)
      for (const { status } of await match.stadium.db.selectFrom('payment_transfers').select('status').execute()) {
        endings.set(status, (endings.get(status) ?? 0) + 1)
      }
    }),
    { numRuns: isFullRun ? 250 : 9, endOnFailure: !isFullRun },
  )
  t.notOk(result.failed, tell(result))
  t.same(stadium.stripe.notModelled(), [])
  const payouts = stadium.stripe.payouts()
  const returned = payouts.filter(({ returnEntryId }) => returnEntryId !== null)
  const transfers = stadium.stripe.transfers().filter(({ origin }) => origin === 'api')
  t.comment(`${payouts.length} payouts, of which ${returned.length} came back, and ${transfers.length} transfers made`)
  t.comment(`of rows in the end: ${JSON.stringify(Object.fromEntries(endings))}`)
})

async function playMatch(stadium: Stadium, happenings: readonly Happening[]): Promise<Match> {
  const match = await beginMatch(stadium)
  for (const [index, happening] of happenings.entries()) {
    await playHappening(match, happening)
    refuse(await listFouls(match), `after step ${index + 1}`)
  }
  await playOn(match)
  refuse(await listForgotten(match), 'in the end')
  return match
}

/** Nothing goes wrong any more and time passes: at least as long as a proof that nothing happened takes, twice. */
async function playOn(match: Match): Promise<void> {
  const { stadium } = match
  for (const which of match.accounts.keys()) enable(match, which, true)
  for (const hours of [13, 0.25, 13, 0.25, 13, 13, 0.25, 13, 13, 0.25]) {
    stadium.clock.advance(hours * hourMs)
    await approveAll(stadium)
    await stadium.run({ job: 'transfers', worker: 'one' })
    await stadium.run({ job: 'payouts', worker: 'one' })
    refuse(await listFouls(match), 'while time passes')
    if ((await listForgotten(match)).length === 0 && hours === 0.25) return
  }
}

function refuse(fouls: readonly string[], when: string): void {
  if (fouls.length > 0) throw new Error(`${when}: ${fouls.join('; ')}`)
}

/** The shortest way to what went wrong, one line for each step. */
function tell({
  counterexample,
  counterexamplePath,
  errorInstance,
  failed,
  numRuns,
  seed,
}: fc.RunDetails<[Happening[]]>) {
  if (!failed) return `${numRuns} matches without a foul`
  const steps = (counterexample?.[0] ?? []).map((happening, index) => `  ${index + 1}. ${describe(happening)}`)
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  return `seed ${seed}, path ${counterexamplePath ?? ''}: ${why.slice(0, 1_500)}\n${steps.join('\n')}`
}
