import type Stripe from 'stripe'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import type { Endpoint } from '../records.ts'
import { seconds } from '../render/seconds.ts'
import { listAll } from '../shelf.ts'
import { type Call, type Route, route } from './call.ts'

/** Where Stripe calls. Source: docs.stripe.com/api/webhook_endpoints. */
export const webhookRoutes: readonly Route[] = [
  route<PageQuery>('GET', '/v1/webhook_endpoints', pageParams, listEndpoints),
]

/** Those of the platform: of Connect accounts too, which nothing in them tells. */
function listEndpoints({ book, params, path, state }: Call<PageQuery>): object {
  return listPage<Endpoint>(params, {
    url: path,
    sorted: book.account.isPlatform ? listAll(state.endpoints) : [],
    find: id => state.endpoints.byId.get(id),
    render: renderEndpoint,
  })
}

function renderEndpoint({ apiVersion, createdMs, events, id, isEnabled, url }: Endpoint): Stripe.WebhookEndpoint {
  return {
    id,
    object: 'webhook_endpoint',
    api_version: apiVersion,
    application: null,
    created: seconds(createdMs),
    description: null,
    enabled_events: [...events],
    livemode: false,
    metadata: {},
    status: isEnabled ? 'enabled' : 'disabled',
    url,
  }
}
