import type { Foresight } from '../money/foresights.ts'
import { askEach, type AskOptions } from './ask-each.ts'

/** Operations that one run foresees: each costs as much as its sending will. The others are resumed all the same. */
export const foreseenPerRun = 500

/**
 * What will come of operations that are to be resumed, by their ids; nothing for those that there was no time for. What cannot
 * be read cannot be sent either.
 */
export async function askForesights(
  operations: readonly { readonly id: string }[],
  foresee: (id: string) => Promise<Foresight>,
  options: AskOptions,
): Promise<ReadonlyMap<string, Foresight>> {
  const asked = operations.slice(0, foreseenPerRun)
  const answers = await askEach(asked, async ({ id }) => await foresee(id), options)
  return new Map(
    asked.flatMap(({ id }, index) => {
      const answer = answers[index]
      if (answer === undefined || answer.kind === 'left') return []
      const foresight = answer.kind === 'known' ? answer.value : { kind: 'notSent' as const, reason: answer.code }
      return [[id, foresight] as const]
    }),
  )
}
