import t from 'tap'
import { operationStates } from '../../src/database/tables.ts'
import { cronSecret, type Reply, testApp } from '../support/app.ts'
import { addAuditEntry, addFinding, addRun, readAll } from '../support/builders.ts'
import { addOperation, addSettledRow } from '../support/operations.ts'

const nobody = '00000000-0000-7000-8000-000000000000'
const routes = [
  ['GET', '/findings'],
  ['POST', '/findings/1/acknowledge'],
  ['POST', '/findings/1/resolve'],
  ['GET', '/operations'],
  ['GET', `/operations/${nobody}`],
  ['POST', `/operations/${nobody}/approve`],
] as const
const houseShape = ['statusCode', 'error', 'message', 'requestId']

t.test('findings and operations are for operators alone, and say 503 before the first boot', async t => {
  const [{ call, operate }, asleep] = await Promise.all([testApp(t), testApp(t, { boot: false })])
  for (const [method, path] of routes) {
    const headers = { authorization: `Bearer ${cronSecret}` }
    for (const reply of [await call(method, path), await call(method, path, { headers })]) {
      t.match(reply, { statusCode: 401, headers: { 'www-authenticate': 'Bearer' } }, `${method} ${path}`)
      t.same(Object.keys(reply.json), houseShape)
    }
    const wrong = method === 'GET' ? 'DELETE' : 'GET'
    t.match(await operate(wrong, path), { statusCode: 405, headers: { allow: method } }, `${wrong} ${path}`)
    const early = await asleep.operate(method, path, method === 'GET' ? undefined : { note: 'x' })
    t.match(early, { statusCode: 503, headers: { 'retry-after': /^\d+$/ } }, `${method} ${path} before the first boot`)
  }
})

t.test('one caller gets so many answers a minute and no more', async t => {
  const { operate } = await testApp(t, { requestsPerMinute: routes.length - 1 })
  const replies: Reply[] = []
  for (const [method, path] of routes)
    replies.push(await operate(method, path, method === 'GET' ? undefined : { note: 'x' }))
  t.equal(replies.at(-1)?.statusCode, 429)
  t.same(replies.filter(({ statusCode }) => statusCode === 429).length, 1)
})

t.test('findings are paged from new to old; open ones unless asked otherwise', async t => {
  const { db, operate } = await testApp(t)
  const open = await addFinding(db, { kind: 'payout-unexplained', job: 'process-pending-payouts' })
  const seen = await addFinding(db, { state: 'acknowledged' })
  const done = await addFinding(db, { state: 'resolved', closed_at: new Date(0), closed_by: 'ana' })
  const newest = await addFinding(db, { kind: 'process-expert-transfers/row_odd' })
  const ids = async (query: string): Promise<unknown> => {
    const { json, statusCode } = await operate('GET', `/findings${query}`)
    t.equal(statusCode, 200, query)
    return (json['findings'] as { id: string }[]).map(({ id }) => id)
  }
  t.same(await ids(''), [newest, seen, open])
  t.same(await ids('?state=open'), [newest, seen, open], 'an acknowledged one still is')
  t.same(await ids('?state=acknowledged'), [seen])
  t.same(await ids('?state=resolved'), [done])
  t.same(await ids('?state=all'), [newest, done, seen, open])
  t.same(await ids('?kind=process-expert-transfers/row_odd'), [newest])
  t.same(await ids('?job=process-pending-payouts'), [open])
  const first = await operate('GET', '/findings?state=all&limit=3')
  t.equal(first.json['next'], seen)
  t.same(await ids(`?state=all&before=${String(first.json['next'])}`), [open])
  t.equal((await operate('GET', '/findings?state=all&limit=4')).json['next'], null, 'a full page may be the last')
})

t.test('a finding shows no secret and nobody, whatever a job wrote into it', async t => {
  const { db, operate } = await testApp(t)
  const details = {
    account: 'acct_1032D82eZvKYlo2C',
    amountCents: 6000,
    rows: [{ paymentTransferId: 12, paidAt: '2026-03-01T10:00:00.000Z', expert_name: 'Planted Expert' }],
    guest_email: 'planted@guest.example',
    phone: 912345678,
    said: 'planted@guest.example called from +351 912 345 678 with sk_live_planted',
    password: 'planted-password',
  }
  await addFinding(db, {
    message: 'ask planted@guest.example',
    note: 'planted@guest.example',
    details: JSON.stringify(details),
  })
  const { json, text } = await operate('GET', '/findings')
  t.notMatch(text, /planted|Planted|912/)
  t.match(json['findings'], [
    {
      message: 'ask [email]',
      details: {
        account: 'acct_1032D82eZvKYlo2C',
        amountCents: 6000,
        rows: [{ paymentTransferId: 12, paidAt: '2026-03-01T10:00:00.000Z', expert_name: '[removed]' }],
      },
    },
  ])
})

