import { Novu } from '@novu/api'
import t, { type Test } from 'tap'
import { type NovuOptions, startNovu } from '../../src/sandbox/novu.ts'

const startedAt = Date.parse('2026-11-21T10:00:00Z')

/** The stand-in with a clock of its own, and the official SDK as it comes, without its retries. */
async function start(t: Test, options: NovuOptions = {}) {
  const time = { ms: startedAt }
  const standIn = await startNovu({ clock: () => new Date(time.ms), ...options })
  t.teardown(async () => await standIn.close())
  const novu = new Novu({
    secretKey: standIn.secretKey,
    serverURL: standIn.url,
    retryConfig: { strategy: 'none' },
  })
  return { standIn, novu, time }
}

const reminder = (transactionId: string, payload: Record<string, unknown> = {}, to: object = {}) => ({
  workflowId: 'appointment-universal',
  transactionId,
  to: { subscriberId: 'guest_ana@example.com', ...to },
  payload: {
    eventType: 'reminder',
    customerName: 'Ana',
    expertName: 'Inês',
    appointmentDate: '22/11/2026',
    appointmentTime: '10:00',
    ...payload,
  },
})

async function call(url: string, body?: unknown): Promise<{ status: number; text: string; type: string | null }> {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') }
}

const statusOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => 'it did not fail',
    (thrown: { statusCode?: number; name: string }) => thrown.statusCode ?? thrown.name,
  )

t.test('the official SDK sends one or many, and reads what became of them', async t => {
  const { novu, standIn } = await start(t)
  t.match(await novu.trigger(reminder('one')), {
    result: { acknowledged: true, status: 'processed', transactionId: 'one' },
  })
  const bulk = await novu.triggerBulk({ events: [reminder('two'), { ...reminder('three'), workflowId: 'nowhere' }] })
  t.match(bulk.result, [
    { status: 'processed', transactionId: 'two' },
    { status: 'error', error: ['workflow_not_found'] },
  ])
  const all = await novu.notifications.list({ limit: 1 })
  t.match(all.result, { hasMore: true, page: 0, pageSize: 1, data: [{ transactionId: 'two' }] })
  const found = await novu.notifications.list({ transactionId: 'one' })
  t.match(found.result, {
    hasMore: false,
    data: [{ transactionId: 'one', subscriber: { subscriberId: 'guest_ana@example.com' } }],
  })
  const workflows = await novu.workflows.list({ limit: 2, offset: 4 })
  t.match(workflows.result, {
    totalCount: 6,
    workflows: [{ workflowId: 'reservation-expired' }, { workflowId: 'system-health' }],
  })
  t.match((await novu.workflows.get('expert-payout-notification')).result, {
    active: true,
    payloadSchema: { required: ['payoutAmount', 'currency'] },
  })
  t.equal(standIn.inbox().length, 2)
  t.equal(await statusOf(novu.workflows.get('nowhere')), 404)
  t.equal(await statusOf(novu.trigger({ ...reminder('x'), workflowId: 'nowhere' })), 422)
  t.equal(await statusOf(novu.triggerBulk({ events: [] })), 422)
  t.equal(await statusOf(novu.subscribers.retrieve('x')), 501, 'loud about what it does not model')
  const stranger = new Novu({ secretKey: 'another', serverURL: standIn.url, retryConfig: { strategy: 'none' } })
  t.equal(await statusOf(stranger.trigger(reminder('y'))), 401)
  t.equal(standIn.inbox().length, 2)
})

