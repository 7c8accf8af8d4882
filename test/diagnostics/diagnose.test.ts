import t from 'tap'
import { type ComponentName, componentNames, fail, type Look, warn } from '../../src/diagnostics/component.ts'
import { createDiagnostics, describeDiagnosis } from '../../src/diagnostics/diagnose.ts'
import { createLater } from '../../src/diagnostics/later.ts'
import { KeyRefusedError, RetryLaterError } from '../../src/errors.ts'
import { judge, thresholds } from '../../src/diagnostics/thresholds.ts'

const fine: Look = { reads: 'nothing', advice: 'do nothing', see: () => ({ issues: [] }) }
const never: Look = { ...fine, reads: 'the workflows', advice: 'wait', see: async () => await new Promise(() => {}) }

function diagnosticsOf(
  looks: Partial<Record<ComponentName, readonly Look[]>>,
  times: { timeoutMs?: number; keptMs?: number } = {},
) {
  return createDiagnostics({ looks: looksOf(name => looks[name] ?? [fine]), clock: () => new Date(0), ...times })
}

function looksOf(looks: (name: ComponentName) => readonly Look[]): Record<ComponentName, readonly Look[]> {
  return Object.fromEntries(componentNames.map(name => [name, looks(name)])) as Record<ComponentName, readonly Look[]>
}

t.test('the worst of a component is its status, and comes first; advice is given once', async t => {
  const issues = [warn('it is slow', 'wait'), fail('it is gone', 'restart it'), warn('it is late', 'wait')]
  const { components, status } = await diagnosticsOf({
    novu: [
      { ...fine, see: () => ({ issues, details: { a: 1 } }) },
      { ...fine, see: () => ({ issues: [], details: { b: 2 } }) },
    ],
  }).diagnose(componentNames)
  t.equal(status, 'fail')
  t.strictSame(Object.keys(components), componentNames)
  t.strictSame(components.novu, {
    status: 'fail',
    issues: ['it is gone', 'it is slow', 'it is late'],
    recommendations: ['restart it', 'wait'],
    details: { a: 1, b: 2 },
  })
  t.strictSame(components.stripe, { status: 'pass', issues: [], recommendations: [], details: {} })
})

t.test('one that hangs hides nothing of the others, nor of its own component, and is told to stop', async t => {
  let stopped = false
  const hanging: Look = {
    ...never,
    see: async signal => {
      signal.addEventListener('abort', () => (stopped = true))
      return await new Promise(() => {})
    },
  }
  const counted = { ...fine, see: () => ({ issues: [warn('3 wait', 'look')], details: { waiting: 3 } }) }
  const startedAt = performance.now()
  const { components } = await diagnosticsOf({ novu: [hanging, counted] }, { timeoutMs: 50 }).diagnose([
    'novu',
    'stripe',
  ])
  t.ok(performance.now() - startedAt < 1_000)
  t.strictSame(Object.keys(components), ['novu', 'stripe'])
  t.strictSame(components.novu?.issues, ['could not read the workflows within 50 ms', '3 wait'])
  t.strictSame(components.novu?.details, { waiting: 3 })
  t.equal(components.stripe?.status, 'pass')
  t.ok(stopped)
})

t.test('what a look throws is told by its code, or in our own words; never in a vendor’s', async t => {
  const throwing = async (thrown: Error): Promise<string | undefined> => {
    const look = { ...fine, reads: 'it', see: async () => await Promise.reject(thrown) }
    return (await diagnosticsOf({ novu: [look] }).diagnose(['novu'])).components.novu?.issues[0]
  }
  t.equal(await throwing(new Error('planted: password of ana@guests.test')), 'could not read it: Error')
  t.equal(
    await throwing(Object.assign(new Error('planted'), { code: 'ECONNREFUSED' })),
    'could not read it: ECONNREFUSED',
  )
  t.equal(await throwing(Object.assign(new Error('planted'), { code: 'planted secret' })), 'could not read it: Error')
  t.equal(await throwing(new KeyRefusedError('stripe refused our key')), 'could not read it: stripe refused our key')
  const ofProvider = async (thrown: Error): Promise<string | undefined> => {
    const look = { ...fine, asksVendor: true, reads: 'it', see: async () => await Promise.reject(thrown) }
    return (await diagnosticsOf({ novu: [look] }).diagnose(['novu'])).components.novu?.issues[0]
  }
  t.equal(await ofProvider(new Error('QStash answered 500: planted')), 'could not read it: QStash answered 500')
  const limited = async () => await Promise.reject(new RetryLaterError('QStash answered 429: its limit', 7))
  const look = { ...fine, asksVendor: true, reads: 'it', see: limited }
  t.match((await diagnosticsOf({ qstash: [look] }).diagnose(['qstash'])).components.qstash, {
    status: 'warn',
    issues: ['could not read it: QStash answered 429'],
    recommendations: [/ask again in 7 s$/],
  })
  const both = { advice: 'wait', adviceWhenRefused: 'mend the key' }
  const adviceFor = async (thrown: Error): Promise<readonly string[] | undefined> => {
    const look = { ...fine, ...both, see: async () => await Promise.reject(thrown) }
    return (await diagnosticsOf({ novu: [look] }).diagnose(['novu'])).components.novu?.recommendations
  }
  t.strictSame(await adviceFor(new Error('no answer')), ['wait'])
  t.strictSame(await adviceFor(new KeyRefusedError('refused')), ['mend the key'])
  const inWords = new KeyRefusedError('refused sk_live_abcdefghijklmnop of ana@guests.test')
  t.equal(await throwing(inWords), 'could not read it: refused [key] of [email]')
})

