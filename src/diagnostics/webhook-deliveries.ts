import type { Db } from '../database/connection.ts'
import { findProcessedEvents } from '../database/service-figures.ts'
import type { EventList, WebhookReads } from '../providers/webhooks.ts'
import { fail, type Issue, type Observation } from './component.ts'
import { judge, thresholds, toCount, toPercent, toSpan } from './thresholds.ts'
import { neededEndpoints } from './webhook-needs.ts'

const dayMs = 86_400_000
// For so long Stripe tries; and for so long what it has given up is worth a look, while it can still be sent again.
const triedForMs = 3 * dayMs
const lookBackMs = 7 * dayMs
const onTheWayMs = thresholds.undeliveredAgeMs.warnFrom

/** Events of Connect accounts would have to be asked for account by account. Stripe takes 20 types at once. */
export const seenTypes = neededEndpoints
  .filter(endpoint => endpoint.of === 'our own account')
  .flatMap(({ events }) => events)
const unseen = 'deliveries to the Connect endpoint: only the dashboard shows them'

/** The newest events of the last day, 100 at most. */
export async function listNewest(webhooks: WebhookReads, now: Date, signal: AbortSignal): Promise<EventList> {
  return await webhooks.listEvents({ from: new Date(now.getTime() - dayMs), types: seenTypes }, signal)
}

/**
 * How many of the newest events every endpoint has taken, and what waits, or has waited until Stripe gave it up, since
 * when: events that nobody has taken are trouble however many others were. As Stripe sees it.
 */
export async function seeDeliveries(
  webhooks: WebhookReads,
  now: Date,
  signal: AbortSignal,
  newestAsked = listNewest(webhooks, now, signal),
): Promise<Observation> {
  const from = new Date(now.getTime() - lookBackMs)
  const [newest, missed] = await Promise.all([
    newestAsked,
    webhooks.listEvents({ from, types: seenTypes, undeliveredOnly: true }, signal),
  ])
  const ageOf = ({ happenedAt }: { readonly happenedAt: Date }): number => now.getTime() - happenedAt.getTime()
  const judged = newest.events.filter(event => event.isDelivered || ageOf(event) >= onTheWayMs)
  const late = judged.filter(({ isDelivered }) => !isDelivered).length
  const missedAges = missed.events.map(ageOf).filter(age => age >= onTheWayMs)
  const waiting = missedAges.filter(age => age < triedForMs)
  const taken = newest.events.find(({ isDelivered }) => isDelivered)
  return {
    issues: [
      ...judgeWaiting(waiting, missed.more),
      ...judgeGivenUp(missedAges.length - waiting.length),
      ...judgeRate(late, judged.length),
    ],
    details: {
      events24h: newest.events.length,
      moreEvents24h: newest.more,
      deliveredRate: judged.length === 0 ? null : toPercent(1 - late / judged.length),
      undelivered3d: waiting.length,
      givenUp7d: missedAges.length - waiting.length,
      moreUndelivered: missed.more,
      lastDeliveredEventAt: taken?.happenedAt ?? null,
      notSeen: unseen,
    },
  }
}

const dashboard = 'in Stripe’s dashboard (Developers, Webhooks)'

function judgeWaiting(ages: readonly number[], more: boolean): Issue[] {
  if (ages.length === 0) return []
  const oldestMs = Math.max(...ages)
  const age = `${more ? 'over ' : ''}${toSpan(oldestMs)}`
  const issue = `${toCount(ages.length, 'event', more)} of Stripe not taken by every endpoint, the oldest for ${age}`
  const advice = `look which endpoint does not take them, and why, ${dashboard}; Stripe sends them again for three days`
  // With more than one page the oldest is older than anybody has seen.
  if (more) return [fail(issue, advice)]
  return judge(oldestMs, thresholds.undeliveredAgeMs, issue, advice)
}

function judgeGivenUp(count: number): Issue[] {
  if (count === 0) return []
  const issue = `Stripe gave up ${toCount(count, 'event')} of the last seven days: an endpoint has never taken what it was sent`
  const advice = `mend the endpoint, then send them again ${dashboard}: it can be done for fifteen days`
  return [fail(issue, advice)]
}

function judgeRate(late: number, of: number): Issue[] {
  if (of === 0) return []
  const issue = `${late} of the ${of} newest events of Stripe were not taken by every endpoint (${toPercent(late / of)})`
  const advice = `look at the deliveries of the last day ${dashboard}, and at the logs of the site’s webhook routes`
  return judge(late / of, thresholds.undeliveredRate, issue, advice)
}

/**
 * How long the site took at least for the newest events that it has noted, in the middle: Stripe's times are whole
 * seconds, and the one that an event may have been younger is given to the site.
 */
export async function seeLatency(newestAsked: Promise<EventList>, db: Db): Promise<Observation> {
  // That Stripe does not answer is told already.
  const { events } = await newestAsked.catch(() => ({ events: [] }))
  const processed = await findProcessedEvents(
    db,
    events.map(({ id }) => id),
  )
  const took = events
    .flatMap(({ happenedAt, id }) => {
      const at = processed?.get(id)
      return at === undefined ? [] : [Math.max(0, at.getTime() - happenedAt.getTime() - 1_000)]
    })
    .toSorted((a, b) => a - b)
  const latencyMs = took[Math.floor(took.length / 2)]
  if (latencyMs === undefined) return { issues: [], details: { latencyMs: null } }
  const issue = `half of the newest ${took.length} events took the site ${latencyMs} ms or longer`
  const advice = 'look at the logs of the site’s webhook route: slow queries, cold starts, retries after failures'
  return { issues: judge(latencyMs, thresholds.webhookLatencyMs, issue, advice), details: { latencyMs } }
}