t.test(
  'a payload that the workflow does not take is accepted and never sent, or refused where the API looks',
  async t => {
    const { novu, standIn } = await start(t)
    const wrong = { eventType: 'nudge', surprise: true }
    t.match(await novu.trigger(reminder('late', wrong)), { result: { status: 'processed' } })
    t.same(standIn.inbox(), [])
    t.match(standIn.events(), [{ transactionId: 'late', outcome: 'failed' }], 'and it shows as an event all the same')
    await novu.trigger(reminder('more', { surprise: true }))
    t.match(standIn.inbox(), [{ transactionId: 'more' }], 'a field that nobody knows is left out')
    standIn.setWorkflow('appointment-universal', { validatePayload: true })
    const thrown = await novu.trigger(reminder('early', wrong)).catch((error: unknown) => error)
    t.match(thrown, { statusCode: 400, type: 'PAYLOAD_VALIDATION_ERROR' })
    t.match(JSON.stringify((thrown as { errors: unknown }).errors), /eventType.*/)
    t.match((await novu.triggerBulk({ events: [reminder('a', wrong), reminder('b')] })).result, [
      { status: 'error', error: [/^Payload validation failed/] },
      { status: 'processed' },
    ])
    t.equal(standIn.inbox().length, 2)
    standIn.setWorkflow('appointment-universal', { active: false })
    t.match(await novu.trigger(reminder('c')), { result: { status: 'trigger_not_active' } })
    standIn.setWorkflow('appointment-universal', { active: true, steps: 0 })
    t.match(await novu.trigger(reminder('d')), { result: { status: 'no_workflow_steps_defined' } })
    standIn.removeWorkflow('appointment-universal')
    t.equal(await statusOf(novu.trigger(reminder('e'))), 422)
    t.throws(() => standIn.setWorkflow('appointment-universal', {}), { message: /has no workflow/ })
    t.equal(standIn.inbox().length, 2)
  },
)

t.test('duplicates are told in the worker by transaction id, and in the API by key, each where it is on', async t => {
  const { novu, standIn, time } = await start(t)
  standIn.setDelay(10_000)
  await novu.trigger(reminder('same'))
  t.match(await novu.trigger(reminder('same')), { result: { status: 'processed' } }, 'the API says nothing of it')
  t.same([standIn.inbox().length, standIn.events().length], [0, 0], 'nothing before the worker has come to it')
  time.ms += 9_999
  t.equal(standIn.inbox().length, 0)
  time.ms += 1
  t.equal(standIn.inbox().length, 1)
  const health = { status: 'healthy', timestamp: '2026-11-21', environment: 'test' }
  await novu.trigger({ ...reminder('same'), workflowId: 'system-health', payload: health })
  time.ms += 10_000
  t.equal(standIn.inbox().length, 2, 'an id is one of its workflow')
  standIn.setDedupe({ transactionId: false })
  standIn.setDelay(0)
  await novu.trigger(reminder('same'))
  t.equal(standIn.inbox().length, 3)

  await novu.trigger(reminder('keyed'), 'key')
  await novu.trigger(reminder('keyed'), 'key')
  t.equal(standIn.inbox().length, 5, 'off unless the organization has it')
  standIn.setDedupe({ idempotencyKey: true })
  const first = await novu.trigger(reminder('again'), 'other')
  const second = await novu.trigger(reminder('again'), 'other')
  t.match(second.headers, { 'idempotency-replay': ['true'] })
  t.same(second.result, first.result)
  t.equal(await statusOf(novu.trigger(reminder('more'), 'other')), 422, 'another body')
  standIn.inject({ kind: 'error', taken: false })
  t.equal(await statusOf(novu.trigger(reminder('failed'), 'third')), 500)
  t.equal(await statusOf(novu.trigger(reminder('failed'), 'third')), 500, 'failures are kept too')
  time.ms += 24 * 60 * 60_000
  t.match(await novu.trigger(reminder('failed'), 'third'), { result: { status: 'processed' } }, 'for a day')
  standIn.inject({ kind: 'slow', delayMs: 200 })
  const slow = novu.trigger(reminder('slow'), 'fourth')
  while (standIn.asked().at(-1)?.idempotencyKey !== 'fourth') await new Promise(resolve => setImmediate(resolve))
  t.equal(await statusOf(novu.trigger(reminder('slow'), 'fourth')), 409, 'while it is under way')
  await slow
})

