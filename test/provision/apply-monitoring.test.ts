import t, { type Test } from 'tap'
import { createBetterStack } from '../../src/providers/betterstack.ts'
import { createHttp } from '../../src/providers/http.ts'
import { applyMonitoring, type ApplyOptions } from '../../src/provision/apply-monitoring.ts'
import { type WatchedJob, wantedHeartbeatGroup, wantHeartbeats } from '../../src/provision/heartbeats.ts'
import { wantedPolicy } from '../../src/provision/policy.ts'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'

const names = ['a', 'b', 'c']
const wanted = [
  wantedPolicy,
  wantedHeartbeatGroup,
  ...wantHeartbeats(
    names.map(name => job(name)),
    true,
  ),
]

function job(name: string): WatchedJob {
  const heartbeat = `BETTERSTACK_${name}_HEARTBEAT`
  return { name, cron: '0 * * * *', timeZone: 'UTC', class: 'financial', priority: 'critical', heartbeat }
}

async function open(t: Test, onWait: (ms: number) => Promise<void> = async () => {}, token?: string) {
  const standIn = await startBetterStack()
  t.teardown(standIn.close)
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
  })
  const access = {
    url: standIn.url,
    token: token ?? standIn.apiToken,
    fetch: http.fetch,
    callsPerSecond: 1_000,
    timeoutMs: 100,
    wait: async () => {},
  }
  const waits: number[] = []
  const monitoring = createBetterStack(access)
  const apply = async (options: Partial<ApplyOptions> = {}) =>
    await applyMonitoring(monitoring, {
      wanted,
      limits: { most: undefined, shortestCheckSeconds: 30, policies: true },
      prune: false,
      signal: new AbortController().signal,
      wait: async ms => {
        waits.push(ms)
        await onWait(ms)
      },
      ...options,
    })
  const posts = (): number => standIn.apiCalls().filter(({ method }) => method === 'POST').length
  const told = ({ applied }: Awaited<ReturnType<typeof apply>>) =>
    applied.map(
      ({ name, outcome, reason }) => `${name.slice(7)}: ${outcome}${reason === undefined ? '' : ` (${reason})`}`,
    )
  return { apply, posts, standIn, told, waits }
}

t.test('a create that may still come true is looked for, and never sent again', async t => {
  const faults = [{ kind: 'hang' }, { kind: 'reset' }, { kind: 'status', status: 504 }] as const
  for (const fault of faults) {
    const { apply, posts, standIn, told, waits } = await open(t)
    standIn.setApiFault(fault, { method: 'POST', part: '[jobs] b', times: 1 })
    const result = await apply()
    t.equal(posts(), 4, 'what follows is not written either')
    t.strictSame(waits, [2_000, 5_000, 10_000])
    t.match(result.stopped, /^it is not known whether \[jobs\] b was made/)
    t.match(told(result).slice(2), [/^a: done/, /^b: unknown \(.*: it may be made yet\)$/, /^c: not tried/])
    t.strictSame(told(await apply()), ['b: done', 'c: done'], 'when a person says so')
  }
})

t.test('a vendor that falls silent is not asked again and again', async t => {
  const { apply, standIn, told, waits } = await open(t)
  const result = await apply({
    onStep: text => {
      if (text.endsWith('[jobs] b')) standIn.setApiFault({ kind: 'hang' })
    },
  })
  t.strictSame(waits, [])
  t.match(told(result).slice(2), [/^a: done/, /^b: unknown/, /^c: not tried/])
  t.ok(standIn.apiCalls().filter(({ status }) => status === undefined).length <= 5, 'a write, and each list twice')
})

t.test('a create that comes true after its answer was given up is found, and made once', async t => {
  const late: { kind: 'heartbeats'; name: string } = { kind: 'heartbeats', name: '[jobs] b' }
  const { apply, posts, standIn, told } = await open(t, async ms => {
    if (ms === 5_000)
      standIn.add(late.kind, { ...wanted.at(-2)?.attributes, policy_id: null, heartbeat_group_id: null })
  })
  standIn.setApiFault({ kind: 'status', status: 502 }, { method: 'POST', part: '[jobs] b', times: 1 })
  const result = await apply()
  t.equal(result.stopped, undefined)
  t.match(told(result).slice(2), [/^a: done/, /^b: /, /^c: done/])
  t.equal(posts(), wanted.length)
  await apply()
  t.equal(standIn.items('heartbeats').filter(({ attributes }) => attributes['name'] === late.name).length, 1)

  const done = await open(t)
  done.standIn.setApiFault({ kind: 'silent' }, { method: 'POST', part: '[jobs] b', times: 1 })
  const found = await done.apply()
  t.notOk(
    found.applied.some(({ outcome }) => outcome !== 'done'),
    'the list says at once that it was made',
  )
  t.strictSame(done.waits, [])
})

