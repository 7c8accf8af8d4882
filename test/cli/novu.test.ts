import t from 'tap'
import { workflows } from '../../src/notices/catalogue.ts'
import { checkWorkflows } from '../../src/notices/check-workflows.ts'
import { compareWorkflows } from '../../src/notices/compare-workflows.ts'
import type { Workflow } from '../../src/providers/notifications.ts'
import { startNovu } from '../../src/sandbox/novu.ts'
import { cli } from '../support/cli.ts'

const command = ['novu', 'diagnose']
const secretKey = 'planted-novu-key'

interface Told {
  readonly ok: boolean
  readonly workflows: readonly {
    readonly id: string
    readonly differences: readonly string[]
    readonly kinds: readonly string[]
  }[]
}

t.test('the catalogue is what the site’s workflows take', async t => {
  const novu = await startNovu({ secretKey })
  t.teardown(novu.close)
  const env = { NOVU_SECRET_KEY: secretKey, NOVU_BASE_URL: novu.url }
  const ended = await cli(t, command, env)
  t.equal(ended.code, 0, ended.stdout + ended.stderr)
  for (const id of Object.keys(workflows)) t.match(ended.stdout, new RegExp(`^ok +${id} +as it should be`, 'm'))

  novu.setWorkflow('appointment-universal', { active: false })
  novu.removeWorkflow('reservation-expired')
  const table = await cli(t, command, env)
  t.equal(table.code, 1)
  t.match(
    table.stdout,
    /^differs +appointment-universal +not active +appointment-reminder-24h, appointment-reminder-1h$/m,
  )
  t.match(table.stdout, /^differs +reservation-expired +missing/m)
  t.match(table.stdout, /^2 of 6 workflows differ/m)
  const json = await cli(t, [...command, '--json'], env)
  t.equal(json.code, 1)
  const told = JSON.parse(json.stdout) as Told
  t.equal(told.ok, false)
  t.match(
    told.workflows.find(({ id }) => id === 'reservation-expired'),
    { differences: ['missing'], kinds: ['reservation-expired'] },
  )
})

