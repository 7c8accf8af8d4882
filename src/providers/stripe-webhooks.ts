import type { Stripe } from 'stripe'
import { read, readPages, type ReadsOptions } from './stripe-requests.ts'
import type { WebhookEndpoint, WebhookReads } from './webhooks.ts'

const pageSize = 100

/** Endpoints and events as Stripe tells of them; nothing of what an event is about is kept. */
export function createWebhookReads(options: ReadsOptions): WebhookReads {
  return {
    listEndpoints: async signal => {
      const what = 'the webhook endpoints'
      const all = await readPages(
        options,
        what,
        signal,
        async (stripe, page) => await stripe.webhookEndpoints.list(page),
      )
      return all.map(toEndpoint)
    },
    listEvents: async ({ from, types, undeliveredOnly = false }, signal) => {
      const filter = {
        created: { gte: Math.floor(from.getTime() / 1000) },
        types: [...types],
        limit: pageSize,
        ...(undeliveredOnly ? { delivery_success: false } : {}),
      }
      const page = await read(options, 'events', signal, async stripe => await stripe.events.list(filter))
      return { events: page.data.map(toEvent), more: page.has_more }
    },
  }
}

function toEndpoint(endpoint: Stripe.WebhookEndpoint): WebhookEndpoint {
  return {
    id: endpoint.id,
    url: endpoint.url,
    enabled: endpoint.status === 'enabled',
    events: endpoint.enabled_events,
    apiVersion: endpoint.api_version,
  }
}

function toEvent({ created, id, pending_webhooks, type }: Stripe.Event) {
  return { id, type, happenedAt: new Date(created * 1000), isDelivered: pending_webhooks === 0 }
}