t.test('what was taken and is not in the list is not known to be made', async t => {
  const { apply, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'answer', status: 202, body: {} }, { method: 'POST', part: '[jobs] c' })
  t.match(told(await apply()).at(-1), /^c: unknown \(it was taken, and is not in the list: it may be made yet\)$/)
})

t.test('a create that reached nobody or was throttled is sent once more, after the wait, and no oftener', async t => {
  const { apply, posts, standIn, told, waits } = await open(t)
  standIn.setApiFault({ kind: 'status', status: 429, retryAfter: '17' }, { method: 'POST', part: '[jobs] b', times: 1 })
  t.ok(told(await apply()).every(line => line.endsWith(': done')))
  t.equal(posts(), wanted.length + 1)
  t.strictSame(waits, [17_000])

  const hard = await open(t)
  hard.standIn.setApiFault({ kind: 'status', status: 429 }, { method: 'POST', part: '[jobs] b' })
  const result = await hard.apply()
  t.match(result.stopped, /^Better Stack takes nothing now \(status 429/)
  t.match(hard.told(result).slice(3), [/^b: failed \(status 429/, /^c: not tried/])
  t.equal(hard.posts(), 5)

  const slow = await open(t)
  slow.standIn.setApiFault(
    { kind: 'status', status: 429, retryAfter: '200' },
    { method: 'POST', part: '[jobs] a', times: 1 },
  )
  slow.standIn.setApiFault(
    { kind: 'status', status: 429, retryAfter: '200' },
    { method: 'POST', part: '[jobs] b', times: 1 },
  )
  t.match((await slow.apply()).stopped, /^Better Stack takes nothing now/)
  t.strictSame(slow.waits, [200_000], 'five minutes in all are enough')

  const meanwhile = await open(t, async () => {
    meanwhile.standIn.add('heartbeats', { ...wanted.at(-2)?.attributes, policy_id: null, heartbeat_group_id: null })
  })
  meanwhile.standIn.setApiFault({ kind: 'status', status: 429 }, { method: 'POST', part: '[jobs] b', times: 1 })
  await meanwhile.apply()
  const made = meanwhile.standIn.items('heartbeats').map(({ attributes }) => attributes['name'])
  t.strictSame(made, ['[jobs] a', '[jobs] b', '[jobs] c'], 'somebody else made it while we waited')
})

t.test('two applies at once make everything once, or stop and say what is there twice', async t => {
  const { apply, standIn } = await open(t)
  const [first] = await Promise.all([
    apply(),
    new Promise(resolve => setImmediate(resolve)).then(async () => await apply()),
  ])
  const kinds = ['policies', 'heartbeat-groups', 'heartbeats'] as const
  const made = kinds
    .flatMap(kind => standIn.items(kind))
    .map(({ attributes, kind }) => `${kind} ${String(attributes['name'])}`)
  const twice = made.filter((name, index) => made.indexOf(name) !== index)
  t.ok(twice.length <= 1, `${twice.length} are there twice`)
  t.ok(first.applied.length > 0, 'what was done is told')
  const halfway = await open(t)
  await halfway.apply({ wanted: wanted.slice(0, 3) })
  standInTwin(halfway.standIn)
  const refused = await halfway.apply()
  t.match(refused, { stopped: /ambiguous.*nothing was changed/, applied: { length: 0 } })
  const late = await open(t)
  const result = await late.apply({
    onStep: text => {
      if (text.endsWith('[jobs] b')) standInTwin(late.standIn)
    },
  })
  t.match(result.stopped, /^there are several \[jobs\] a by now/)
  t.match(late.told(result).slice(2), [/^a: done|^a: failed/, /^b: done/, /^c: not tried/])
  const early = await open(t)
  const stopped = await early.apply({
    onStep: text => {
      if (text.endsWith('escalation')) early.standIn.add('policies', { name: '[jobs] escalation' })
    },
  })
  t.match(stopped.stopped, /^there are several \[jobs\] escalation by now/)
  t.equal(early.posts(), 1, 'of another kind as well')
})

function standInTwin(standIn: Awaited<ReturnType<typeof open>>['standIn']): void {
  standIn.add('heartbeats', { name: '[jobs] a', period: 60, grace: 1 })
}

t.test('a vendor that answers nothing is left alone after three silences', async t => {
  const { apply, standIn, told } = await open(t)
  await apply()
  for (const item of standIn.items('heartbeats')) standIn.change(item, { grace: 1 })
  const four = standIn.add('heartbeats', { name: '[jobs] d', period: 60, grace: 1 })
  const more = [...wanted, ...wantHeartbeats([{ ...job('d'), class: 'financial' }], true)]
  standIn.setApiFault({ kind: 'status', status: 503 }, { method: 'PATCH' })
  const result = await apply({ wanted: more })
  t.equal(result.stopped, 'Better Stack failed 3 times in a row')
  t.match(told(result), [/^a: failed/, /^b: failed/, /^c: failed/, /^d: not tried/])
  t.match(four.attributes, { grace: 1 })
})

t.test('what is ours and not wanted goes only where nobody uses it', async t => {
  const { apply, standIn, told } = await open(t)
  await apply()
  const group = standIn.add('monitor-groups', { name: '[jobs] old' })
  const policy = standIn.add('policies', { name: '[jobs] old' })
  const theirs = standIn.add('monitors', {
    url: 'https://x.test',
    monitor_type: 'status',
    pronounceable_name: 'theirs',
    monitor_group_id: Number(group.id),
    policy_id: Number(policy.id),
  })
  const kept = await apply({ prune: true })
  t.strictSame(kept.applied, [])
  t.match(
    kept.steps.filter(({ action }) => action === 'orphan'),
    [{ usedBy: ['monitor theirs'] }, { usedBy: ['monitor theirs'] }],
  )
  standIn.remove(theirs)
  t.strictSame(told(await apply({ prune: true })), ['old: done', 'old: done'])
  const without = await apply({ prune: true, limits: { most: undefined, shortestCheckSeconds: 30, policies: false } })
  t.notOk(
    without.applied.some(({ kind }) => kind === 'policy'),
    'a plan without policies is not asked for them',
  )
})

t.test('what was written and is not so is a failure', async t => {
  const { apply, standIn, told } = await open(t)
  await apply()
  const heartbeats = standIn.items('heartbeats')
  const [first] = heartbeats
  if (first === undefined) throw new Error('nothing was made')
  standIn.change(first, { period: 60 })
  standIn.setApiFault({ kind: 'answer', status: 200, body: { data: {} } }, { method: 'PATCH' })
  t.strictSame(told(await apply()), ['a: failed (Better Stack keeps another period, server_timezone)'])
  standIn.setApiFault(undefined)
  t.strictSame(told(await apply()), ['a: done'])
})

t.test('without its policy a heartbeat is made all the same, and gets it with the next apply', async t => {
  const { apply, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'answer', status: 422, body: { error: 'no' } }, { method: 'POST', part: 'policies' })
  t.match(told(await apply()), [/^escalation: failed \(status 422: no\)/, 'heartbeats: done', /^a: failed .*policy_id/])
  t.equal(standIn.items('heartbeats').length, names.length)
  standIn.setApiFault(undefined)
  t.strictSame(told(await apply()), ['escalation: done', 'a: done', 'b: done', 'c: done'])
})

t.test('a list that cannot be read stops it before anything is made, and half way says what was done', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'status', status: 500 }, { method: 'GET', part: 'monitors' })
  await t.rejects(apply(), /did not list its monitors \(status 500/)
  t.equal(posts(), 0)
  standIn.setApiFault(undefined)
  const places = { 2: ['a: done', 'b: not tried', 'c: not tried'], 3: ['b: done', 'c: done'] }
  for (const [skip, expected] of Object.entries(places)) {
    standIn.setApiFault(undefined)
    standIn.setApiFault({ kind: 'status', status: 500 }, { method: 'GET', part: '/heartbeats', skip: Number(skip) })
    const result = await apply()
    t.match(result.stopped, /did not list its heartbeats/, `after ${skip} lists`)
    t.strictSame(told(result).slice(-expected.length), expected)
  }
  standIn.setApiFault(undefined)
  t.strictSame(told(await apply()), [])
})