t.test('without a key, with a wrong one and without an answer it says what to do', async t => {
  const novu = await startNovu({ secretKey })
  t.teardown(novu.close)
  const without = await cli(t, command, {})
  t.equal(without.code, 1)
  t.match(without.stderr, /NOVU_SECRET_KEY is missing: Novu's dashboard shows it/)
  const wrong = await cli(t, [...command, '--json'], { NOVU_SECRET_KEY: 'planted-other-key', NOVU_BASE_URL: novu.url })
  t.equal(wrong.code, 1)
  t.match(JSON.parse(wrong.stdout), { error: /^Novu refuses our key; NOVU_SECRET_KEY must be that of the environment/ })
  await novu.close()
  const gone = await cli(t, command, { NOVU_SECRET_KEY: secretKey, NOVU_BASE_URL: novu.url })
  t.equal(gone.code, 1)
  t.match(gone.stderr, /^eleva-jobs: .+/)
})

const choice = (...values: string[]) => ({ type: 'string', enum: values })
const text = { type: 'string' }
const ours = {
  'payout-notice': {
    type: 'object',
    required: ['amount', 'variant'],
    properties: {
      amount: text,
      variant: { enum: ['default', 'urgent'] },
      note: text,
      days: { type: 'number' },
      memory: { type: 'object', required: ['used'], properties: { used: { type: 'number' } } },
    },
    additionalProperties: false,
  },
}

function differencesTo(real: readonly Partial<Workflow>[]): readonly string[] {
  const workflows = real.map(workflow => ({
    id: 'payout-notice',
    active: true,
    payloadSchema: ours['payout-notice'],
    ...workflow,
  }))
  return compareWorkflows(ours, workflows)[0]?.differences ?? []
}

function differencesIn(changes: Record<string, unknown>, rest: Record<string, unknown> = {}): readonly string[] {
  const schema = ours['payout-notice']
  return differencesTo([{ payloadSchema: { ...schema, ...rest, properties: { ...schema.properties, ...changes } } }])
}

t.test('a workflow that was renamed, is off or has no steps is told', async t => {
  t.strictSame(differencesTo([{}]), [])
  t.strictSame(differencesTo([{ steps: 2 }]), [])
  t.strictSame(differencesTo([]), ['missing'])
  t.strictSame(differencesTo([{ id: 'payout-notices' }, { id: 'other' }]), ['missing'])
  t.strictSame(differencesTo([{ id: 'payout-notice-x7Kq2' }, { id: 'other-payout-notice' }]), [
    'missing, but there is payout-notice-x7Kq2: is that it, renamed?',
  ])
  t.strictSame(differencesTo([{ id: 'Payout_Notice' }]), ['missing, but there is Payout_Notice: is that it, renamed?'])
  t.strictSame(differencesTo([{ active: false, steps: 0 }]), [
    'not active',
    'no steps: it accepts everything and tells nobody',
  ])
  t.match(compareWorkflows(ours, [{ id: 'payout-notice', active: true, payloadSchema: undefined }]), [
    { differences: [], notes: ['it has no schema at Novu: its fields could not be compared'] },
  ])
})

t.test('fields and choices that differ are told, and those that take more are not', async t => {
  t.strictSame(differencesIn({ locale: text }), [], 'a field more that nobody has to send')
  t.strictSame(differencesIn({ variant: text, days: { type: 'integer' } }), [], 'any text')
  t.strictSame(differencesIn({ variant: { anyOf: [{ const: 'default' }, { const: 'urgent' }] } }), [])
  t.strictSame(differencesIn({}, { required: ['amount', 'variant', 'note', 'country'] }), [
    'requires note, which is optional here',
    'requires country, which is never sent',
  ])
  const { note: _, ...properties } = ours['payout-notice'].properties
  t.strictSame(differencesTo([{ payloadSchema: { ...ours['payout-notice'], properties } }]), [
    'does not know note, and refuses it',
  ])
  t.strictSame(differencesTo([{ payloadSchema: { type: 'object', properties } }]), ['does not know note'])
  t.strictSame(differencesIn({ days: text, amount: choice('1.00') }), [
    'takes only 1.00 for amount, and gets any text',
    'takes string for days, and gets number',
  ])
  t.strictSame(differencesIn({ variant: choice('default', 'branded') }), ['does not take urgent for variant'])
  const schema = ours['payout-notice']
  const wider = { ...schema, properties: { ...schema.properties, variant: choice('default', 'urgent', 'branded') } }
  t.match(compareWorkflows(ours, [{ id: 'payout-notice', active: true, payloadSchema: wider }]), [
    { differences: [], notes: ['also takes branded for variant'] },
  ])
  t.strictSame(
    differencesIn({ country: { ...text, default: 'PT' } }, { required: ['amount', 'variant', 'country'] }),
    [],
    'Novu fills in a default',
  )
  t.strictSame(differencesIn({ memory: { type: 'object', required: ['used', 'total'], properties: { used: text } } }), [
    'requires memory.total, which is never sent',
    'takes string for memory.used, and gets number',
  ])
})

t.test('what is really sent is judged by Novu’s own schema: limits, formats and alternatives too', async t => {
  const check = (id: string, field?: string, schema?: object, rest: object = {}) => {
    const real = Object.entries(workflows).map(([name, ours]): Workflow => {
      const payloadSchema = { ...(JSON.parse(JSON.stringify(ours)) as Record<string, unknown>) }
      if (name === id) Object.assign(payloadSchema, rest)
      if (name === id && field !== undefined) {
        payloadSchema['properties'] = { ...(payloadSchema['properties'] as object), [field]: schema }
      }
      return { id: name, active: true, steps: 1, payloadSchema }
    })
    const found = checkWorkflows(real)
    t.same(
      found.flatMap(({ differences, id: other }) => (other === id ? [] : differences)),
      [],
    )
    return found.find(one => one.id === id)
  }
  const differencesOf = (...args: Parameters<typeof check>) => check(...args)?.differences
  t.strictSame(check('system-health'), { id: 'system-health', differences: [], notes: [] })
  t.strictSame(differencesOf('multibanco-payment-reminder', 'hostedVoucherUrl', { type: 'string', format: 'uri' }), [
    'refuses payment-reminder-gentle: hostedVoucherUrl must match format "uri"',
    'refuses payment-reminder-urgent: hostedVoucherUrl must match format "uri"',
  ])
  t.strictSame(differencesOf('system-health', 'error', { type: 'string', maxLength: 255 }), [
    'refuses job-failing: error must not have more than 255 characters',
  ])
  t.strictSame(differencesOf('multibanco-payment-reminder', 'duration', { type: 'integer', minimum: 60 }), [
    'refuses payment-reminder-gentle: duration must be >= 60',
    'refuses payment-reminder-urgent: duration must be >= 60',
  ])
  for (const schema of [
    { type: ['number', 'null'] },
    { anyOf: [{ type: 'number' }, { type: 'null' }] },
    { allOf: [{ type: 'string', maxLength: 5 }] },
    { $ref: '#/$defs/nowhere' },
  ]) {
    t.match(
      differencesOf('appointment-universal', 'meetingUrl', schema),
      [/^refuses appointment-reminder-24h: meetingUrl /, /^refuses appointment-reminder-1h: meetingUrl /],
      JSON.stringify(schema),
    )
  }
  t.strictSame(
    differencesOf('system-health', 'status', { type: 'number' }),
    ['takes number for status, and gets string'],
    'once',
  )
  t.strictSame(check('system-health', 'error', { type: 'string', maxLength: 100_000 }), {
    id: 'system-health',
    differences: [],
    notes: ['maxLength of error: compared with samples only'],
  })
  t.match(check('system-health', undefined, undefined, { if: {}, minProperties: 1 }), {
    notes: ['if of it: compared with samples only', 'minProperties of it: compared with samples only'],
  })
  t.match(check('system-health', 'error', { type: 'string', pattern: '(' }), {
    notes: [/^pattern of error/, 'no sample could be compared: its schema is none that we can read'],
  })
})
