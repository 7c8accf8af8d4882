import t, { type Test } from 'tap'
import { startBetterStack } from '../../src/sandbox/betterstack.ts'

interface Shown {
  readonly data: { readonly id: string; readonly type: string; readonly attributes: Readonly<Record<string, unknown>> }
}

async function open(t: Test) {
  let now = new Date('2026-10-01T12:00:00Z')
  const betterStack = await startBetterStack({ clock: () => now })
  t.teardown(betterStack.close)
  const ask = async (method: string, path: string, body?: unknown, token = betterStack.apiToken) => {
    const answer = await fetch(`${betterStack.url}/api/v2/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? null : JSON.parse(text)) as Shown }
  }
  const advance = (ms: number): void => {
    now = new Date(now.getTime() + ms)
  }
  return { advance, ask, betterStack }
}

const monitor = { monitor_type: 'status', url: 'https://x.test/', http_method: 'GET' }

t.test('what is made gets defaults, lists have links, and what is gone is 404', async t => {
  const { ask, betterStack } = await open(t)
  const made = await ask('POST', 'monitors', monitor)
  t.match(made, { status: 201, body: { data: { type: 'monitor', id: /^\d+$/, attributes: { http_method: 'get' } } } })
  t.match(made.body.data.attributes, { check_frequency: 180, verify_ssl: true, policy_id: null, status: 'pending' })
  for (let count = 0; count < 2; count += 1) await ask('POST', 'monitors', monitor)
  t.equal(betterStack.items('monitors').length, 3, 'names need not differ')
  t.match(await ask('GET', 'monitors?per_page=2'), {
    status: 200,
    body: {
      data: { length: 2 },
      pagination: { prev: null, next: `${betterStack.url}/api/v2/monitors?page=2&per_page=2` },
    },
  })
  t.match(await ask('GET', 'monitors?per_page=2&page=2'), { body: { data: { length: 1 }, pagination: { next: null } } })
  t.equal((await ask('GET', 'monitors?per_page=251')).status, 400)
  const { id } = made.body.data
  t.equal((await ask('DELETE', `monitors/${id}`)).status, 204)
  t.match(await ask('DELETE', `monitors/${id}`), { status: 404, body: { errors: /not found/ } })
  t.equal((await ask('GET', `monitors/${id}`)).status, 404)
})

t.test('a change keeps the rest, headers by id, and pausing is read back as a moment', async t => {
  const { ask } = await open(t)
  const { body } = await ask('POST', 'monitors', { ...monitor, request_headers: [{ name: 'A', value: '1' }] })
  const [header] = body.data.attributes['request_headers'] as { id: string }[]
  const path = `monitors/${body.data.id}`
  const changed = await ask('PATCH', path, {
    paused: true,
    request_headers: [
      { id: header?.id, value: '2' },
      { name: 'B', value: '3' },
    ],
  })
  t.match(changed.body.data.attributes, {
    url: monitor.url,
    status: 'paused',
    paused_at: '2026-10-01T12:00:00.000Z',
    request_headers: [{ id: header?.id, name: 'A', value: '2' }, { name: 'B' }],
  })
  const less = await ask('PATCH', path, { paused: false, request_headers: [{ id: header?.id, _destroy: true }] })
  t.match(less.body.data.attributes, { paused_at: null, request_headers: { length: 1, 0: { name: 'B' } } })
})

t.test('a heartbeat of the API has an address, and a status by the clock', async t => {
  const { advance, ask } = await open(t)
  const made = await ask('POST', 'heartbeats', { name: 'x', period: 60, grace: 30, server_timezone: 'Europe/Lisbon' })
  const { attributes, id } = made.body.data
  t.match(attributes, { status: 'pending', server_timezone: null }, 'no zone under an hour')
  const statusNow = async () => (await ask('GET', `heartbeats/${id}`)).body.data.attributes['status']
  await fetch(String(attributes['url']))
  t.equal(await statusNow(), 'up')
  advance(90_001)
  t.equal(await statusNow(), 'down')
  await ask('PATCH', `heartbeats/${id}`, { grace: 60 })
  t.equal(await statusNow(), 'up', 'a longer grace')
  await fetch(`${String(attributes['url'])}/fail`)
  t.equal(await statusNow(), 'down')
  await ask('PATCH', `heartbeats/${id}`, { paused: true })
  t.equal(await statusNow(), 'paused')
})

t.test('what is wrong is refused in the form of the vendor, and what is not modelled loudly', async t => {
  const { ask, betterStack } = await open(t)
  t.match(await ask('GET', 'monitors', undefined, 'wrong'), { status: 401, body: { errors: /Invalid/ } })
  t.match(await ask('POST', 'monitors', monitor, betterStack.readOnlyToken), { status: 403, body: { errors: [{}] } })
  t.match(await ask('POST', 'heartbeats', { name: 'x' }), {
    status: 422,
    body: { errors: { period: ["can't be blank", /greater/], grace: ["can't be blank", /greater/] } },
  })
  t.match(await ask('POST', 'monitors', { ...monitor, url: 'x' }), {
    status: 422,
    body: { errors: { base: ['URL is invalid.'] } },
  })
  for (const [name, value] of [
    ['request_timeout', 7],
    ['check_frequency', 31],
    ['ssl_expiration', 4],
    ['regions', ['mars']],
    ['policy_id', '99'],
  ] as const) {
    const refused = await ask('POST', 'monitors', { ...monitor, [name]: value })
    t.match(refused, { status: 422, body: { errors: { [name]: [/./] } } }, name)
  }
  t.match(await ask('POST', 'monitors', { ...monitor, speed: 1 }), {
    status: 501,
    body: { error: /speed of monitors/ },
  })
  t.equal((await ask('PUT', 'monitors')).status, 501)
  t.equal((await ask('GET', 'monitors?pronounceable_name=x')).status, 501, 'a filter that would be ignored')
  const organisation = 'betterstack-token-of-the-organisation'
  t.match(await ask('POST', 'monitors', monitor, organisation), {
    status: 422,
    body: { errors: { team_name: [/required/] } },
  })
  t.equal((await ask('POST', 'monitors', { ...monitor, team_name: 'Other' }, organisation)).status, 201)
  t.match(await ask('GET', 'monitors?team_name=Other', undefined, organisation), { body: { data: { length: 1 } } })
  t.match(await ask('GET', 'monitors'), { body: { data: { length: 0 } } }, 'nobody sees those of another team')
  t.equal(betterStack.items('monitors').length, 1)
})
