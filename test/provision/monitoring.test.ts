import t from 'tap'
import { jobs } from '../../src/jobs/index.ts'
import type { Resource } from '../../src/providers/monitoring.ts'
import { findAdoptions } from '../../src/provision/adopt.ts'
import { compareAttributes, toUpdate } from '../../src/provision/compare-attributes.ts'
import { listMistakes } from '../../src/provision/check-wanted.ts'
import { checkHeartbeats } from '../../src/provision/heartbeat-checks.ts'
import { type WatchedJob, wantHeartbeats } from '../../src/provision/heartbeats.ts'
import { wantMonitors } from '../../src/provision/monitors.ts'
import { planMonitoring } from '../../src/provision/plan-monitoring.ts'
import { wantedPolicy } from '../../src/provision/policy.ts'
import { Reference, type Wanted } from '../../src/provision/wanted.ts'

const noLimits = { most: undefined, shortestCheckSeconds: 30, policies: true }
const watched = { publicUrl: 'https://jobs.example.com', token: 'planted-token' }

function job(overrides: Partial<WatchedJob> = {}): WatchedJob {
  return {
    name: 'some-job',
    cron: '0 * * * *',
    timeZone: 'UTC',
    class: 'operational',
    priority: 'medium',
    heartbeat: 'BETTERSTACK_SOME_JOB_HEARTBEAT',
    ...overrides,
  }
}

function heartbeat(overrides: Partial<WatchedJob>) {
  return wantHeartbeats([job(overrides)], true)[0]?.attributes ?? {}
}

let lastId = 0
function real(kind: Resource['kind'], name: string, attributes: Record<string, unknown> = {}): Resource {
  lastId += 1
  return { kind, id: String(lastId), name, attributes }
}

function wanted(attributes: Record<string, unknown>, kind: Wanted['kind'] = 'heartbeat'): Wanted {
  return { kind, key: 'x', name: '[jobs] x', priority: 'high', attributes }
}

/** `attribute: from → to` of everything that differs. */
function differences(want: Record<string, unknown>, is: Record<string, unknown>, ids = new Map<string, string>()) {
  const changes = compareAttributes(wanted(want), real('heartbeat', '[jobs] x', is), ids)
  return changes.map(({ attribute, from, to }) => `${attribute}: ${from} → ${to}`)
}

t.test('a heartbeat waits as long as the longest gap of its cron in its zone, and its grace by class', async t => {
  const table = [
    ['financial', '0 */2 * * *', 'UTC', 7_200, 1_440],
    ['revenue', '*/15 * * * *', 'UTC', 900, 300],
    ['experience', '*/30 * * * *', 'UTC', 1_800, 540],
    ['operational', '0 0 * * *', 'UTC', 86_400, 43_200],
    // From Friday to Monday.
    ['financial', '0 9 * * 1-5', 'UTC', 259_200, 51_840],
    // The day on which the clock is put back.
    ['operational', '0 9 * * *', 'Europe/Lisbon', 90_000, 45_000],
  ] as const
  for (const [jobClass, cron, timeZone, period, grace] of table) {
    t.match(heartbeat({ class: jobClass, cron, timeZone }), { period, grace }, `${jobClass} ${cron} ${timeZone}`)
  }
  t.match(heartbeat({ cron: '0 2 * * *', graceSeconds: 1_800 }), { grace: 1_800 }, 'an exception of the job file')
})

t.test('channels, critical flag and escalation go by class, and the zone by the period', async t => {
  const table = {
    financial: { email: true, push: true, sms: true, critical_alert: true, policy_id: new Reference('escalation') },
    revenue: { email: true, push: true, sms: false, critical_alert: true, policy_id: new Reference('escalation') },
    experience: { email: true, push: true, sms: false, critical_alert: false, policy_id: null },
    operational: { email: true, push: false, sms: false, critical_alert: false, policy_id: null },
  } as const
  for (const [name, expected] of Object.entries(table)) {
    t.match(heartbeat({ class: name as keyof typeof table }), { call: false, ...expected }, name)
  }
  t.equal(heartbeat({ timeZone: 'Europe/Lisbon' })['server_timezone'], 'Europe/Lisbon')
  t.notOk('server_timezone' in heartbeat({ cron: '*/30 * * * *' }), 'none under an hour')
  t.equal(wantHeartbeats([job({ class: 'financial' })], false)[0]?.attributes['policy_id'], null, 'a plan without one')
  t.strictSame(
    (wantedPolicy.attributes['steps'] as { wait_before: number }[]).map(step => step.wait_before),
    [0, 300, 600, 900],
    '0, 5, 15 and 30 minutes',
  )
})

