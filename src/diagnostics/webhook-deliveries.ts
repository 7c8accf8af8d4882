import type { Db } from '../database/connection.ts'
import { findProcessedEvents } from '../database/service-figures.ts'
import type { WebhookReads } from '../providers/webhooks.ts'
import type { Observation } from './component.ts'
import { judge, thresholds, toPercent, toSpan } from './thresholds.ts'
import { neededEndpoints } from './webhook-needs.ts'

const dayMs = 86_400_000
// Stripe tries for three days.
const triedForMs = 3 * dayMs
// What is younger is still on its way.
const onTheWayMs = 2 * 60_000

// Events of Connect accounts would have to be asked for account by account.
const [platform] = neededEndpoints
const types = platform?.events ?? []
const unseen = 'deliveries to Connect and identity endpoints: only the dashboard shows them'

/**
 * How many of the newest events of the last day (100 at most) every endpoint has taken, and how old the oldest is that
 * was not, within the three days for which Stripe tries. As Stripe sees it.
 */
export async function seeDeliveries(webhooks: WebhookReads, now: Date, signal: AbortSignal): Promise<Observation> {
  const ago = (ms: number): Date => new Date(now.getTime() - ms)
  const [newest, waiting] = await Promise.all([
    webhooks.listEvents({ from: ago(dayMs), types }, signal),
    webhooks.listEvents({ from: ago(triedForMs), types, undeliveredOnly: true }, signal),
  ])
  const judged = newest.events.filter(({ happenedAt, isDelivered }) => isDelivered || happenedAt < ago(onTheWayMs))
  const late = judged.filter(({ isDelivered }) => !isDelivered).length
  const rate = judged.length === 0 ? 0 : late / judged.length
  const stuck = waiting.events.filter(({ happenedAt }) => happenedAt < ago(onTheWayMs))
  const oldest = stuck.at(-1)
  const age = oldest === undefined ? '' : `, the oldest for ${toSpan(now.getTime() - oldest.happenedAt.getTime())}`
  const issue = `the site has not taken ${late} of the ${judged.length} newest events of Stripe (${toPercent(rate)})${age}`
  const advice =
    'look why in Stripe’s dashboard (Developers, Webhooks, the endpoint); it sends them again for three days'
  const taken = newest.events.find(({ isDelivered }) => isDelivered)
  return {
    issues: judge(rate, thresholds.undeliveredRate, issue, advice),
    details: {
      events24h: `${newest.events.length}${newest.more ? ' or more' : ''}`,
      deliveredRate: toPercent(1 - rate),
      undelivered3d: `${stuck.length}${waiting.more ? ' or more' : ''}`,
      lastDeliveredEventAt: taken?.happenedAt ?? null,
      notSeen: unseen,
    },
  }
}

/**
 * How long the site took at least for the newest events that it has noted, in the middle: Stripe's times are whole
 * seconds, and the one that an event may have been younger is given to the site.
 */
export async function seeLatency(webhooks: WebhookReads, db: Db, now: Date, signal: AbortSignal): Promise<Observation> {
  const asked = webhooks.listEvents({ from: new Date(now.getTime() - dayMs), types }, signal)
  // That Stripe does not answer is told already.
  const { events } = await asked.catch(() => ({ events: [] }))
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