t.test('every fault does what it says to the request and to the answer', async t => {
  const { novu, standIn } = await start(t)
  for (const [index, taken] of [true, false].entries()) {
    for (const kind of ['hang', 'reset', 'error', 'garbage'] as const) {
      const id = `${kind}-${index}`
      standIn.inject({ kind, taken })
      await t.rejects(novu.trigger(reminder(id), undefined, { timeoutMs: kind === 'hang' ? 300 : 20_000 }), id)
      t.equal(
        standIn.inbox().some(({ transactionId }) => transactionId === id),
        taken,
        `${id} ${taken ? '' : 'not '}taken`,
      )
    }
  }
  standIn.inject({ kind: 'truncate' })
  await t.rejects(novu.trigger(reminder('truncated')))
  t.equal(standIn.inbox().at(-1)?.transactionId, 'truncated')
  standIn.inject({ kind: 'limit', retryAfter: '3', times: 2, after: 1, call: 'send' })
  await novu.trigger(reminder('before'))
  await novu.notifications.list({})
  t.equal(await statusOf(novu.trigger(reminder('limited'))), 429)
  t.equal(await statusOf(novu.trigger(reminder('limited'))), 429)
  standIn.inject({ kind: 'unauthorized', status: 403 })
  t.equal(await statusOf(novu.workflows.list({})), 403)
  standIn.inject({ kind: 'failOne', index: 1 })
  t.match((await novu.triggerBulk({ events: [reminder('f0'), reminder('f1')] })).result, [
    { status: 'processed' },
    { status: 'error' },
  ])
  t.notOk(standIn.inbox().some(({ transactionId }) => transactionId === 'f1' || transactionId === 'limited'))
  standIn.inject({ kind: 'error', taken: true, times: 5 })
  standIn.clearFaults()
  await novu.trigger(reminder('well'))
})

t.test('people are kept as events name them, and read their messages in their language', async t => {
  const { novu, standIn } = await start(t)
  await novu.trigger(
    reminder('1', { locale: 'pt-BR' }, { email: 'ana@example.com', firstName: 'Ana', locale: 'pt-BR' }),
  )
  await novu.trigger(reminder('2', { locale: 'es' }, { lastName: 'Silva', timezone: 'Europe/Lisbon' }))
  await novu.trigger(reminder('3', { locale: 'de', userSegment: 'expert' }))
  t.same(standIn.subscribers(), [
    {
      subscriberId: 'guest_ana@example.com',
      email: 'ana@example.com',
      firstName: 'Ana',
      locale: 'pt-BR',
      lastName: 'Silva',
      timezone: 'Europe/Lisbon',
    },
  ])
  t.match(standIn.inbox(), [
    { language: 'pt', subject: 'Lembrete: consulta com Inês, 22/11/2026, 10:00', text: /^Olá Ana,/ },
    { language: 'es', subject: 'Recordatorio: cita con Inês, 22/11/2026, 10:00', text: /^Hola, Ana:/ },
    { language: 'en', subject: 'Reminder: appointment with Ana, 22/11/2026, 10:00', text: /^Hello Inês,/ },
  ])
})