t.test('critical financial jobs come first', async t => {
  const keys = wantHeartbeats(jobs, true).map(({ key }) => key)
  t.strictSame(keys.slice(0, 2), ['process-expert-transfers', 'process-pending-payouts'])
  t.equal(keys.at(-1), 'cleanup-blocked-dates')
  t.equal(keys.length, jobs.length)
})

t.test('monitors watch the routes of this service, and show the token in two of them only', async t => {
  const monitors = wantMonitors(watched, noLimits)
  t.equal(monitors.length, 10, 'as many as a free plan holds')
  t.match(monitors[0]?.attributes, {
    url: 'https://jobs.example.com/readyz',
    check_frequency: 30,
    request_timeout: 5,
    regions: ['us', 'eu', 'as'],
    follow_redirects: false,
    ssl_expiration: 14,
    domain_expiration: null,
  })
  const verbose = monitors.filter(({ attributes }) => 'request_headers' in attributes)
  t.strictSame(
    verbose.map(({ name }) => name),
    ['[jobs] health/jobs', '[jobs] health'],
  )
  const [apex] = wantMonitors(
    { ...watched, publicUrl: 'https://example.com' },
    { ...noLimits, shortestCheckSeconds: 180 },
  )
  t.match(apex?.attributes, { domain_expiration: 14, check_frequency: 180 })
})

t.test('what means the same to Better Stack is no difference', async t => {
  const ids = new Map([['escalation', '7']])
  const headers = [{ name: 'Authorization', value: 'Bearer planted' }]
  t.strictSame(differences({ http_method: 'GET' }, { http_method: 'get' }), [])
  t.strictSame(differences({ regions: ['us', 'eu'] }, { regions: ['eu', 'us'] }), [])
  t.strictSame(differences({ policy_id: null }, {}), [])
  t.strictSame(differences({ policy_id: null }, { policy_id: '' }), [])
  t.strictSame(differences({ policy_id: new Reference('escalation') }, { policy_id: 7 }, ids), [])
  t.strictSame(differences({ domain_expiration: null }, { domain_expiration: -1 }), [])
  t.strictSame(differences({ paused: true }, { paused_at: '2026-01-01T00:00:00Z' }), [])
  t.strictSame(differences({ paused: false }, { paused_at: null }), [])
  t.strictSame(
    differences(
      { request_headers: headers },
      { request_headers: [{ id: '1', name: 'authorization', value: 'Bearer planted' }] },
    ),
    [],
  )
  t.strictSame(
    differences({ email: true, policy_id: new Reference('escalation') }, { email: false, policy_id: 7 }, ids),
    [],
  )
  t.strictSame(differences({ period: 60 }, { period: 60, sort_index: 3, paused_at: 'now' }), [], 'what is not declared')
})

t.test('what differs is told with both values, and no secret', async t => {
  t.strictSame(differences({ period: 60, email: true }, { period: 30, email: false }), [
    'period: 30 → 60',
    'email: false → true',
  ])
  t.strictSame(differences({ policy_id: new Reference('escalation') }, {}), ['policy_id: none → (known after apply)'])
  t.strictSame(
    differences(
      { request_headers: [{ name: 'Authorization', value: 'Bearer planted' }] },
      { request_headers: [{ id: '1', name: 'authorization', value: 'Bearer planted-before' }] },
    ),
    ['request_headers: (sensitive) → (sensitive)'],
  )
})

t.test('a change of headers keeps, adds and destroys by id, and a change of steps keeps their people', async t => {
  const monitor = wanted({ request_headers: [{ name: 'Authorization', value: 'new' }] }, 'monitor')
  const there = real('monitor', '[jobs] x', {
    request_headers: [
      { id: '1', name: 'authorization', value: 'old' },
      { id: '2', name: 'X-Other', value: 'y' },
    ],
  })
  t.strictSame(toUpdate(monitor, there, compareAttributes(monitor, there, new Map()), new Map()), {
    request_headers: [
      { id: '1', name: 'Authorization', value: 'new' },
      { id: '2', _destroy: true },
    ],
  })
  const policy = wanted({ steps: [{ type: 'escalation', wait_before: 300, step_members: [{ type: 'entire_team' }] }] })
  const people = [{ type: 'user', id: 9 }]
  const drifted = real('policy', '[jobs] x', {
    steps: [{ type: 'escalation', wait_before: 60, urgency_id: 4, step_members: people }],
  })
  t.strictSame(toUpdate(policy, drifted, compareAttributes(policy, drifted, new Map()), new Map()), {
    steps: [{ type: 'escalation', wait_before: 300, urgency_id: 4, step_members: people }],
  })
})