t.test('a token of the whole organisation makes nothing before somebody says whose', async t => {
  const { apply, standIn } = await open(t, undefined, 'betterstack-token-of-the-organisation')
  const theirs = standIn.add('heartbeats', { name: '[jobs] a', period: 60, grace: 1, team_name: 'Staging' })
  t.match(await apply(), { stopped: /say whose things are meant with --team/, applied: { length: wanted.length } })
  t.match(theirs.attributes, { period: 60 })
})

t.test('a token that is refused half way stops it, and what is left is named', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'status', status: 403 }, { method: 'POST', part: '[jobs] b' })
  const result = await apply()
  t.match(result.stopped, /refused our token \(status 403/)
  t.strictSame(told(result), ['escalation: done', 'heartbeats: done', 'a: done', 'b: not tried', 'c: not tried'])
  t.equal(posts(), 4)
})

t.test('somebody who stops it is obeyed before the next write, and what was sent is told as it is', async t => {
  const { apply, posts, standIn, told } = await open(t)
  const stopping = new AbortController()
  standIn.setApiFault({ kind: 'silent' }, { method: 'POST', part: '[jobs] b' })
  const result = await apply({
    signal: stopping.signal,
    onStep: text => {
      // While the write is on its way.
      if (text.endsWith('[jobs] b')) setImmediate(() => stopping.abort())
    },
  })
  t.equal(result.stopped, 'interrupted')
  t.equal(posts(), 4)
  t.match(told(result).slice(2), [/^a: done/, /^b: done/, /^c: not tried/])
})
