import type { Diagnostics } from './diagnose.ts'

/** Diagnostics that are put together when somebody first asks: a start need not wait for what it may never need. */
export function createLater(load: () => Promise<Diagnostics>): Diagnostics {
  let loading: Promise<Diagnostics> | undefined
  const get = async (): Promise<Diagnostics> => await (loading ??= load())
  return {
    diagnose: async names => await (await get()).diagnose(names),
    describeMoment: async () => await (await get()).describeMoment(),
  }
}
