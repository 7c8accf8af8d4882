import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { testApp } from '../support/app.ts'
import { testJob } from '../support/runner.ts'

const variable = 'BETTERSTACK_KEEP_ALIVE_HEARTBEAT'

interface Host {
  readonly url: string
  readonly asked: () => number
  /** Lets whoever hangs go. */
  readonly release: () => void
}

async function startHost(
  t: Test,
  behave: (response: http.ServerResponse, request: http.IncomingMessage) => void,
): Promise<Host> {
  let asked = 0
  const waiting = new Set<http.ServerResponse>()
  const server = http.createServer((request, response) => {
    asked += 1
    waiting.add(response)
    behave(response, request)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const release = (): void => {
    for (const response of waiting) response.destroy()
  }
  t.teardown(() => {
    release()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token-of-tests`,
    asked: () => asked,
    release,
  }
}

t.test('whatever the heartbeat host does, the job is answered first and as it ended', async t => {
  const answer =
    (status: number, headers: Record<string, string> = {}) =>
    (response: http.ServerResponse) => {
      response.writeHead(status, headers).end()
    }
  const hosts = {
    hangs: await startHost(t, () => {}),
    resets: await startHost(t, (_response, request) => request.socket.destroy()),
    'answers 500': await startHost(t, answer(500)),
    'answers 429': await startHost(t, answer(429, { 'retry-after': '3600' })),
    'does not resolve': { url: 'https://heartbeat.invalid/token-of-tests', asked: () => 1, release: () => {} },
  }
  for (const [name, host] of Object.entries(hosts)) {
    await t.test(`the host ${name}`, async t => {
      const jobs = [testJob({ heartbeat: variable })]
      const { db, deliver } = await testApp(t, { jobs, env: { [variable]: host.url } })
      const reply = await deliver('/jobs/test-job')
      t.match(reply, { statusCode: 200, json: { outcome: 'succeeded' } })
      const ping = async () =>
        await db.selectFrom('jobs.heartbeat_pings').select(['kind', 'state']).executeTakeFirstOrThrow()
      t.match(await ping(), { kind: 'success', state: /^(?:pending|sending)$/ }, 'the answer did not wait for the ping')
      while (host.asked() === 0) await new Promise(resolve => setTimeout(resolve, 5))
      t.match((await deliver('/jobs/test-job')).json, { outcome: 'succeeded' }, 'nor does the next run')
      host.release()
    })
  }
})

t.test('a ping that could not be sent goes out when the host is back, and the newest alone', async t => {
  let up = false
  const paths: string[] = []
  const host = await startHost(t, (response, request) => {
    if (up) paths.push(request.url ?? '')
    response.writeHead(up ? 200 : 500).end()
  })
  const jobs = [testJob({ heartbeat: variable })]
  const { app, clock, db, deliver } = await testApp(t, { jobs, env: { [variable]: host.url } })
  await deliver('/jobs/test-job')
  await deliver('/jobs/test-job')
  while (host.asked() === 0) await new Promise(resolve => setTimeout(resolve, 5))
  up = true
  clock.advance(6 * 60_000)
  while (paths.length === 0) {
    await deliver('/jobs/test-job')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await app.close()
  t.ok(paths.every(path => path === '/token-of-tests'))
  t.ok(paths.length < (await countPings()), 'older ones were dropped')

  async function countPings(): Promise<number> {
    return (await db.selectFrom('jobs.heartbeat_pings').select('id').execute()).length
  }
})

t.test('a preview pings nothing', async t => {
  const host = await startHost(t, response => response.end())
  const jobs = [testJob({ heartbeat: variable })]
  const env = { [variable]: host.url, IS_PULL_REQUEST: 'true' }
  const { db, deliver } = await testApp(t, { jobs, env })
  t.equal((await deliver('/jobs/test-job')).statusCode, 200)
  t.same(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [])
  t.equal(host.asked(), 0)
})

t.test('a heartbeat that is not configured is one warning at boot and no error', async t => {
  const { deliver, logs } = await testApp(t)
  t.equal((await deliver('/jobs/test-job')).statusCode, 200)
  const warnings = logs().filter(line => /heartbeats are not configured/.test(String(line['msg'])))
  t.match(warnings, [{ missing: ['TEST_HEARTBEAT'] }])
})