t.test('a plan creates, updates, leaves alone and names what is not ours', async t => {
  const [first, second, third, fourth] = wantHeartbeats(
    ['a', 'b', 'c', 'd'].map(name => job({ name })),
    false,
  ) as [Wanted, Wanted, Wanted, Wanted]
  const fine = { ...second.attributes, heartbeat_group_id: null, paused_at: '2026-01-01T00:00:00Z' }
  const everything = [
    real('heartbeat', second.name, fine),
    real('heartbeat', third.name, { ...fine, period: 1 }),
    real('heartbeat', fourth.name),
    real('heartbeat', fourth.name),
    real('heartbeat', '[jobs] gone'),
    real('heartbeat', 'Daily backup'),
    real('monitor', first.name),
  ]
  const steps = planMonitoring([first, { ...second, attributes: fine }, third, fourth], everything, noLimits)
  t.strictSame(
    steps.map(({ action, kind, name }) => `${action} ${kind} ${name}`),
    [
      'create heartbeat [jobs] a',
      'ok heartbeat [jobs] b',
      'update heartbeat [jobs] c',
      'ambiguous heartbeat [jobs] d',
      'orphan heartbeat [jobs] gone',
      'unmanaged heartbeat Daily backup',
      'orphan monitor [jobs] a',
    ],
    'a thing of another kind is another thing',
  )
  const [, monitor] = wantMonitors(watched, noLimits) as [Wanted, Wanted]
  const renamed = real('monitor', 'Old name', { url: monitor.attributes['url'], monitor_type: 'status' })
  t.match(planMonitoring([monitor], [renamed], noLimits), [
    { action: 'create', renamed: 'Old name' },
    { action: 'unmanaged' },
  ])
})

t.test('where the plan has no room, what matters least is left out, and what is there stays', async t => {
  const all = wantHeartbeats(jobs, false)
  const there = [real('heartbeat', 'Daily backup'), real('heartbeat', all.at(-1)?.name ?? '', all.at(-1)?.attributes)]
  const steps = planMonitoring(all, there, { ...noLimits, most: 5 })
  t.strictSame(
    steps.filter(({ action }) => action === 'create').map(({ name }) => name),
    ['[jobs] process-expert-transfers', '[jobs] process-pending-payouts', '[jobs] keep-alive'],
  )
  t.equal(steps.filter(({ action }) => action === 'left-out').length, all.length - 4)
  t.notOk(steps.some(({ action }) => action === 'orphan'))
  t.notOk(
    steps.some(step => step.action === 'left-out' && step.takenBy.length > 0 && step.wanted.priority === 'medium'),
    'one room is named once',
  )
  // In the order of priority, whatever the order of the list.
  const [kept] = planMonitoring(all.toReversed(), [], { ...noLimits, most: 1 }).filter(
    ({ action }) => action === 'create',
  )
  t.match(kept, { wanted: { priority: 'critical' } })
  const low = real('heartbeat', all.at(-1)?.name ?? '', all.at(-1)?.attributes)
  const taken = planMonitoring(all, [low, real('heartbeat', '[jobs] gone')], { ...noLimits, most: 2 })
  t.strictSame(
    taken.flatMap(step => (step.action === 'left-out' ? step.takenBy : [])),
    ['[jobs] gone', low.name],
  )
})

t.test('what Better Stack would refuse is known before it is asked', async t => {
  const all = [wantedPolicy, ...wantHeartbeats(jobs, true), ...wantMonitors(watched, noLimits)]
  t.strictSame(listMistakes(all), [])
  for (const shortestCheckSeconds of [31, 77, 180, 3_600]) {
    t.strictSame(listMistakes(wantMonitors(watched, { ...noLimits, shortestCheckSeconds })), [])
  }
  const wrong = {
    period: 29,
    grace: -1,
    check_frequency: 77,
    request_timeout: 7,
    regions: ['mars'],
    http_method: 'TRACE',
  }
  t.equal(listMistakes([wanted(wrong), wanted({ regions: [], ssl_expiration: 5 }, 'monitor')]).length, 8)
})

t.test('garbage within a list is a difference, and no error', async t => {
  const pairs = [{ request_headers: [null, 7] }, { request_headers: [{ name: 3 }] }, { steps: [null] }]
  for (const is of pairs) {
    const [name = ''] = Object.keys(is)
    const want = wanted({ [name]: name === 'steps' ? wantedPolicy.attributes['steps'] : [{ name: 'A', value: 'b' }] })
    const there = real('monitor', '[jobs] x', is)
    const changes = compareAttributes(want, there, new Map())
    t.equal(changes.length, 1, JSON.stringify(is))
    t.ok(toUpdate(want, there, changes, new Map()))
  }
})

