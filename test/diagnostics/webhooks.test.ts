import { sql } from 'kysely'
import t from 'tap'
import { lookAtWebhooks, type SecretKnown } from '../../src/diagnostics/webhooks.ts'
import { createDiagnostics } from '../../src/diagnostics/diagnose.ts'
import { componentNames, type ComponentReport } from '../../src/diagnostics/component.ts'
import { compareEndpoints } from '../../src/diagnostics/webhook-endpoints.ts'
import { neededEndpoints } from '../../src/diagnostics/webhook-needs.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import type { WebhookEndpoint } from '../../src/providers/webhooks.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testDatabase } from '../support/database.ts'

const siteUrl = 'https://eleva.test'

function wellRegistered(): WebhookEndpoint[] {
  return neededEndpoints.map(({ events, path }, index) => ({
    id: `we_${index}`,
    url: `${siteUrl}${path}`,
    enabled: true,
    events,
    apiVersion: '2026-10-28.endive',
  }))
}

t.test('endpoints are compared with what the site acts on', async t => {
  const well = wellRegistered()
  const issuesOf = (endpoints: readonly WebhookEndpoint[]) => compareEndpoints(endpoints, siteUrl).issues
  const change = (change: Partial<WebhookEndpoint>) => [{ ...well[0], ...change } as WebhookEndpoint, ...well.slice(1)]
  t.strictSame(issuesOf(well), [])
  t.strictSame(issuesOf(change({ events: ['*'] })), [])
  t.match(issuesOf([]), [{ severity: 'fail', issue: /does not call \/api\/webhooks\/stripe of the site$/ }, {}, {}])
  t.match(issuesOf(well.slice(0, 2)), [
    {
      issue: /stripe-identity/,
      advice: `register ${siteUrl}/api/webhooks/stripe-identity for events of our own account`,
    },
  ])
  t.match(issuesOf(change({ enabled: false })), [{ severity: 'fail', issue: /is disabled$/, advice: /enable it/ }])
  t.match(issuesOf(change({ events: well[0]?.events.slice(2) ?? [] })), [
    { severity: 'fail', issue: /does not get checkout.session.completed, checkout.session.async_payment_succeeded$/ },
  ])
  t.match(issuesOf(change({ apiVersion: null })), [
    { severity: 'warn', issue: /different versions: the account's own, 2026/ },
  ])
  t.match(issuesOf([...well, { ...well[0], id: 'we_9' } as WebhookEndpoint]), [
    { severity: 'warn', issue: /^2 endpoints call/ },
  ])
  t.match(issuesOf(change({ url: 'https://old.test/api/webhooks/stripe?token=planted' })), [
    { severity: 'fail', issue: /of the site; there is one at old\.test$/ },
  ])
})

t.test('deliveries are judged as Stripe sees them, and the site’s speed by what it noted', async t => {
  const { db } = await testDatabase(t)
  const stripe = await startStripe()
  t.teardown(stripe.close)
  const http = createHttp()
  t.teardown(async () => await http.close())
  const { webhooks } = createStripe({ secretKey: stripe.secretKey, url: stripe.url, fetch: http.fetch, retryMs: 1 })
  for (const { events, path } of neededEndpoints) stripe.addEndpoint({ url: `${siteUrl}${path}`, events })
  const secrets: SecretKnown[] = [
    { variable: 'STRIPE_WEBHOOK_SECRET', isSet: true, looksRight: true },
    { variable: 'STRIPE_CONNECT_WEBHOOK_SECRET', isSet: true, looksRight: false },
    { variable: 'CLERK_WEBHOOK_SIGNING_SECRET', isSet: false, looksRight: false },
  ]
  const look = async (known: readonly SecretKnown[] = []): Promise<ComponentReport> => {
    const looks = lookAtWebhooks({ db, clock: () => stripe.now(), webhooks, siteUrl, secrets: known })
    const all = Object.fromEntries(componentNames.map(name => [name, name === 'webhooks' ? looks : []]))
    const { components } = await createDiagnostics({ looks: all as never, clock: () => new Date() }).diagnose([
      'webhooks',
    ])
    return components.webhooks as ComponentReport
  }
  const expert = stripe.addAccount()
  for (let each = 0; each < 25; each += 1) stripe.pay({ amountCents: 1_000, destination: expert })
  t.match(await look(), { status: 'pass', details: { deliveredRate: '100 %', undelivered3d: '0', latencyMs: null } })

  const [event, ...others] = stripe.events().filter(({ type }) => type === 'payment_intent.succeeded')
  stripe.setDelivered(event?.id ?? '', false)
  t.match(await look(), { status: 'pass' }, 'what is young is on its way')
  stripe.advance(11 * 60_000)
  const one = await look()
  t.match(one, { status: 'warn', details: { undelivered3d: '1' } })
  t.match(one.issues, [
    /^the site has not taken 1 of the \d+ newest events of Stripe \(\d(\.\d)? %\), the oldest for 11 min$/,
  ])
  for (const { id } of others) stripe.setDelivered(id, false)
  t.match(await look(), { status: 'fail' })
  for (const each of [event, ...others]) stripe.setDelivered(each?.id ?? '', true)

  const note = async (afterMs: number): Promise<void> => {
    await sql`truncate stripe_processed_events`.execute(db)
    for (const { createdMs, id } of others.slice(0, 9)) {
      const at = new Date(createdMs + afterMs)
      await sql`insert into stripe_processed_events values (${id}, 'x', ${at})`.execute(db)
    }
  }
  await note(0)
  t.match(await look(), { status: 'pass', details: { latencyMs: 0 } })
  await note(4_500)
  t.match(await look(), { status: 'warn', issues: [/^half of the newest 9 events took the site \d+ ms or longer$/] })
  await note(60_000)
  t.match(await look(), { status: 'fail' })
  await sql`drop table stripe_processed_events`.execute(db)
  t.match(await look(), { status: 'pass', details: { latencyMs: null } }, 'a site without that list')

  t.match(await look(secrets), {
    status: 'warn',
    issues: [/^STRIPE_CONNECT_WEBHOOK_SECRET does not begin/, /^CLERK_WEBHOOK_SIGNING_SECRET is not set/],
    details: { signedWith: ['STRIPE_WEBHOOK_SECRET', 'STRIPE_CONNECT_WEBHOOK_SECRET'] },
  })
  t.strictSame(stripe.invalid(), [])
})
