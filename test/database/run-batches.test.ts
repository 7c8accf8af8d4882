import { type CompiledQuery, sql } from 'kysely'
import t, { type Test } from 'tap'
import { createBatches } from '../../src/database/batches.ts'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import { createRunBatches } from '../../src/database/run-batches.ts'
import { type Claim, type ClaimRequest, type Claimed, claimRun, type RunClosing } from '../../src/database/runs.ts'
import { testDatabase } from '../support/database.ts'

const now = new Date('2026-03-10T12:00:00.000Z')
let ids = 0

function newId(): string {
  ids += 1
  return `00000000-0000-7000-8000-${String(ids).padStart(12, '0')}`
}

function request(job: string, overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  const runId = newId()
  const deadlineAt = new Date(now.getTime() + 60_000)
  const plain = { trigger: 'message', slot: null, everySlotCounts: false, dryRun: false, operator: null } as const
  const by = { owner: 'here', leaseMs: 10_000, now, deadlineAt, tokenHash: null }
  return { ...plain, ...by, runId, job, messageId: `msg_${runId}`, ...overrides }
}

function closing(job: string, claim: Claim, overrides: Partial<RunClosing> = {}): RunClosing {
  const { attempt, runId, term } = claim as Claimed
  const ended = { state: 'succeeded', final: true, now, planHash: null, errorCode: null, message: null } as const
  const said = { report: { planned: 0 }, plan: null, releaseLease: true, findings: [], ping: null }
  return { ...ended, ...said, owner: 'here', runId, job, attempt, term, ...overrides }
}

function jobNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `job-${String(index).padStart(2, '0')}`)
}

/** The same pool, with the functions that were called through it and the jobs they were called for. */
function watch(db: Db): { db: Db; sent: string[]; jobs: unknown[] } {
  const sent: string[] = []
  const jobs: unknown[] = []
  const executeQuery = async (query: CompiledQuery): Promise<unknown> => {
    sent.push(/jobs\.\w+/.exec(query.sql)?.[0] ?? query.sql)
    jobs.push(query.parameters[1])
    return await db.executeQuery(query)
  }
  return { db: { executeQuery } as unknown as Db, sent, jobs }
}

function anotherPool(t: Test, url: string, maxConnections = 10): Db {
  const db = createDatabase({ connectionString: url, maxConnections, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
  })
  return db
}

async function statesOf(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('jobs.runs').select('state').execute()
  return rows.map(row => row.state)
}

t.test(
  'what comes while two statements are on their way shares the next one, and each caller gets its own answer',
  async t => {
    const { db } = await testDatabase(t)
    const watched = watch(db)
    const batches = createRunBatches(watched.db)
    const jobs = jobNames(20).toReversed()
    const requests = jobs.map(job => request(job))
    const early = requests.slice(0, 2).map(async one => await batches.claim(one))
    await new Promise<void>(resolve => process.nextTick(resolve))
    const claims = await Promise.all([...early, ...requests.slice(2).map(async one => await batches.claim(one))])
    t.strictSame(
      claims.map(claim => claim.verdict === 'claimed' && claim.runId),
      requests.map(one => one.runId),
    )
    t.ok(watched.sent.length < 5, `${watched.sent.length} statements`)
    t.ok(watched.sent.includes('jobs.claim_runs'))

    const closings = jobs.map((job, index) => closing(job, claims[index] as Claim))
    // In between, one that names a term which is not its own.
    closings[7] = { ...(closings[7] as RunClosing), term: '99' }
    watched.sent.length = 0
    const closed = await Promise.all(closings.map(async one => await batches.close(one)))
    t.strictSame(
      closed,
      jobs.map((_, index) => index !== 7),
    )
    t.strictSame(watched.sent, ['jobs.close_runs'])
    t.strictSame((await statesOf(db)).filter(state => state === 'running').length, 1)
  },
)

t.test('a caller who is alone sends the plain statement', async t => {
  const { db } = await testDatabase(t)
  const watched = watch(db)
  const batches = createRunBatches(watched.db)
  const claim = await batches.claim(request('job-00'))
  t.equal(await batches.close(closing('job-00', claim)), true)
  t.strictSame(watched.sent, ['jobs.claim_run', 'jobs.close_run'])
})

