import DataLoader from 'dataloader'
import pg from 'pg'

export interface Batching<Input, Output> {
  /** Sorts a batch, so that two processes ask for the same rows in the same order. */
  readonly compare: (a: Input, b: Input) => number
  /** Does for all what `runOne` does for one, in the order given, in one transaction; outputs in the order of inputs. */
  readonly runAll: (inputs: readonly Input[]) => Promise<readonly Output[]>
  readonly runOne: (input: Input) => Promise<Output>
  /** Most batches on their way at once; what comes meanwhile gathers for the next. */
  readonly maxInFlight: number
  readonly maxSize: number
}

// A statement that takes longer waits for a row that somebody holds: the others must not wait with it.
const placeMs = 250

/** What each input of a batch gets that Postgres refused: nothing of it has happened. */
const refused = Symbol('refused')

/**
 * Makes a function that does for concurrent callers in one transaction what `runOne` does for one. A caller who is
 * alone gets the plain `runOne`. The inputs of a batch that Postgres refused are tried one by one, so that each caller
 * waits and fails for itself; any other error leaves open what happened, and goes to all.
 */
export function createBatches<Input, Output>(batching: Batching<Input, Output>): (input: Input) => Promise<Output> {
  const places = createPlaces(batching.maxInFlight)
  const loader = new DataLoader<Input, Output | typeof refused>(
    async inputs => {
      const leave = places.take()
      return await runBatch(inputs, batching).finally(leave)
    },
    {
      cache: false,
      maxBatchSize: batching.maxSize,
      batchScheduleFn: dispatch => {
        // After all that became ready together; without a turn of the event loop, which a lone caller would pay for.
        process.nextTick(() => {
          places.whenFree(dispatch)
        })
      },
    },
  )
  return async input => {
    const output = await loader.load(input)
    return output === refused ? await batching.runOne(input) : output
  }
}

async function runBatch<Input, Output>(
  inputs: readonly Input[],
  { compare, runAll, runOne }: Batching<Input, Output>,
): Promise<(Output | typeof refused)[]> {
  const [first] = inputs
  if (inputs.length === 1 && first !== undefined) return [await runOne(first)]
  const sorted = [...inputs.entries()].toSorted(([, a], [, b]) => compare(a, b))
  const outputs: Output[] = []
  try {
    const answers = await runAll(sorted.map(([, input]) => input))
    for (const [rank, [index]] of sorted.entries()) outputs[index] = answers[rank] as Output
    return outputs
  } catch (thrown) {
    if (!isRolledBack(thrown)) throw thrown
    return inputs.map(() => refused)
  }
}

/** Postgres said no to what was asked. Not so when it is ending, is short of something, or broke in the middle. */
function isRolledBack(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && !/^(?:08|53|57|58|XX)/.test(thrown.code ?? 'XX')
}

/** Counts who is on the way, and lets the others wait in the order of their coming. */
function createPlaces(count: number) {
  const waiting: (() => void)[] = []
  const taken = new Set<symbol>()
  const admit = (): void => {
    while (taken.size < count && waiting.length > 0) waiting.shift()?.()
  }
  return {
    /** Calls `enter` as soon as a place is free; `enter` takes it. */
    whenFree: (enter: () => void): void => {
      waiting.push(enter)
      admit()
    },
    /** Returns what gives the place back; one that is kept for long is given to the next. */
    take: (): (() => void) => {
      const place = Symbol('place')
      const leave = (): void => {
        clearTimeout(timer)
        if (taken.delete(place)) admit()
      }
      const timer = setTimeout(leave, placeMs)
      taken.add(place)
      return leave
    },
  }
}
