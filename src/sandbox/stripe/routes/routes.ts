import type { Route } from './call.ts'
import { payoutRoutes } from './payout-routes.ts'
import { historyRoutes } from './history-routes.ts'
import { readRoutes } from './read-routes.ts'
import { refundRoutes } from './refund-routes.ts'
import { reversalRoutes } from './reversal-routes.ts'
import { transferRoutes } from './transfer-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'

export const routes = [
  ...readRoutes,
  ...transferRoutes,
  ...reversalRoutes,
  ...payoutRoutes,
  ...refundRoutes,
  ...historyRoutes,
  ...webhookRoutes,
].map(route => ({
  route,
  steps: route.path.split('/'),
}))

export interface Found {
  readonly route: Route
  readonly ids: readonly string[]
}

/** The route of a request; undefined for what is not modelled. */
export function findRoute(method: string, path: string): Found | undefined {
  const given = path.split('/')
  for (const { route, steps } of routes) {
    if (route.method !== method || steps.length !== given.length) continue
    if (steps.every((step, at) => step === ':id' || step === given[at])) {
      return { route, ids: given.filter((_, at) => steps[at] === ':id').map(decodeURIComponent) }
    }
  }
  return undefined
}