t.test('what was made by hand is found by address first, then by name, and only where it is clear', async t => {
  const all = wantHeartbeats(jobs, false)
  const configured = new Map([
    ['BETTERSTACK_KEEP_ALIVE_HEARTBEAT', 'https://betteruptime.com/api/v1/heartbeat/tokenOfKeepAlive'],
  ])
  const byAddress = real('heartbeat', 'Expert Transfers?', {
    url: 'https://uptime.betterstack.com/api/v1/heartbeat/tokenOfKeepAlive',
  })
  const byName = real('heartbeat', 'Expert Transfers')
  const twins = [real('heartbeat', 'process-tasks'), real('heartbeat', 'Tasks')]
  const found = findAdoptions(
    planMonitoring(all, [byAddress, byName, ...twins, real('heartbeat', 'Other')], noLimits),
    configured,
  )
  t.strictSame(
    found.adoptions.map(({ because, real: { id }, wanted: { key } }) => [key, id, because]),
    [
      ['keep-alive', byAddress.id, 'address'],
      ['process-expert-transfers', byName.id, 'name'],
    ],
  )
  t.match(found.ambiguous, [{ wanted: { key: 'process-tasks' }, candidates: twins }])
})

t.test('a heartbeat is checked by its address, else by its name', async t => {
  const one = job({ name: 'process-tasks', heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT', cron: '0 4 * * *' })
  const url = 'https://uptime.betterstack.com/api/v1/heartbeat/planted-token'
  const configured = new Map([[one.heartbeat, url]])
  const fine = { url, period: 86_400, grace: 43_200, status: 'up', paused_at: null }
  const problems = (is: Resource[], addresses = configured) => checkHeartbeats([one], addresses, is)[0]?.problems

  t.strictSame(problems([real('heartbeat', 'by hand', fine)]), [])
  t.match(problems([real('heartbeat', 'x', { ...fine, period: 60, grace: 1, status: 'pending' })]), [
    'period is 60 s and should be 86400 s',
    'grace is 1 s and should be 43200 s',
    /^never pinged/,
  ])
  t.match(problems([real('heartbeat', 'x', { ...fine, status: 'down' })]), [/^down/])
  t.match(
    problems([real('heartbeat', 'by hand', fine), real('heartbeat', '[jobs] process-tasks', { status: 'pending' })]),
    [/^\[jobs\] process-tasks hears nothing, the pings go to one that was made by hand/],
  )
  const two = [one, job({ name: 'cleanup', heartbeat: 'BETTERSTACK_CLEANUP_HEARTBEAT', cron: '0 4 * * *' })]
  const elsewhere = url.replace('planted-token', 'planted-other')
  const there = [
    real('heartbeat', '[jobs] process-tasks', fine),
    real('heartbeat', '[jobs] cleanup', { ...fine, url: elsewhere }),
  ]
  const told = (tasks: string, cleanup: string): string[] =>
    checkHeartbeats(two, new Map(two.map(({ heartbeat }, index) => [heartbeat, index === 0 ? tasks : cleanup])), there)
      .flatMap(check => check.problems)
      .filter(problem => problem.includes('is the address of'))
  t.strictSame(told(url, elsewhere), [])
  t.strictSame(told(elsewhere, url), [
    'BETTERSTACK_TASKS_HEARTBEAT is the address of the heartbeat of cleanup',
    'BETTERSTACK_CLEANUP_HEARTBEAT is the address of the heartbeat of process-tasks',
  ])
  t.match(
    checkHeartbeats(two, new Map([[one.heartbeat, elsewhere]]), there)[0]?.problems,
    ['BETTERSTACK_TASKS_HEARTBEAT is the address of the heartbeat of cleanup'],
    'which is ours, and not made by hand',
  )
  t.match(told(url, url), [
    /_TASKS_.* is the address of BETTERSTACK_CLEANUP_HEARTBEAT too/,
    /_CLEANUP_.* too/,
    /process-tasks$/,
  ])
  t.match(problems([]), ['BETTERSTACK_TASKS_HEARTBEAT is the address of no heartbeat of this account'])
  t.match(problems([real('heartbeat', '[jobs] process-tasks', fine)], new Map()), [
    /^not configured: set BETTERSTACK_TASKS_HEARTBEAT .*--write-env/,
  ])
  const paused = checkHeartbeats([one], configured, [
    real('heartbeat', 'x', { ...fine, status: 'paused', paused_at: '2026-01-01T00:00:00Z' }),
  ])
  t.match(paused, [{ status: 'paused', problems: [], notes: [/^paused/] }])
  t.notMatch(JSON.stringify(paused), /planted/)
})
