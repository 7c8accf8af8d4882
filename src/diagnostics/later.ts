import { type Diagnostics, momentMs } from './diagnose.ts'

/** Diagnostics that are put together when somebody first asks: a start need not wait for what it may never need. */
export function createLater(load: () => Promise<Diagnostics>): Diagnostics {
  let loading: Promise<Diagnostics> | undefined
  const get = async (): Promise<Diagnostics> => await (loading ??= load())
  return {
    diagnose: async names => await (await get()).diagnose(names),
    diagnoseFromOutside: async names => await (await get()).diagnoseFromOutside(names),
    describeMoment: async (budgetMs = momentMs) => {
      const startedAt = performance.now()
      const diagnostics = await get()
      // Whoever waits has waited for the loading too; what needs no vendor is there in any case.
      const loadedMs = performance.now() - startedAt
      return await diagnostics.describeMoment(Math.max(Math.round(budgetMs - loadedMs), leastMs))
    },
  }
}

const leastMs = 200
