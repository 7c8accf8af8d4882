import t, { type Test } from 'tap'
import type { NoticeKind } from '../../src/notices/notice.ts'
import { createRenderer } from '../../src/notices/render.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createNovu } from '../../src/providers/novu.ts'
import { type NovuFaultOrder, type NovuStandIn, startNovu } from '../../src/sandbox/novu.ts'
import { siteWorkflows } from '../../src/sandbox/novu/workflows.ts'
import { listFindings, nothing, testSender } from '../support/notices.ts'

type Facts = Readonly<Record<string, unknown>>

/** A sender whose vendor is the stand-in, by the official SDK, with real words and without the vendor's memory of ids. */
async function vendorSender(t: Test, spoil: (facts: Facts) => Facts | undefined = () => undefined) {
  const time = { now: () => new Date() }
  const novu = await startNovu({ clock: () => time.now() })
  t.teardown(async () => await novu.close())
  novu.setDedupe({ transactionId: false })
  const http = createHttp()
  t.teardown(async () => await http.close())
  const notifications = createNovu({ url: novu.url, secretKey: novu.secretKey, fetch: http.fetch, timeoutMs: 500 })
  const words = createRenderer({ appUrl: 'https://site.test', environment: 'test' })
  const render: typeof words = (kind, facts, reader, now) => {
    const { payload, workflow } = words(kind, facts, reader, now)
    return { workflow, payload: { ...payload, ...spoil(facts) } }
  }
  const world = await testSender(t, { notifications, render })
  time.now = () => world.time.now
  /** A notice about a job: its words need nothing from the marketplace. */
  const oweJob = async (name: string): Promise<string> => {
    const kind: NoticeKind = 'job-failing'
    return await world.owe(name, { kind, usefulUntil: null, facts: factsOf(name) })
  }
  /** Minutes pass, with a pass in each, until nothing is on its way. Gives how many. */
  const letMinutesPass = async (): Promise<number> => {
    for (let minute = 0; minute < 20; minute += 1) {
      await world.sender.sendDue()
      const rows = await world.db.selectFrom('jobs.outbox').select('state').execute()
      if (rows.every(({ state }) => ['sent', 'dropped', 'poison'].includes(state))) return minute
      world.wait(60_000)
    }
    throw new Error('it never came to an end')
  }
  const inbox = (): string[] => novu.inbox().map(({ transactionId }) => transactionId)
  return { ...world, novu, oweJob, letMinutesPass, inbox }
}

function factsOf(job: string) {
  return { job, runs: 3, runId: '0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b', message: 'it broke', diagnostics: 'all well' }
}

const faults: readonly NovuFaultOrder[] = [
  { kind: 'hang', taken: true },
  { kind: 'hang', taken: false },
  { kind: 'reset', taken: true },
  { kind: 'reset', taken: false },
  { kind: 'error', taken: true },
  { kind: 'error', taken: false },
  { kind: 'error', taken: true, status: 504 },
  { kind: 'garbage', taken: true },
  { kind: 'garbage', taken: false },
  { kind: 'truncate' },
  { kind: 'limit', retryAfter: '90' },
]

for (const fault of faults) {
  const taken = 'taken' in fault ? (fault.taken ? ', taken' : ', not taken') : ''
  for (const count of [1, 3]) {
    t.test(`${count} notice(s) whose call meets ${fault.kind}${taken}: each person is told once`, async t => {
      const { db, inbox, letMinutesPass, novu, oweJob } = await vendorSender(t)
      for (let name = 0; name < count; name += 1) await oweJob(`job-${name}`)
      novu.inject({ ...fault, call: 'send' })
      await letMinutesPass()
      t.equal(inbox().length, count, 'as many messages as notices')
      t.equal(new Set(inbox()).size, count)
      const rows = await db.selectFrom('jobs.outbox').select(['state', 'attempts', 'claimed_by']).execute()
      t.ok(
        rows.every(({ claimed_by: by, state }) => state === 'sent' && by === null),
        JSON.stringify(rows),
      )
    })
  }
}

t.test('look-ups that meet every trouble settle nothing by themselves', async t => {
  const { inbox, letMinutesPass, novu, oweJob } = await vendorSender(t)
  await oweJob('job-1')
  novu.inject({ kind: 'reset', taken: true, call: 'send' })
  novu.inject({ kind: 'hang', taken: false, call: 'lookUp' })
  novu.inject({ kind: 'error', taken: false, call: 'lookUp' })
  novu.inject({ kind: 'garbage', taken: true, call: 'lookUp' })
  novu.inject({ kind: 'limit', call: 'lookUp' })
  await letMinutesPass()
  t.equal(inbox().length, 1)
})