t.test('everything a claim and a closing carry goes through a batch unchanged', async t => {
  const { db } = await testDatabase(t)
  const { claim, close } = createRunBatches(db)
  const slot = new Date('2026-03-10T11:50:00.000Z')
  const tokenHash = Buffer.from('00ff5c22', 'hex')
  const full = request('job-00', { slot, tokenHash, operator: 'ana "{\\}", o\'né', dryRun: true, trigger: 'operator' })
  const claims = await Promise.all([claim(full), claim(request('job-01')), claim(request('job-02'))])
  t.match(claims[0], { verdict: 'claimed', term: null, slot, attempt: 1 })
  const findings = [{ kind: 'odd', subject: 'a,b', message: 'x"\\y', details: { n: [1, null, '{'] } }]
  const ping = { kind: 'fail', body: 'line 1\nline "2", {3}', trueUntil: slot } as const
  const said = { message: 'NULL', errorCode: 'null', planHash: '', plan: { kind: 'é,"' }, report: { a: '\0{"' } }
  const ended = closing('job-00', claims[0], { ...said, state: 'failed', final: false, findings, ping })
  t.strictSame(await Promise.all([close(closing('job-01', claims[1])), close(ended)]), [true, true])
  const run = await db.selectFrom('jobs.runs').selectAll().where('job', '=', 'job-00').executeTakeFirstOrThrow()
  t.match(run, { operator: full.operator, trigger: 'operator', dry_run: true, slot, deadline_at: full.deadlineAt })
  t.match(run, { message: 'NULL', error_code: 'null', plan_hash: '', plan: said.plan, report: { a: '{"' } })
  t.match(await db.selectFrom('jobs.findings').selectAll().execute(), [
    { subject: 'a,b', details: { n: [1, null, '{'] } },
  ])
  t.match(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [{ kind: 'fail', body: ping.body }])
  const { rows } = await sql<{ token_hash: Buffer }>`select token_hash from jobs.delivery_tokens`.execute(db)
  t.strictSame(rows, [{ token_hash: tokenHash }])
})

t.test('of the claims of one job in one batch exactly one wins', async t => {
  const { db } = await testDatabase(t)
  const watched = watch(db)
  const batches = createRunBatches(watched.db)
  const claims = await Promise.all(Array.from({ length: 8 }, async () => await batches.claim(request('job-00'))))
  t.strictSame(watched.sent, ['jobs.claim_runs'])
  const verdicts = claims.map(claim => claim.verdict).toSorted()
  t.strictSame(verdicts, [...Array.from({ length: 7 }, () => 'busy'), 'claimed'])
  t.strictSame(await statesOf(db), ['running'])
})

t.test('one message that comes twice in one batch runs once', async t => {
  const { db } = await testDatabase(t)
  const batches = createRunBatches(db)
  const twins = Array.from({ length: 2 }, () => request('job-00', { messageId: 'msg_1' }))
  const claims = await Promise.all(twins.map(async twin => await batches.claim(twin)))
  t.strictSame(claims.map(claim => claim.verdict).toSorted(), ['busy', 'claimed'])
})

t.test('an element that Postgres refuses fails alone', async t => {
  const { db } = await testDatabase(t)
  const batches = createRunBatches(db)
  const poisoned = request('job-01', { messageId: 'a\0b' })
  const [before, bad, after] = await Promise.allSettled(
    [request('job-00'), poisoned, request('job-02')].map(async one => await batches.claim(one)),
  )
  t.match([before, after], [{ value: { verdict: 'claimed', attempt: 1, term: '1' } }, { value: { term: '1' } }])
  t.match(bad, { status: 'rejected', reason: { code: '22021' } })
  const claims = [before, after].map(one => (one as PromiseFulfilledResult<Claim>).value)
  const closings = [closing('job-00', claims[0] as Claim, { message: 'a\0b' }), closing('job-02', claims[1] as Claim)]
  const closed = await Promise.allSettled(closings.map(async one => await batches.close(one)))
  t.match(closed, [{ reason: { code: '22021' } }, { value: true }])
  t.strictSame((await statesOf(db)).toSorted(), ['running', 'succeeded'])
})

t.test('a lost connection fails its whole batch and nothing is sent again', async t => {
  const { db: admin, url } = await testDatabase(t)
  const watched = watch(anotherPool(t, url))
  const batches = createRunBatches(watched.db)
  const gate = await admin.startTransaction().execute()
  await sql`lock table jobs.job_settings`.execute(gate)
  const claims = jobNames(3).map(async job => await batches.claim(request(job)))
  const settled = Promise.allSettled(claims)
  while ((await endWaiting(admin)) === 0) await new Promise(resolve => setTimeout(resolve, 2))
  t.match(
    await settled,
    Array.from({ length: 3 }, () => ({ status: 'rejected' })),
  )
  await gate.rollback().execute()
  t.strictSame(watched.sent, ['jobs.claim_runs'])
  t.strictSame(await statesOf(admin), [])
})

