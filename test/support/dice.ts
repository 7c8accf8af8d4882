/** Chance that can be repeated: the same seed gives the same throws. */
export interface Dice {
  /** From 0 up to 1. */
  next(): number
  /** True so often, from 0 to 1. */
  happens(chance: number): boolean
  /** From `low` up to `high`. */
  between(low: number, high: number): number
  pick<T>(choices: readonly T[]): T
}

export function createDice(seed: number): Dice {
  let state = seed * 2_654_435_761
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    happens: chance => next() < chance,
    between: (low, high) => low + next() * (high - low),
    pick: choices => {
      const chosen = choices[Math.floor(next() * choices.length)]
      if (chosen === undefined) throw new Error('there is nothing to choose from')
      return chosen
    },
  }
}
