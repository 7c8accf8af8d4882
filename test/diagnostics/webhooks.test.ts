import { sql } from 'kysely'
import t from 'tap'
import { lookAtWebhooks, type SecretKnown } from '../../src/diagnostics/webhooks.ts'
import { createDiagnostics } from '../../src/diagnostics/diagnose.ts'
import { componentNames, type ComponentReport } from '../../src/diagnostics/component.ts'
import { compareEndpoints } from '../../src/diagnostics/webhook-endpoints.ts'
import { seenTypes } from '../../src/diagnostics/webhook-deliveries.ts'
import { neededApiVersion, neededEndpoints } from '../../src/diagnostics/webhook-needs.ts'
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
    apiVersion: neededApiVersion,
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
      advice: `register exactly ${siteUrl}/api/webhooks/stripe-identity for these events of our own account, in Stripe’s dashboard under Developers, Webhooks: identity.verification_session.created, identity.verification_session.processing, identity.verification_session.requires_input, identity.verification_session.verified, identity.verification_session.canceled`,
    },
  ])
  t.match(issuesOf(change({ enabled: false })), [{ severity: 'fail', issue: /is disabled$/, advice: /enable it/ }])
  t.match(issuesOf(change({ events: well[0]?.events.slice(2) ?? [] })), [
    { severity: 'fail', issue: /does not get checkout.session.completed, checkout.session.async_payment_succeeded$/ },
  ])
  t.match(issuesOf(change({ apiVersion: null })), [
    { severity: 'warn', issue: /stripe gets events in another version than the site reads: that of the account/ },
  ])
  const inOld = well.map(endpoint => ({ ...endpoint, apiVersion: '2015-01-26' }))
  t.match(
    issuesOf(inOld),
    well.map(() => ({ severity: 'warn', issue: /reads: 2015-01-26$/, advice: /anew in 2025/ })),
  )
  const twin = { ...well[0], id: 'we_9' } as WebhookEndpoint
  t.match(issuesOf([...well, twin]), [{ severity: 'warn', issue: /^2 endpoints call/ }])
  const [first = '', ...rest] = twin.events
  t.strictSame(
    issuesOf([...change({ events: [first] }), { ...twin, events: rest }]),
    [],
    'two that share the events between them',
  )
  const at = (url: string): unknown => issuesOf(change({ url }))
  const isNot = (address: string) => [
    { severity: 'fail', issue: `Stripe does not call /api/webhooks/stripe of the site; there is one at ${address}` },
  ]
  t.match(at('https://old.test/api/webhooks/stripe?token=planted'), isNot('old.test/api/webhooks/stripe?…'))
  t.match(at(`${siteUrl}/api/webhooks/stripe/`), isNot('eleva.test/api/webhooks/stripe/'))
  t.match(at(`${siteUrl}/api/webhooks/stripe?v=1`), isNot('eleva.test/api/webhooks/stripe?…'))
  t.strictSame(at('https://Eleva.test/api/webhooks/stripe'), [], 'capitals in a host')
})

t.test('deliveries are judged as Stripe sees them, and the site’s speed by what it noted', async t => {
  const { db } = await testDatabase(t)
  const stripe = await startStripe()
  t.teardown(stripe.close)
  const http = createHttp()
  t.teardown(async () => await http.close())
  const { webhooks } = createStripe({ secretKey: stripe.secretKey, url: stripe.url, fetch: http.fetch, retryMs: 1 })
  for (const { events, path } of neededEndpoints)
    stripe.addEndpoint({ url: `${siteUrl}${path}`, events, apiVersion: neededApiVersion })
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
  t.match(await look(), { status: 'pass', details: { deliveredRate: '100 %', undelivered3d: 0, latencyMs: null } })

  const [event, ...others] = stripe.events().filter(({ type }) => type === 'payment_intent.succeeded')
  stripe.setDelivered(event?.id ?? '', false)
  t.match(await look(), { status: 'pass' }, 'what is young is on its way')
  stripe.advance(11 * 60_000)
  const one = await look()
  t.match(one, { status: 'warn', details: { undelivered3d: 1, givenUp7d: 0 } })
  t.match(one.issues, [
    '1 event of Stripe not taken by every endpoint, the oldest for 11 min',
    /^1 of the \d+ newest events of Stripe were not taken by every endpoint \(\d(\.\d)? %\)$/,
  ])
  for (const { id } of others) stripe.setDelivered(id, false)
  t.match(await look(), { status: 'fail' })
  for (const { id } of others) stripe.setDelivered(id, true)

  // What nobody has taken is told for as long as it can be mended, whatever came and went well since.
  const hours = async (count: number) => {
    stripe.advance(count * 3_600_000)
    return await look()
  }
  const day = await hours(26)
  t.match(day, { status: 'warn', details: { events24h: 0, deliveredRate: null, undelivered3d: 1 } })
  t.match(day.issues, ['1 event of Stripe not taken by every endpoint, the oldest for 26 h'])
  for (let each = 0; each < 40; each += 1) stripe.pay({ amountCents: 1_000, destination: expert })
  t.match(await look(), { status: 'warn', details: { deliveredRate: '100 %' } }, 'good ones after it hide nothing')
  t.match(await hours(23), { status: 'fail', details: { undelivered3d: 1 } }, 'one day before it is given up')
  const over = await hours(24)
  t.match(over, { status: 'fail', details: { undelivered3d: 0, givenUp7d: 1 } })
  t.match(over.issues, ['Stripe gave up 1 event of the last seven days: an endpoint has never taken what it was sent'])
  t.match(await hours(4 * 24), { status: 'pass', details: { deliveredRate: null, givenUp7d: 0 } })
  stripe.setDelivered(event?.id ?? '', true)
  for (let each = 0; each < 10; each += 1) stripe.pay({ amountCents: 1_000, destination: expert })
  const newest = stripe
    .events()
    .filter(({ type }) => type === 'payment_intent.succeeded')
    .slice(-10)

  const note = async (afterMs: number): Promise<void> => {
    await sql`truncate stripe_processed_events`.execute(db)
    for (const { createdMs, id } of newest.slice(0, 9)) {
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
  t.ok(seenTypes.length <= 20, 'as many as Stripe lists at once')
  t.strictSame(stripe.invalid(), [])
})