t.test('the finding of a held operation stays open as long as that is held', async t => {
  const { db, operate } = await testApp(t)
  const held = await addOperation(db, { state: 'held' })
  const gone = await addOperation(db, { state: 'canceled' })
  const [open, over] = [
    await addFinding(db, { kind: 'operation-held', subject: held }),
    await addFinding(db, { kind: 'operation-held', subject: gone }),
  ]
  const resolve = async (id: string) => await operate('POST', `/findings/${id}/resolve`, { note: 'seen' })
  t.match(await resolve(open), {
    statusCode: 409,
    json: { message: /is still held: approve it, decline it, or correct its rows/ },
  })
  t.match(await readAll(db, 'jobs.findings'), [{ id: open, state: 'open' }, {}])
  t.same(await readAll(db, 'jobs.audit_entries'), [])
  t.match(await operate('POST', `/findings/${open}/acknowledge`, { note: 'asking' }), { statusCode: 200 })
  t.match(await resolve(open), { statusCode: 409 })
  t.match(await resolve(over), { statusCode: 200, json: { state: 'resolved' } })
})

t.test('of two who resolve a finding at once one wins, and the audit has one name', async t => {
  const { db, operate } = await testApp(t, { env: { OPERATOR_TOKEN: 'ana:operator-token-of-the-tests-0123456789' } })
  const id = await addFinding(db, { kind: 'odd', subject: 'row 1' })
  const race = async (verb: string): Promise<Reply[]> => {
    const notes = ['one', 'two', 'three', 'four']
    const replies = await Promise.all(
      notes.map(async note => await operate('POST', `/findings/${id}/${verb}`, { note })),
    )
    return replies.toSorted((a, b) => a.statusCode - b.statusCode)
  }
  const seen = await race('acknowledge')
  t.same(
    seen.map(({ statusCode }) => statusCode),
    [200, 409, 409, 409],
  )
  t.match(seen[0]?.json, {
    id,
    state: 'acknowledged',
    acknowledged_by: 'ana',
    acknowledged_at: '2026-03-10T12:00:30.000Z',
  })
  t.match(seen[1]?.json, { message: new RegExp(`^finding ${id} is acknowledged already, by ana: `) })

  const done = await race('resolve')
  t.same(
    done.map(({ statusCode }) => statusCode),
    [200, 409, 409, 409],
  )
  const note = String(done[0]?.json['note'])
  t.match(done[0]?.json, { id, state: 'resolved', closed_by: 'ana', closed_at: '2026-03-10T12:00:30.000Z' })
  t.match(done[1]?.json, { message: `finding ${id} is resolved already, by ana at 2026-03-10T12:00:30.000Z: ${note}` })
  t.same(Object.keys(done[1]?.json ?? {}), houseShape)
  t.equal((await operate('POST', `/findings/${id}/acknowledge`, { note: 'x' })).statusCode, 409, 'closed is closed')

  const subject = `findings ${id}`
  const seenNote = seen[0]?.json['note']
  t.match(await readAll(db, 'jobs.audit_entries'), [
    {
      actor: 'ana',
      action: 'finding.acknowledge',
      subject,
      details: { kind: 'odd', subject: 'row 1', note: seenNote },
    },
    { actor: 'ana', action: 'finding.resolve', subject, details: { kind: 'odd', subject: 'row 1', note } },
  ])
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 2)
})

