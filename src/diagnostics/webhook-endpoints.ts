import type { WebhookEndpoint } from '../providers/webhooks.ts'
import { fail, type Issue, type Observation, warn } from './component.ts'
import { type NeededEndpoint, neededEndpoints } from './webhook-needs.ts'

const dashboard = 'in Stripe’s dashboard under Developers, Webhooks'

/** Compares what is registered at Stripe with what the site needs. Pure. */
export function compareEndpoints(endpoints: readonly WebhookEndpoint[], siteUrl: string): Observation {
  const found = neededEndpoints.map(needed => ({
    needed,
    here: endpoints.filter(({ url }) => url === `${siteUrl}${needed.path}`),
    elsewhere: endpoints.filter(({ url }) => url !== `${siteUrl}${needed.path}` && pathOf(url) === needed.path),
  }))
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
    const other = elsewhere.map(({ url }) => hostOf(url)).join(', ')
    const hint = other === '' ? '' : `; there is one at ${other}`
    return [
      fail(
        `Stripe does not call ${path} of the site${hint}`,
        `register ${siteUrl}${path} for events of ${of}, ${dashboard}`,
      ),
    ]
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
    ...(enabled.length > 1
      ? [
          warn(
            `${enabled.length} endpoints call ${path}: each event comes so many times`,
            `remove all but one ${dashboard}`,
          ),
        ]
      : []),
  ]
}

function judgeVersions(endpoints: readonly WebhookEndpoint[]): Issue[] {
  const versions = [...new Set(endpoints.map(({ apiVersion }) => apiVersion ?? "the account's own"))]
  if (versions.length < 2) return []
  const advice = `make them anew in one version ${dashboard}: an endpoint keeps the version that it was made with`
  return [warn(`the endpoints get events in different versions: ${versions.join(', ')}`, advice)]
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : ''
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address'
}