t.test('one message that the vendor will not have does not keep the others of its call from going', async t => {
  const { db, inbox, novu, oweJob, sender } = await vendorSender(t, facts =>
    facts['job'] === '2' ? { status: 'so-so' } : undefined,
  )
  novu.setWorkflow('system-health', { validatePayload: true })
  for (const name of ['1', '2', '3']) await oweJob(name)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 2, poison: 1 })
  t.equal(inbox().length, 2)
  t.match(await listFindings(db), [
    { kind: 'notice-poison', subject: 'system-health: payload_validation_error', state: 'open' },
  ])
})

t.test('one event that a call leaves out is settled on its own', async t => {
  const { inbox, letMinutesPass, novu, oweJob } = await vendorSender(t)
  for (const name of ['1', '2', '3']) await oweJob(name)
  novu.inject({ kind: 'failOne', index: 1, call: 'send' })
  await letMinutesPass()
  t.equal(new Set(inbox()).size, 3)
  t.equal(inbox().length, 3)
})

const unready = {
  missing: novu => novu.removeWorkflow('system-health'),
  inactive: novu => novu.setWorkflow('system-health', { active: false }),
  'without steps': novu => novu.setWorkflow('system-health', { steps: 0 }),
} satisfies Record<string, (novu: NovuStandIn) => void>

for (const [what, breakIt] of Object.entries(unready)) {
  t.test(`a workflow that is ${what} is a finding, and its notices wait`, async t => {
    const { db, inbox, novu, oweJob, read, sender } = await vendorSender(t)
    const ids = [await oweJob('1'), await oweJob('2')]
    breakIt(novu)
    t.strictSame(await sender.sendDue(), { ...nothing, later: 2 })
    for (const id of ids) t.match(await read(id), { state: 'pending', attempts: 1 })
    t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', subject: 'system-health', state: 'open' }])
    t.equal(inbox().length, 0)
  })
}

t.test('a key that is refused is a finding, until it works', async t => {
  const { db, inbox, letMinutesPass, novu, oweJob, sender } = await vendorSender(t)
  await oweJob('1')
  novu.inject({ kind: 'unauthorized' })
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1 })
  t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'open' }])
  await letMinutesPass()
  t.equal(inbox().length, 1)
  t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'resolved' }])
})

t.test('a vendor that is not there is no trouble for what is not sent', async t => {
  const { inbox, letMinutesPass, novu, oweJob, read, sender } = await vendorSender(t)
  const id = await oweJob('1')
  const { port } = new URL(novu.url)
  await novu.close()
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1 })
  t.match(await read(id), { state: 'pending' })
  const again = await startNovu({ port: Number(port), secretKey: novu.secretKey })
  t.teardown(async () => await again.close())
  await letMinutesPass()
  t.equal(inbox().length, 0)
  t.equal(again.inbox().length, 1)
})

// Where a look-up cannot tell: what the vendor took shows in its list too late (longer than two look-ups), or no more.
for (const dedupe of [true, false]) {
  const told = dedupe ? 'once, by its memory of ids' : 'twice'
  t.test(`a vendor that shows what it took only after our look-ups tells the person ${told}`, async t => {
    const { inbox, letMinutesPass, novu, oweJob, wait } = await vendorSender(t)
    novu.setDedupe({ transactionId: dedupe })
    await oweJob('1')
    novu.setDelay(10 * 60_000)
    novu.inject({ kind: 'reset', taken: true, call: 'send' })
    await letMinutesPass()
    wait(3_600_000)
    t.equal(inbox().length, dedupe ? 1 : 2)
  })
}

const inHours = 60 * 60_000
const inMinutes = 60_000

/** Novu as it is after somebody has made a field mandatory that the jobs do not send. */
function drift(novu: NovuStandIn, field = 'team') {
  const { payloadSchema = {} } = siteWorkflows.find(({ id }) => id === 'system-health') ?? {}
  const [properties, required] = [payloadSchema['properties'], payloadSchema['required']] as [object, string[]]
  const changed = { properties: { ...properties, [field]: { type: 'string' } }, required: [...required, field] }
  novu.setWorkflow('system-health', { payloadSchema: { ...payloadSchema, ...changed } })
  return () => novu.setWorkflow('system-health', { payloadSchema })
}

