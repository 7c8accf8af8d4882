import type { WebhookEndpoint } from '../providers/webhooks.ts'
import { fail, type Issue, type Observation, warn } from './component.ts'
import { neededApiVersion, type NeededEndpoint, neededEndpoints } from './webhook-needs.ts'

const dashboard = 'in Stripe’s dashboard under Developers, Webhooks'

/** Compares what is registered at Stripe with what the site needs. Pure. */
export function compareEndpoints(endpoints: readonly WebhookEndpoint[], siteUrl: string): Observation {
  const found = neededEndpoints.map((needed): Match => {
    const url = normalise(`${siteUrl}${needed.path}`)
    return {
      needed,
      here: endpoints.filter(endpoint => normalise(endpoint.url) === url),
      elsewhere: endpoints.filter(
        endpoint => normalise(endpoint.url) !== url && plainPath(endpoint.url) === plainPath(url),
      ),
    }
  })
  const ours = found.flatMap(({ here }) => here)
  const issues = [...found.flatMap(match => judgeMatch(match, siteUrl)), ...judgeVersions(ours)]
  const details = {
    endpoints: ours.map(({ apiVersion, enabled, events, id, url }) => ({
      id,
      path: pathOf(url),
      enabled,
      events: events.length,
      apiVersion,
    })),
    otherEndpoints: endpoints.length - ours.length,
  }
  return { issues, details }
}

interface Match {
  readonly needed: NeededEndpoint
  readonly here: readonly WebhookEndpoint[]
  readonly elsewhere: readonly WebhookEndpoint[]
}

function judgeMatch({ elsewhere, here, needed }: Match, siteUrl: string): Issue[] {
  const { of, path } = needed
  const enabled = here.filter(endpoint => endpoint.enabled)
  if (here.length === 0) {
    const other = elsewhere.map(({ url }) => tellAddress(url)).join(', ')
    const hint = other === '' ? '' : `; there is one at ${other}`
    const advice = `register exactly ${siteUrl}${path} for these events of ${of}, ${dashboard}: ${needed.events.join(', ')}`
    return [fail(`Stripe does not call ${path} of the site${hint}`, advice)]
  }
  if (enabled.length === 0) {
    const advice = `enable it ${dashboard}: Stripe disables what has failed for days, so mend that first`
    return [fail(`the endpoint of ${path} is disabled`, advice)]
  }
  const taken = new Set(enabled.flatMap(({ events }) => events))
  const missing = taken.has('*') ? [] : needed.events.filter(event => !taken.has(event))
  return [
    ...(missing.length === 0
      ? []
      : [fail(`the endpoint of ${path} does not get ${missing.join(', ')}`, `add these events to it ${dashboard}`)]),
    ...judgeTwins(enabled, path),
  ]
}

/** Two that share the events between them are as good as one. */
function judgeTwins(enabled: readonly WebhookEndpoint[], path: string): Issue[] {
  const all = enabled.flatMap(({ events }) => events)
  const overlap = enabled.length > 1 && (all.includes('*') || new Set(all).size < all.length)
  const issue = `${enabled.length} endpoints call ${path}: what several of them get comes several times`
  return overlap ? [warn(issue, `remove all but one ${dashboard}`)] : []
}

function judgeVersions(endpoints: readonly WebhookEndpoint[]): Issue[] {
  const advice = `make it anew in ${neededApiVersion} ${dashboard}, unless STRIPE_API_VERSION of the site is another`
  return endpoints.flatMap(({ apiVersion, url }) => {
    if (apiVersion === neededApiVersion) return []
    const told = apiVersion === null ? 'that of the account, which changes when somebody upgrades it' : apiVersion
    const issue = `the endpoint of ${pathOf(url)} gets events in another version than the site reads: ${told}`
    return [warn(issue, advice)]
  })
}

/** Capitals in a host mean nothing. A slash at the end and a query do: the site would answer with a redirect, or not at all. */
function normalise(url: string): string {
  return URL.canParse(url) ? new URL(url).href : url
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : ''
}

function plainPath(url: string): string {
  return pathOf(url).replace(/\/$/, '')
}

/** Without what may be a secret. */
function tellAddress(url: string): string {
  const { host, pathname, search } = new URL(url)
  return `${host}${pathname}${search === '' ? '' : '?…'}`
}
