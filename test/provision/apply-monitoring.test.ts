import t, { type Test } from 'tap'
import { createBetterStack } from '../../src/providers/betterstack.ts'
import { createHttp } from '../../src/providers/http.ts'
import { applyMonitoring, type ApplyOptions } from '../../src/provision/apply-monitoring.ts'
import { wantedHeartbeatGroup, wantHeartbeats } from '../../src/provision/heartbeats.ts'
import { wantedPolicy } from '../../src/provision/policy.ts'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'

const names = ['a', 'b', 'c']
const wanted = [
  wantedPolicy,
  wantedHeartbeatGroup,
  ...wantHeartbeats(
    names.map(name => ({
      name,
      cron: '0 * * * *',
      timeZone: 'UTC',
      class: 'financial',
      priority: 'critical',
      heartbeat: `BETTERSTACK_${name}_HEARTBEAT`,
    })),
    true,
  ),
]

async function open(t: Test) {
  const standIn = await startBetterStack()
  t.teardown(standIn.close)
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
  })
  const access = {
    url: standIn.url,
    token: standIn.apiToken,
    fetch: http.fetch,
    callsPerSecond: 1_000,
    timeoutMs: 100,
    wait: async () => {},
  }
  const monitoring = createBetterStack(access)
  const apply = async (options: Partial<ApplyOptions> = {}) =>
    await applyMonitoring(monitoring, {
      wanted,
      limits: { most: undefined, shortestCheckSeconds: 30, policies: true },
      prune: false,
      signal: new AbortController().signal,
      settleMs: 1,
      ...options,
    })
  const posts = (): number => standIn.apiCalls().filter(({ method }) => method === 'POST').length
  const told = ({ applied }: Awaited<ReturnType<typeof apply>>) =>
    applied.map(
      ({ name, outcome, reason }) => `${name.slice(7)}: ${outcome}${reason === undefined ? '' : ` (${reason})`}`,
    )
  return { apply, posts, standIn, told }
}

t.test('a create that may still come true is not sent again', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'hang' }, { method: 'POST', part: '[jobs] b', times: 1 })
  const result = await apply()
  t.equal(posts(), wanted.length)
  t.strictSame(told(result).slice(2), [
    'a: done',
    'b: failed (no answer in time: it may still come true, so look in a minute, and apply again then)',
    'c: done',
  ])
  t.strictSame(told(await apply()), ['b: done'])

  const done = await open(t)
  done.standIn.setApiFault({ kind: 'silent' }, { method: 'POST', part: '[jobs] b', times: 1 })
  t.notOk(
    (await done.apply()).applied.some(({ outcome }) => outcome !== 'done'),
    'the list says that it was made',
  )
})

t.test('a lost create that never happened is sent once more, and no oftener', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'reset' }, { method: 'POST', part: '[jobs] b' })
  const result = await apply()
  t.equal(posts(), wanted.length + 1)
  t.match(told(result)[3], /^b: failed \(no answer/)
})

t.test('a throttled create waits as long as it is asked to', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'status', status: 429, retryAfter: '1' }, { method: 'POST', part: '[jobs] b', times: 1 })
  const result = await apply()
  t.ok(told(result).every(line => line.endsWith(': done')))
  t.equal(posts(), wanted.length + 1)
  const refused = standIn.apiCalls().find(({ status }) => status === 429)
  const again = standIn.apiCalls().findLast(({ method }) => method === 'POST')
  t.ok((again?.at.getTime() ?? 0) - (refused?.at.getTime() ?? 0) >= 1_000)
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
  standIn.setApiFault({ kind: 'status', status: 500 }, { method: 'GET', part: '/heartbeats', skip: 1 })
  const result = await apply()
  t.match(result.stopped, /did not list its heartbeats/)
  t.strictSame(told(result), ['escalation: done', 'heartbeats: done', 'a: done', 'b: done', 'c: done'])
  standIn.setApiFault(undefined)
  t.strictSame(told(await apply()), [])
})

t.test('a token that is refused half way stops it, and what is left is named', async t => {
  const { apply, posts, standIn, told } = await open(t)
  standIn.setApiFault({ kind: 'status', status: 403 }, { method: 'POST', part: '[jobs] b' })
  const result = await apply()
  t.match(result.stopped, /refused our token \(status 403/)
  t.strictSame(told(result), ['escalation: done', 'heartbeats: done', 'a: done', 'b: not tried', 'c: not tried'])
  t.equal(posts(), 4)
})

t.test('somebody who stops it is obeyed before the next write', async t => {
  const { apply, posts } = await open(t)
  const stopping = new AbortController()
  const result = await apply({
    signal: stopping.signal,
    onStep: text => {
      if (text.endsWith('[jobs] b')) stopping.abort()
    },
  })
  t.equal(result.stopped, 'interrupted')
  t.equal(posts(), 3)
})