/** Ends whoever waits for a lock in this database; says how many. */
async function endWaiting(db: Db): Promise<number> {
  const { rows } = await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
  return rows.length
}

t.test('a lease that somebody holds on to keeps its own claims waiting and no others', async t => {
  const { db } = await testDatabase(t)
  await claimRun(db, request('job-01', { dryRun: true }))
  const first = await claimRun(db, request('job-01'))
  t.equal(await createRunBatches(db).close(closing('job-01', first)), true)
  const batches = createRunBatches(db)
  const gate = await db.startTransaction().execute()
  await sql`select from jobs.leases where job = 'job-01' for update`.execute(gate)
  const waiting = new Set<string>()
  const claimOf = async (job: string): Promise<Claim> => {
    waiting.add(job)
    try {
      return await batches.claim(request(job))
    } finally {
      waiting.delete(job)
    }
  }
  const alone = [claimOf('job-01')]
  await new Promise(resolve => setImmediate(resolve))
  alone.push(claimOf('job-01'))
  await new Promise(resolve => setImmediate(resolve))
  const mixed = ['job-00', 'job-01', 'job-02'].map(claimOf)
  t.match(await Promise.all([mixed[0], mixed[2]]), [{ verdict: 'claimed' }, { verdict: 'claimed' }])
  t.strictSame([...waiting], ['job-01'], 'the others did not wait for the gate')
  await gate.rollback().execute()
  const verdicts = (await Promise.all([...alone, mixed[1] as Promise<Claim>])).map(claim => claim.verdict)
  t.strictSame(verdicts.toSorted(), ['busy', 'busy', 'claimed'])
})

t.test('two processes whose batches cross take the leases in one order', async t => {
  const { db, url } = await testDatabase(t)
  const jobs = jobNames(24)
  const watched = [watch(db), watch(anotherPool(t, url))]
  const sides = watched.map(side => createRunBatches(side.db))
  for (let round = 0; round < 10; round += 1) {
    const claimed = await Promise.all(
      sides.map(async ({ claim, close }, side) => {
        const order = side === 0 ? jobs : jobs.toReversed()
        const claims = await Promise.all(order.map(async job => await claim(request(job))))
        const mine = claims.flatMap((one, index) =>
          one.verdict === 'claimed' ? [closing(order[index] as string, one)] : [],
        )
        const closed = await Promise.all(mine.map(async one => await close(one)))
        t.notOk(closed.includes(false))
        return mine.length
      }),
    )
    t.ok(claimed.reduce((sum, count) => sum + count) >= jobs.length, 'each job ran')
  }
  const batches = watched.flatMap(side => side.jobs).filter(jobsOfOne => Array.isArray(jobsOfOne)) as string[][]
  t.ok(batches.length >= 20, `${batches.length} batches`)
  const isSorted = (names: readonly string[]): boolean =>
    names.every((name, index) => index === 0 || (names[index - 1] ?? '') < name)
  t.ok(batches.every(isSorted))
})

t.test('a batch is no larger than allowed, sorted, and no more of them are on their way than allowed', async t => {
  let inFlight = 0
  let most = 0
  const sizes: number[] = []
  const run = async (inputs: readonly number[]): Promise<number[]> => {
    inFlight += 1
    most = Math.max(most, inFlight)
    sizes.push(inputs.length)
    t.strictSame(
      inputs,
      inputs.toSorted((a, b) => a - b),
    )
    await new Promise(resolve => setImmediate(resolve))
    inFlight -= 1
    return inputs.map(input => input * 10)
  }
  const ask = createBatches<number, number>({
    maxInFlight: 2,
    maxSize: 4,
    compare: (a, b) => a - b,
    runAll: run,
    runOne: async input => (await run([input]))[0] as number,
  })
  const inputs = [9, 3, 7, 1, 8, 2, 6, 4, 5]
  t.strictSame(
    await Promise.all(inputs.map(ask)),
    inputs.map(input => input * 10),
  )
  t.strictSame(sizes, [4, 4, 1])
  t.equal(most, 2)
})
