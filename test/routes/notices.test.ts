import t from 'tap'
import { recordPoison } from '../../src/notices/record-poison.ts'
import { testApp } from '../support/app.ts'
import { readAll } from '../support/builders.ts'
import { oweNotice, readNotice } from '../support/notices.ts'

const env = { OPERATOR_TOKEN: 'ana:operator-token-of-the-tests-0123456789' }

t.test('notices are for operators, in pages, and without words or whole addresses', async t => {
  const { call, db, operate } = await testApp(t, { env })
  for (const [method, path] of [
    ['GET', '/notices'],
    ['GET', '/notices/1'],
    ['POST', '/notices/1/retry'],
    ['POST', '/notices/retry'],
    ['POST', '/notices/1/drop'],
  ] as const) {
    t.equal((await call(method, path)).statusCode, 401, `${method} ${path}`)
  }
  t.match(await operate('GET', '/notices'), { statusCode: 200, json: { next: null } })
  const first = await oweNotice(db, { name: '1', facts: { guestName: 'Ana Example' } })
  const second = await oweNotice(db, { name: '2', kind: 'payout-failed' })
  const page = await operate('GET', '/notices?limit=1')
  t.match(page.json, { notices: [{ id: second, kind: 'payout-failed', recipient: 'guest_a…@….test' }], next: second })
  t.match((await operate('GET', `/notices?before=${second}`)).json, { notices: [{ id: first }], next: null })
  t.match((await operate('GET', '/notices?kind=payout-failed&state=pending')).json, { notices: [{ id: second }] })
  t.strictSame((await operate('GET', '/notices?state=sent')).json, { notices: [], next: null })
  const one = await operate('GET', `/notices/${first}`)
  t.match(one, { statusCode: 200, json: { id: first, state: 'pending', audit: [] } })
  t.notMatch(JSON.stringify([page, one]), /ana@|guests\.test|Ana Example/)
  const bogus = await operate('GET', '/notices?kind=bogus')
  t.match(bogus, { statusCode: 400, json: { message: /kind .*appointment-reminder-24h.*job-recovered/ } })
  t.match((await operate('GET', '/notices?state=bogus')).json, { message: /state .*pending.*poison/ })
  t.match((await operate('GET', '/notices?to=%20Ana@Guests.test')).json, { notices: [{ id: second }, { id: first }] })
  t.match((await operate('GET', '/notices?to=ana@guests.test&about=nothing')).json, { notices: [] })
  for (const path of ['/notices?state=none', '/notices?limit=0', '/notices?job=x', '/notices/x']) {
    t.equal((await operate('GET', path)).statusCode, 400, path)
  }
  t.equal((await operate('GET', '/notices/99')).statusCode, 404)
})

t.test('an operator tries a notice again, or gives it up, with a note that the audit keeps', async t => {
  const { db, operate } = await testApp(t, { env })
  const id = await oweNotice(db)
  const set = async (state: 'poison' | 'sent') =>
    await db.updateTable('jobs.outbox').set({ state, note: 'x', finished_at: new Date() }).execute()
  await set('poison')
  await recordPoison(db, [{ kind: 'appointment-reminder-1h', reason: 'x', runId: null }], new Date())
  t.equal((await operate('POST', `/notices/${id}/retry`, {})).statusCode, 400, 'without a note')
  const note = 'the field is back'
  const retried = await operate('POST', `/notices/${id}/retry`, { note })
  const entry = { actor: 'ana', action: 'notice.retry', details: { note } }
  t.match(retried, { statusCode: 200, json: { id, state: 'pending', audit: [entry] } })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'resolved', closed_by: 'ana' }])
  t.match(await operate('POST', `/notices/${id}/drop`, { note }), { statusCode: 200, json: { state: 'dropped' } })
  t.match(await readNotice(db, id), { state: 'dropped', note: 'by_operator' })
  const again = await operate('POST', `/notices/${id}/drop`, { note })
  t.match(again, { statusCode: 409, json: { message: /is dropped, and nothing was changed/ } })
  await set('sent')
  t.equal((await operate('POST', `/notices/${id}/drop`, { note })).statusCode, 409)
  t.equal((await operate('POST', '/notices/99/drop', { note })).statusCode, 404)
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 2)
})

t.test('all of a kind that were set aside are tried again by whoever says how many they are', async t => {
  const { db, operate } = await testApp(t, { env })
  const ids = [await oweNotice(db, { name: '1' }), await oweNotice(db, { name: '2' })]
  await db.updateTable('jobs.outbox').set({ state: 'poison', note: 'x', finished_at: new Date() }).execute()
  const all = { kind: 'appointment-reminder-1h', state: 'poison', note: 'the field is back' }
  const retry = async (body: object) => await operate('POST', '/notices/retry', body)
  for (const wrong of [
    all,
    { ...all, count: 0 },
    { ...all, kind: 'bogus', count: 2 },
    { ...all, state: 'sent', count: 2 },
  ]) {
    t.equal((await retry(wrong)).statusCode, 400)
  }
  t.match(await retry({ ...all, count: 3 }), { statusCode: 409, json: { message: /^2 notice\(s\) .* not 3/ } })
  t.match(await retry({ ...all, kind: 'payout-failed', count: 1 }), { statusCode: 409, json: { message: /^0 / } })
  t.match(await retry({ ...all, count: 2 }), { statusCode: 200, json: { retried: 2 } })
  for (const id of ids) t.match(await readNotice(db, id), { state: 'pending' })
  t.match(await readAll(db, 'jobs.audit_entries'), [{ actor: 'ana' }, { actor: 'ana', action: 'notice.retry' }])
})