t.test('each workflow is worded in three languages, with everything that its payload says', async t => {
  const { novu, standIn } = await start(t)
  const fields: Record<string, unknown>[] = []
  for (const { result } of await Promise.all(
    (await novu.workflows.list({ limit: 50 })).result.workflows.map(
      async ({ workflowId }) => await novu.workflows.get(workflowId),
    ),
  )) {
    const properties = (result.payloadSchema as { properties: Record<string, { enum?: string[]; type: string }> })
      .properties
    const payload = Object.fromEntries(
      Object.entries(properties).map(([name, { enum: values, type }]) => {
        if (values !== undefined) return [name, values[0]]
        if (type === 'object') return [name, { used: 1, total: 2, percentage: 50 }]
        return [name, type === 'number' ? 4711 : /[aA]mount$/.test(name) ? '51.00' : `<${name}>`]
      }),
    )
    for (const locale of ['pt', 'es', 'en']) {
      await novu.trigger({
        workflowId: result.workflowId,
        to: 'user_1',
        payload: { ...payload, locale },
        transactionId: `${result.workflowId}-${locale}`,
      })
      fields.push(payload)
    }
  }
  // What only chooses the wording, or is for other channels.
  const silent =
    /^(timeUntilAppointment|locale|country|userSegment|templateVariant|appointmentId|memory|recipientType|.*[tT]ype)$/
  for (const [index, { subject, text, workflow }] of standIn.inbox().entries()) {
    const shown = `${subject}\n${text}`.toLowerCase()
    const names = Object.keys(fields[index] ?? {}).filter(name => !silent.test(name))
    const missing = names.filter(name => !shown.includes(String(fields[index]?.[name]).toLowerCase()))
    t.same(missing, [], workflow)
    t.notMatch(shown, /undefined|null|\[object/, workflow)
  }
  t.equal(standIn.inbox().length, 18)
})

t.test(
  'the inbox is a page for people, newest first and by person or workflow, and never runs what a payload says',
  async t => {
    const { novu, standIn, time } = await start(t)
    t.match((await call(standIn.url)).text, 'Nobody was told anything yet')
    const nasty = `<script>alert("x")</script>'&`
    await novu.trigger(reminder('1', { customerName: nasty, message: nasty }, { firstName: nasty }))
    time.ms += 1_000
    const payout = { payoutAmount: '51.00', currency: 'EUR', expertName: 'Inês' }
    await novu.trigger({
      workflowId: 'expert-payout-notification',
      to: 'user_ines',
      payload: payout,
      transactionId: '2',
    })
    const page = await call(standIn.url)
    t.match(page, { status: 200, type: 'text/html; charset=utf-8' })
    t.notMatch(page.text, '<script')
    t.match(page.text, '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;')
    t.ok(page.text.indexOf('Payout of 51.00 EUR') < page.text.indexOf('Reminder: appointment'))
    const ofInes = await call(`${standIn.url}/?person=user_ines`)
    t.match(ofInes.text, '1 of 2')
    t.notMatch(ofInes.text, 'Reminder: appointment')
    const ofNobody = await call(`${standIn.url}/?person=user_nobody`)
    t.match(ofNobody.text, '<p class="none">No message is of this person and workflow.</p>')
    t.match(ofNobody.text, '<option value="user_nobody" selected>')
    const json = await call(`${standIn.url}/_inbox?workflow=appointment-universal`)
    t.match(JSON.parse(json.text), { messages: [{ transactionId: '1', language: 'en' }] })
    t.equal((JSON.parse(json.text) as { messages: unknown[] }).messages.length, 1)
  },
)

t.test('another process can set faults and look into the inbox', async t => {
  const { novu, standIn } = await start(t)
  t.equal((await call(`${standIn.url}/_control/inject`, { kind: 'error', taken: true })).status, 200)
  t.equal(await statusOf(novu.trigger(reminder('1'))), 500)
  t.match(JSON.parse((await call(`${standIn.url}/_control/inbox`, [])).text), { result: [{ transactionId: '1' }] })
  t.equal((await call(`${standIn.url}/_control/setWorkflow`, ['nowhere', {}])).status, 400)
  for (const [control, given] of [
    ['inject', { kind: 'eror', taken: true }],
    ['inject', { kind: 'error' }],
    ['inject', { kind: 'error', taken: true, time: 3 }],
    ['inject', { kind: 'limit', call: 'sends' }],
    ['inject', { kind: 'slow', delayMs: '200' }],
    ['inject', []],
    ['setWorkflow', ['system-health', { activ: false }]],
    ['removeWorkflow', 'nowhere'],
    ['restoreWorkflow', 'nowhere'],
    ['setDedupe', { transactionID: false }],
    ['setDelay', -1],
    ['clearFaults', ['all']],
  ] as const) {
    const answer = await call(`${standIn.url}/_control/${control}`, given)
    t.equal(answer.status, 400, `${control} ${JSON.stringify(given)}`)
    t.match(JSON.parse(answer.text), { error: new RegExp(given === 'nowhere' ? given : control) })
  }
  await call(`${standIn.url}/_control/setWorkflow`, ['system-health', { active: false, steps: 0 }])
  await call(`${standIn.url}/_control/removeWorkflow`, 'system-health')
  t.equal((await call(`${standIn.url}/_control/restoreWorkflow`, 'system-health')).status, 200)
  t.match((await novu.workflows.get('system-health')).result, { active: true })
  t.equal((await call(`${standIn.url}/_control/nothing`, [])).status, 501)
})