t.test('what Novu would accept and never send waits, is a finding, and goes out when it is mended', async t => {
  const { create, db, inbox, log, novu, oweJob, read, sender, wait } = await vendorSender(t)
  await sender.compareWorkflows()
  t.strictSame(await listFindings(db), [])
  const mend = drift(novu)
  await oweJob('swallowed')
  t.match(await sender.sendDue(), { sent: 1 }, 'nobody knows yet')
  t.match(novu.events(), [{ outcome: 'failed' }])

  wait(59 * inMinutes)
  const asked = novu.asked().length
  await sender.compareWorkflows()
  t.equal(novu.asked().length, asked, 'hourly')
  wait(inMinutes)
  await sender.compareWorkflows()
  const unready = { kind: 'novu-workflow-unready', subject: 'system-health' }
  const message = /requires team, which is never sent.*has gone out since 2.*Z may not have arrived/
  t.match(await listFindings(db), [{ ...unready, state: 'open', message }])
  const id = await oweJob('held')
  const other = await db.selectFrom('jobs.outbox').select('id').where('id', '<>', id).executeTakeFirstOrThrow()
  t.match(await sender.sendDue(), { sent: 0, later: 1 })
  t.match(await read(id), { state: 'pending', note: 'workflow_differs', attempts: 0 })

  // A process that has just booted knows it from the finding, before it has compared.
  const next = create({ owner: 'two', log })
  wait(5 * inMinutes)
  t.match(await next.sendDue(), { sent: 0, later: 1 })
  mend()
  t.match(await next.sendDue(), { sent: 0 })
  await next.compareWorkflows()
  t.match(await listFindings(db), [{ ...unready, state: 'resolved' }])
  t.match(await next.sendDue(), { sent: 1 }, 'at once')
  t.equal(inbox().length, 1)
  t.match(await read(other.id), { state: 'sent' })
  await next.close(0)
})

t.test('of a workflow that differs, what it takes goes out, and closes no finding', async t => {
  const { db, inbox, novu, oweJob, sender } = await vendorSender(t, facts =>
    facts['job'] === '1' ? {} : { locale: 'pt' },
  )
  drift(novu, 'locale')
  await sender.compareWorkflows()
  await oweJob('2')
  t.match(await sender.sendDue(), { sent: 1 })
  t.equal(inbox().length, 1)
  t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', state: 'open' }])
})

t.test('a limit that only some messages break is found before they are sent, and holds those back alone', async t => {
  const { db, inbox, novu, oweJob, sender } = await vendorSender(t, facts =>
    facts['job'] === '1' ? { error: 'x'.repeat(300) } : undefined,
  )
  const { payloadSchema = {} } = siteWorkflows.find(({ id }) => id === 'system-health') ?? {}
  const properties = { ...(payloadSchema['properties'] as object), error: { type: 'string', maxLength: 255 } }
  novu.setWorkflow('system-health', { payloadSchema: { ...payloadSchema, properties } })
  await sender.compareWorkflows()
  t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', message: /refuses job-failing: error/ }])
  await oweJob('1')
  await oweJob('2')
  t.match(await sender.sendDue(), { sent: 1, later: 1 })
  t.equal(inbox().length, 1)
})

t.test('a field that Novu does not know any more is a finding, and holds nothing back', async t => {
  const { db, inbox, novu, oweJob, sender } = await vendorSender(t)
  const { payloadSchema = {} } = siteWorkflows.find(({ id }) => id === 'system-health') ?? {}
  const { error: _, ...properties } = payloadSchema['properties'] as Record<string, object>
  novu.setWorkflow('system-health', { payloadSchema: { ...payloadSchema, properties } })
  await sender.compareWorkflows()
  t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', message: /does not know error/ }])
  await oweJob('1')
  t.match(await sender.sendDue(), { sent: 1 })
  t.equal(inbox().length, 1)
})

t.test(
  'a workflow that was renamed is a finding before anything is sent, and its notices go when it is back',
  async t => {
    const { db, inbox, novu, oweJob, sender, wait } = await vendorSender(t)
    novu.removeWorkflow('system-health')
    await sender.compareWorkflows()
    t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', subject: 'system-health', message: /missing/ }])
    await oweJob('1')
    for (let tries = 0; tries < 6; tries += 1) {
      t.match(await sender.sendDue(), { later: 1 })
      wait(inHours)
    }
    novu.restoreWorkflow('system-health')
    await sender.sendDue()
    await sender.compareWorkflows()
    await sender.sendDue()
    t.equal(inbox().length, 1)
    t.match(await listFindings(db), [{ state: 'resolved' }])
  },
)

t.test(
  'a comparison that meets a trouble is made again soon, ends with the process, and a preview makes none',
  async t => {
    const { create, db, messages, novu, sender, wait } = await vendorSender(t)
    novu.inject({ kind: 'unauthorized', call: 'workflows' })
    await sender.compareWorkflows()
    t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'open' }])
    wait(5 * inMinutes)
    await sender.compareWorkflows()
    t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'resolved' }])
    novu.inject({ kind: 'hang', taken: false, call: 'workflows', times: 99 })
    wait(inHours)
    const comparing = sender.compareWorkflows()
    while (novu.asked().length < 9) await new Promise(resolve => setImmediate(resolve))
    await sender.close(0)
    await comparing
    t.equal(messages().filter(message => message === 'workflows at novu could not be compared').length, 1)
    const before = novu.asked().length
    await create({ isSilent: true }).compareWorkflows()
    t.equal(novu.asked().length, before)
  },
)