t.test('who asks again within moments gets the same report, and who asks at once shares it', async t => {
  let asked = 0
  const counting = { ...fine, see: () => ({ issues: [], details: { asked: (asked += 1) } }) }
  const kept = diagnosticsOf({ novu: [counting] })
  await Promise.all([kept.diagnose(['novu']), kept.diagnose(componentNames)])
  await kept.diagnose(['novu'])
  t.equal(asked, 1)
  const fresh = diagnosticsOf({ novu: [counting] }, { keptMs: 0 })
  await fresh.diagnose(['novu'])
  await fresh.diagnose(['novu'])
  t.equal(asked, 3)
})

t.test('the moment in words has what is ill, and what to do; one that hangs does not outlast two seconds', async t => {
  const ill = { ...fine, see: () => ({ issues: [fail('it is gone', 'restart it')], details: { a: 1 } }) }
  const startedAt = performance.now()
  const late = { ...fine, see: () => ({ issues: [warn('it is late', 'wait')] }) }
  const told = await diagnosticsOf({ stripe: [ill], novu: [never], database: [late] }).describeMoment()
  t.ok(performance.now() - startedAt < 1_900)
  t.equal(
    told,
    'At 1970-01-01T00:00:00.000Z:\nnovu: fail\n- could not read the workflows within 1500 ms\n  > wait\nstripe: fail\n- it is gone\n  > restart it\ndatabase: warn\n- it is late\n  > wait',
  )
  t.match(describeDiagnosis(await diagnosticsOf({}).diagnose(componentNames)), /^Everything else was well at /)
})

t.test('who can wait less gets what there is by then, and takes nothing from who can wait longer', async t => {
  const ill = { ...fine, see: () => ({ issues: [fail('it is gone', 'restart it')] }) }
  let asked = 0
  let answer = (): void => {}
  const slow: Look = {
    ...never,
    see: async () => {
      asked += 1
      return await new Promise(resolve => (answer = () => resolve({ issues: [] })))
    },
  }
  const first = diagnosticsOf({ novu: [slow], stripe: [ill] })
  const page = first.diagnose(componentNames)
  const startedAt = performance.now()
  const told = await first.describeMoment(100)
  t.ok(performance.now() - startedAt < 1_000, 'a page that waits does not make the alert wait')
  t.match(told, /novu: fail\n- could not read the workflows within 100 ms\n/)
  t.match(told, /stripe: fail\n- it is gone/, 'what others have seen is there')
  answer()
  t.equal((await page).components.novu?.status, 'pass')

  const second = diagnosticsOf({ novu: [slow] })
  t.match(await second.describeMoment(10), /within 10 ms/)
  const after = second.diagnose(['novu'])
  answer()
  t.equal((await after).components.novu?.status, 'pass', 'an alert in a hurry spoils no page')
  t.equal(asked, 2)
})

t.test('an alert pays for the loading with its own time, and gets what needs no vendor in any case', async t => {
  const ill = { ...fine, see: () => ({ issues: [fail('it is gone', 'restart it')] }) }
  const later = createLater(async () => {
    await new Promise(resolve => setTimeout(resolve, 150))
    return diagnosticsOf({ novu: [never], stripe: [ill] })
  })
  const told = await later.describeMoment(400)
  t.ok(Number(/within (\d+) ms/.exec(told)?.[1]) < 300, told)
  t.match(told, /stripe: fail/)
})

t.test('from outside, what is loaded counts for nobody, and this process is not looked at', async t => {
  let loaded = false
  const full = { issues: [fail('it is full', '')], details: { mb: 1 } }
  const own: Look = { ...fine, ofThisProcess: true, see: () => full }
  const other: Look = { ...fine, see: () => ({ issues: [], details: { loaded } }) }
  const load = async (): Promise<void> => {
    loaded = true
  }
  const diagnostics = createDiagnostics({ looks: looksOf(() => [own, other]), clock: () => new Date(0), load })
  const { components } = await diagnostics.diagnoseFromOutside(['database'])
  t.strictSame(components.database, { status: 'pass', issues: [], recommendations: [], details: { loaded: true } })
  t.equal((await diagnostics.diagnose(['database'])).status, 'fail')
})

t.test('thresholds are those of the guide for operators', async t => {
  const severity = (name: keyof typeof thresholds, value: number) => judge(value, thresholds[name], '', '')[0]?.severity
  const mb = 2 ** 20
  const cases = [
    ['undeliveredRate', [0, 0.0099], [0.01, 0.05], [0.0501, 1]],
    ['webhookLatencyMs', [0, 999], [1_000, 5_000], [5_001]],
    ['poolUse', [0, 0.69], [0.7, 0.9], [0.91, 1]],
    ['memoryBytes', [199 * mb], [200 * mb, 500 * mb], [501 * mb]],
    ['errorRate', [0, 0.0099], [0.01, 0.05], [0.051]],
    ['discrepancyRate', [0], [0.0001, 0.05], [0.051, 1]],
  ] as const
  for (const [name, healthy, warning, critical] of cases) {
    for (const value of healthy) t.equal(severity(name, value), undefined, `${name} ${value}`)
    for (const value of warning) t.equal(severity(name, value), 'warn', `${name} ${value}`)
    for (const value of critical) t.equal(severity(name, value), 'fail', `${name} ${value}`)
  }
})