t.test('operations are paged from new to old, and show their rows and who did what', async t => {
  const { db, operate } = await testApp(t)
  const runId = await addRun(db)
  const ids: string[] = []
  for (const state of operationStates)
    ids.push(await addOperation(db, { state, account: `acct_${state}`, run_id: runId }))
  const idsOf = ({ json }: Reply): string[] => (json['operations'] as { id: string }[]).map(({ id }) => id)
  const first = await operate('GET', '/operations?limit=4')
  t.same(idsOf(first), ids.toReversed().slice(0, 4))
  const second = await operate('GET', `/operations?before=${String(first.json['next'])}`)
  t.same(idsOf(second), ids.toReversed().slice(4))
  t.equal(second.json['next'], null)
  for (const [index, state] of operationStates.entries()) {
    t.same(idsOf(await operate('GET', `/operations?state=${state}`)), [ids[index]])
    t.match((await operate('GET', `/operations/${ids[index]}`)).json, {
      state,
      amount: 6000,
      items: [{ amount: 6000 }],
    })
  }
  t.same(idsOf(await operate('GET', '/operations?account=acct_held')), [ids[operationStates.indexOf('held')]])
  t.same(idsOf(await operate('GET', `/operations?run=${runId}`)), ids.toReversed())
  t.same(idsOf(await operate('GET', '/operations?kind=transfer')), [])

  const row = await addSettledRow(db, 'user_expert_7')
  const transfer = await addOperation(db, { kind: 'transfer', state: 'unknown', rows: { [row]: 6000 }, run_id: runId })
  t.same(idsOf(await operate('GET', '/operations?kind=transfer')), [transfer])
  await addAuditEntry(db, {
    subject: transfer,
    action: 'operation.send',
    details: JSON.stringify({ note: 'planted@guest.example' }),
  })
  const { json, text } = await operate('GET', `/operations/${transfer}`)
  t.match(json, {
    idempotency_key: `transfer:${transfer}:g1`,
    request: { amountCents: 6000 },
    items: [{ payment_transfer_id: row, live: true, status: 'COMPLETED', expert_clerk_user_id: 'user_expert_7' }],
    audit: [{ actor: 'ana', action: 'operation.send', details: { note: '[email]' } }],
  })
  t.notMatch(text, /planted/i, 'nothing of the guest')

  const run = await operate('GET', `/runs/${runId}`)
  t.match(run.json, { id: runId, operations: [{ id: transfer, amount: 6000, items: [{ payment_transfer_id: row }] }] })
  t.equal((run.json['operations'] as unknown[]).length, 11)
  t.notMatch(run.text, /planted/i)
  t.same((await operate('GET', `/runs/${await addRun(db)}`)).json['operations'], [])
})

t.test('of many who approve an operation at once one wins, and no other state can be approved', async t => {
  const { db, operate } = await testApp(t, { env: { OPERATOR_TOKEN: 'ana:operator-token-of-the-tests-0123456789' } })
  const held = await addOperation(db, { account: 'acct_1' })
  const approvals = await Promise.all(
    ['one', 'two', 'three', 'four'].map(async note => await operate('POST', `/operations/${held}/approve`, { note })),
  )
  const [won, ...lost] = approvals.toSorted((a, b) => a.statusCode - b.statusCode)
  t.match(won, {
    statusCode: 200,
    json: { id: held, state: 'planned', approved_by: 'ana', approved_at: '2026-03-10T12:00:30.000Z' },
  })
  t.match(won?.json['audit'], [
    { actor: 'ana', action: 'operation.approve', details: { note: /^(one|two|three|four)$/ } },
  ])
  for (const reply of lost) {
    t.match(reply, {
      statusCode: 409,
      json: { message: `operation ${held} is planned: only a held one can be approved` },
    })
    t.same(Object.keys(reply.json), houseShape)
  }
  for (const state of operationStates.filter(state => state !== 'held')) {
    const id = await addOperation(db, { state })
    const before = await readAll(db, 'jobs.money_operations')
    t.match(await operate('POST', `/operations/${id}/approve`), {
      statusCode: 409,
      json: { message: `operation ${id} is ${state}: ` },
    })
    t.same(await readAll(db, 'jobs.money_operations'), before, `${state} stays`)
  }
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 1)

  const behind = await addOperation(db, { account: 'acct_1' })
  t.equal((await operate('POST', `/operations/${behind}/approve`)).statusCode, 200, 'it waits for its turn')
  t.match((await operate('GET', `/operations/${behind}`)).json, { state: 'held', approved_by: 'ana' })
  t.match(await operate('POST', `/operations/${behind}/approve`), {
    statusCode: 409,
    json: { message: `operation ${behind} is approved already, and waits for its turn` },
  })
  const free = await addOperation(db)
  t.equal(
    (await operate('POST', `/operations/${free}/approve`)).statusCode,
    200,
    'the note is optional, and so is the body',
  )
})

