import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { insertNotice } from '../../src/database/outbox.ts'
import type { DeliveredMessage } from '../../src/sandbox/novu.ts'
import { readPeopleReport } from '../../src/sandbox/people-report.ts'
import { testDatabase } from '../support/database.ts'

const at = new Date('2026-11-21T10:00:00Z')

async function addNotice(db: Db, transactionId: string, state: string, note: string | null = null): Promise<void> {
  const recipient = transactionId.startsWith('guest') ? 'guest_ana@example.com' : 'user_ines'
  const notice = { kind: 'reservation-expired', subject: transactionId, recipient, occurrence: '1', facts: {} }
  await insertNotice(db, { ...notice, transactionId, runId: null, at, usefulUntil: null })
  const isOver = ['sent', 'dropped', 'poison'].includes(state)
  await db
    .updateTable('jobs.outbox')
    .set({ state: state as 'sent', note, finished_at: isOver ? at : null })
    .where('transaction_id', '=', transactionId)
    .execute()
}

const message = (transactionId: string, language: DeliveredMessage['language'] = 'pt'): DeliveredMessage => ({
  to: { subscriberId: 'x', email: 'ana@example.com' },
  workflow: 'reservation-expired',
  payload: {},
  transactionId,
  at,
  language,
  subject: '',
  text: '',
})

t.test('people are counted by kind and language, and nobody is named', async t => {
  const { db } = await testDatabase(t)
  for (const id of ['guest-1', 'guest-2', 'expert-1']) await addNotice(db, id, 'sent')
  await addNotice(db, 'guest-3', 'dropped', 'too_late')
  const report = await readPeopleReport(db, [message('guest-1'), message('guest-2'), message('expert-1', 'es')])
  t.strictSame(report, {
    told: [
      { kind: 'reservation-expired', who: 'expert', language: 'es', count: 1 },
      { kind: 'reservation-expired', who: 'guest', language: 'pt', count: 2 },
    ],
    untold: [{ kind: 'reservation-expired', state: 'dropped', reason: 'too_late', count: 1 }],
    troubles: [],
  })
  t.notMatch(JSON.stringify(report), 'ana@')
})

t.test('whatever a healthy demo does not have is a trouble', async t => {
  const cases: ReadonlyArray<readonly [name: string, state: string, arrived: readonly string[]]> = [
    ['poison', 'poison', []],
    ['still waiting', 'pending', []],
    ['unknown', 'unknown', ['n']],
    ['sent and never arrived', 'sent', []],
    ['sent and arrived twice', 'sent', ['n', 'n']],
    ['dropped and arrived all the same', 'dropped', ['n']],
    ['of nobody’s making', 'sent', ['n', 'stray']],
  ]
  for (const [name, state, arrived] of cases) {
    const { db } = await testDatabase(t)
    await addNotice(db, 'n', state)
    const { troubles } = await readPeopleReport(
      db,
      arrived.map(id => message(id)),
    )
    t.equal(troubles.length, 1, name)
  }
})
