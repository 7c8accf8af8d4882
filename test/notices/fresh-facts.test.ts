import t from 'tap'
import type { Recheck } from '../../src/notices/notice.ts'
import { rechecks } from '../../src/notices/rechecks.ts'
import { testSender } from '../support/notices.ts'

t.test('a notice that its check brought up to date goes out as it is now, to the same person', async t => {
  const check: Recheck = async ({ facts }) => {
    const reader = { language: 'es', locale: 'es-ES', timeZone: 'Europe/Madrid', email: 'new@x.test' }
    return { kind: 'send', ...(facts['name'] === 'stale' ? { facts: { name: 'fresh', reader } } : {}) }
  }
  const { owe, read, sender, vendor } = await testSender(t, {
    rechecks: { ...rechecks, 'appointment-reminder-1h': check },
  })
  const id = await owe('stale')
  await owe('true')
  t.match(await sender.sendDue(), { sent: 2 })
  t.same(vendor.calls, [['fresh', 'true']])
  const [first] = vendor.inbox
  t.match(first?.to, { locale: 'es-ES', timeZone: 'Europe/Madrid', email: 'new@x.test' })
  t.match(await read(id), { state: 'sent', recipient: first?.to.subscriberId, transaction_id: first?.transactionId })
})