t.test('what an operator asks wrongly is told with what to type', async t => {
  const { call, db, operate } = await testApp(t)
  const finding = await addFinding(db)
  const held = await addOperation(db)
  const resolve = `/findings/${finding}/resolve`
  const cases = [
    ['GET', '/findings?state=closed', undefined, 400, 'state must be one of open, acknowledged, resolved, all'],
    ['GET', '/findings?state=open&state=all', undefined, 400, /^state must be one of/],
    ['GET', '/findings?limit=0', undefined, 400, /^limit must be a whole number from 1 to 200/],
    ['GET', '/findings?before=x', undefined, 400, /^before must be a finding's number/],
    [
      'GET',
      '/findings?colour=red',
      undefined,
      400,
      'unknown parameter colour: known are state, kind, job, before, limit',
    ],
    ['GET', '/findings/1', undefined, 404, /./],
    ['GET', '/operations?state=open', undefined, 400, /^state must be one of planned, held, sending/],
    ['GET', '/operations?kind=refund', undefined, 400, 'kind must be one of transfer, payout'],
    ['GET', '/operations?account=1', undefined, 400, /^account must be a Connect account like acct_/],
    ['GET', '/operations?run=x', undefined, 400, /^run must be an id like/],
    ['GET', '/operations/x', undefined, 400, /^id must be an id like/],
    ['GET', `/operations/${nobody}`, undefined, 404, `there is no operation ${nobody}: GET /operations lists them`],
    ['POST', '/findings/x/resolve', { note: 'x' }, 400, /^id must be a finding's number/],
    ['POST', '/findings/0/resolve', { note: 'x' }, 400, /^id must be a finding's number/],
    ['POST', '/findings/4711/resolve', { note: 'x' }, 404, /^there is no finding 4711: /],
    ['POST', '/findings/4711/acknowledge', { note: 'x' }, 404, /^there is no finding 4711: /],
    ['POST', resolve, {}, 400, 'note is missing: it must be text of 1 to 500 characters for the audit'],
    ['POST', resolve, { note: '' }, 400, /^note must be text of 1 to 500/],
    ['POST', resolve, { note: ' \n ' }, 400, /^note must be text/],
    ['POST', resolve, { note: 'a\u0000' }, 400, /^note must be text/],
    ['POST', resolve, { note: 'x'.repeat(501) }, 400, /^note must be text/],
    ['POST', resolve, { note: 1 }, 400, /^note must be text/],
    ['POST', resolve, { note: 'x', by: 'me' }, 400, 'unknown field by: known are note'],
    ['POST', resolve, [], 400, 'the body must be a JSON object with note'],
    ['POST', `/operations/${nobody}/approve`, {}, 404, /^there is no operation/],
    ['POST', `/operations/${held}/approve`, { note: '' }, 400, /^note must be text/],
    ['POST', `/operations/${held}/approve`, { amount: 1 }, 400, 'unknown field amount: known are note'],
    ['POST', '/runs', { job: 'test-job', dryRun: 'yes' }, 400, 'dryRun must be true or false'],
    ['POST', '/jobs/test-job/pause', {}, 400, /^reason is missing: it must be text of 1 to 500/],
  ] as const
  for (const [method, path, body, statusCode, message] of cases) {
    const reply = await operate(method, path, body)
    t.match(reply, { statusCode, json: { message } }, `${method} ${path} ${JSON.stringify(body)?.slice(0, 40)}`)
    t.same(Object.keys(reply.json), houseShape)
  }
  const authorization = `Bearer operator-token-of-the-tests-0123456789`
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/html']) {
    const headers = { authorization, 'content-type': type }
    const reply = await call('POST', resolve, { headers, body: 'note=x' })
    t.match(
      reply,
      { statusCode: 415, json: { message: 'send JSON, with the header content-type: application/json' } },
      type,
    )
  }
  const headers = { authorization, 'content-type': 'application/json' }
  t.equal((await call('POST', resolve, { headers, body: '{' })).statusCode, 400)
  t.equal((await call('POST', resolve, { headers, body: '{"__proto__":{},"note":"x"}' })).statusCode, 400)
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'open' }], 'and nothing has changed')
  t.match(await readAll(db, 'jobs.money_operations'), [{ state: 'held' }])
})
