import type { Db } from '../database/connection.ts'
import type { WebhookReads } from '../providers/webhooks.ts'
import { type Look, type Observation, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { shareCall } from './share.ts'
import { compareEndpoints } from './webhook-endpoints.ts'
import { listNewest, seeDeliveries, seeLatency } from './webhook-deliveries.ts'

export interface WebhookParts {
  readonly db: Db
  readonly clock: () => Date
  readonly webhooks: WebhookReads
  /** Of the site, whose routes they call. */
  readonly siteUrl: string
  readonly secrets: readonly SecretKnown[]
}

/** A secret that calls are signed with: its variable, and whether it is there. Never the secret. */
export interface SecretKnown {
  readonly variable: string
  readonly isSet: boolean
  /** It begins as the vendor's secrets do. */
  readonly looksRight: boolean
}

const asksStripe = {
  asksVendor: true,
  advice: 'look at Stripe’s status page and wait; the site goes on without this answer',
  adviceWhenRefused: 'let STRIPE_SECRET_KEY read webhook endpoints and events, in the dashboard under API keys',
}

/** Whether Stripe calls the site for what it must know, with secrets that are there, and whether its calls are taken. */
export function lookAtWebhooks(parts: WebhookParts): readonly Look[] {
  const { clock, db, siteUrl, webhooks } = parts
  const askNewest = shareCall(async signal => await listNewest(webhooks, clock(), signal))
  return [
    { reads: 'the secrets', advice: databaseAdvice, see: () => seeSecrets(parts) },
    {
      reads: 'the endpoints registered at Stripe',
      ...asksStripe,
      see: async signal => compareEndpoints(await webhooks.listEndpoints(signal), siteUrl),
    },
    {
      reads: 'the deliveries of Stripe',
      ...asksStripe,
      see: async signal => await seeDeliveries(webhooks, clock(), signal, askNewest(signal)),
    },
    {
      reads: 'how fast the site takes events',
      advice: databaseAdvice,
      lateIsTold: true,
      see: async signal => await seeLatency(askNewest(signal), db),
    },
  ]
}

function seeSecrets({ secrets }: WebhookParts): Observation {
  const issues = secrets.flatMap(({ isSet, looksRight, variable }) => {
    const whose = variable.startsWith('CLERK_')
      ? 'of the endpoint in Clerk’s dashboard'
      : 'of its endpoint in Stripe’s dashboard'
    const advice = `set ${variable} to the signing secret ${whose}, here and at the site`
    if (!isSet) return [warn(`${variable} is not set here: nobody can tell whether the site has it`, advice)]
    return looksRight ? [] : [warn(`${variable} does not begin with whsec_, as signing secrets do`, advice)]
  })
  return {
    issues,
    details: { signedWith: secrets.filter(({ isSet }) => isSet).map(({ variable }) => variable) },
  }
}
