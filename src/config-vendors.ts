import type { Reader } from './config-readers.ts'

/** How each vendor is reached. What has no key is not used; what has no address is at the vendor's own. */
export interface Vendors {
  readonly qstash: {
    readonly url: string
    readonly token: string | undefined
    readonly currentSigningKey: string
    readonly nextSigningKey: string
  }
  /** `url` is set for a stand-in only. */
  readonly stripe: { readonly secretKey: string; readonly live: boolean; readonly url: string | undefined }
  readonly novu: {
    readonly url: string
    readonly secretKey: string
    /** Who hears of jobs that keep failing; undefined: nobody does. */
    readonly adminSubscriberId: string | undefined
  }
  readonly clerk: { readonly url: string; readonly secretKey: string } | undefined
  readonly betterStack: { readonly url: string; readonly token: string | undefined }
  readonly resend: { readonly url: string; readonly apiKey: string } | undefined
  readonly posthog: { readonly url: string; readonly key: string } | undefined
  /** What signs the calls of vendors, where we have it. */
  readonly webhookSecrets: {
    readonly stripe: string | undefined
    readonly stripeConnect: string | undefined
    /** Of the site's own route, as that of Clerk: we only say whether they are there. */
    readonly stripeIdentity: string | undefined
    readonly clerk: string | undefined
  }
}

/** Reads what concerns vendors; notes every problem and returns something of the right type all the same. */
export function readVendors(read: Reader, production: boolean, problems: string[]): Vendors {
  return {
    qstash: readQstash(read, production, problems),
    stripe: readStripe(read, production, problems),
    novu: { ...readNovu(read), adminSubscriberId: read.optional('NOVU_ADMIN_SUBSCRIBER_ID') },
    clerk: readClerk(read),
    betterStack: readBetterStack(read),
    resend: readResend(read),
    posthog: readPosthog(read),
    webhookSecrets: {
      stripe: read.optional('STRIPE_WEBHOOK_SECRET'),
      stripeConnect: read.optional('STRIPE_CONNECT_WEBHOOK_SECRET'),
      stripeIdentity: read.optional('STRIPE_IDENTITY_WEBHOOK_SECRET'),
      clerk: read.optional('CLERK_WEBHOOK_SIGNING_SECRET'),
    },
  }
}

/** How Novu is reached, which also one command reads alone. */
export function readNovu(read: Reader): Pick<Vendors['novu'], 'secretKey' | 'url'> {
  return {
    url: read.vendorUrl('NOVU_BASE_URL', 'https://api.novu.co'),
    secretKey: read.required('NOVU_SECRET_KEY', "Novu's dashboard shows it under API keys, one for each environment"),
  }
}

/** How Better Stack's API is reached; the heartbeats themselves have addresses of their own. */
export function readBetterStack(read: Reader): Vendors['betterStack'] {
  return {
    url: read.vendorUrl('BETTERSTACK_API_BASE_URL', 'https://uptime.betterstack.com'),
    token: read.optional('BETTERSTACK_API_TOKEN'),
  }
}

function readQstash(read: Reader, production: boolean, problems: string[]): Vendors['qstash'] {
  if (production && read.optional('QSTASH_DEV') !== undefined) {
    problems.push('QSTASH_DEV is set: it makes the QStash SDK accept tokens that anybody can sign; remove it')
  }
  return {
    url: read.vendorUrl('QSTASH_URL', 'https://qstash.upstash.io'),
    token: read.optional('QSTASH_TOKEN'),
    currentSigningKey: read.signingKey('QSTASH_CURRENT_SIGNING_KEY', production),
    nextSigningKey: read.signingKey('QSTASH_NEXT_SIGNING_KEY', production),
  }
}

function readStripe(read: Reader, production: boolean, problems: string[]): Vendors['stripe'] {
  const key = read.stripeKey('STRIPE_SECRET_KEY', production)
  const url = read.originUrl('STRIPE_API_BASE_URL')
  if (key.live && url !== undefined) {
    problems.push('STRIPE_API_BASE_URL is set while STRIPE_SECRET_KEY is a live key: a live key talks to Stripe alone')
  }
  return { ...key, url }
}

function readClerk(read: Reader): Vendors['clerk'] {
  const url = read.vendorUrl('CLERK_API_URL', 'https://api.clerk.com')
  const secretKey = read.optional('CLERK_SECRET_KEY')
  return secretKey === undefined ? undefined : { url, secretKey }
}

function readResend(read: Reader): Vendors['resend'] {
  const url = read.vendorUrl('RESEND_BASE_URL', 'https://api.resend.com')
  const apiKey = read.optional('RESEND_API_KEY')
  return apiKey === undefined ? undefined : { url, apiKey }
}

function readPosthog(read: Reader): Vendors['posthog'] {
  const url = read.vendorUrl('POSTHOG_HOST', 'https://us.i.posthog.com')
  const key = read.optional('POSTHOG_KEY')
  return key === undefined ? undefined : { url, key }
}
