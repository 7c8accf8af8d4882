import t from 'tap'
import { startEveryMinute } from '../../src/runner/every-minute.ts'
import { type ClosedAttempt, pingFor } from '../../src/runner/ping-policy.ts'
import { recordLog, until } from '../support/pings.ts'

const truths = [true, false] as const
const classes = ['financial', 'revenue', 'experience', 'operational'] as const
const failures = ['failed', 'incomplete'] as const
const silences = ['abandoned', 'busy', 'duplicate', 'interrupted', 'paused', 'skipped'] as const
const triggers = ['schedule', 'message', 'cron', 'operator', 'cli'] as const

function listAttempts(outcomes: readonly ClosedAttempt['outcome'][]): ClosedAttempt[] {
  const flags = truths.flatMap(final =>
    truths.flatMap(lastAttempt =>
      truths.flatMap(retryLater =>
        truths.flatMap(dryRun => truths.map(pingAsked => ({ final, lastAttempt, retryLater, dryRun, pingAsked }))),
      ),
    ),
  )
  return classes.flatMap(jobClass =>
    outcomes.flatMap(outcome =>
      triggers.flatMap(trigger => flags.map(flag => ({ ...flag, class: jobClass, outcome, trigger }))),
    ),
  )
}

function isHeard({ dryRun, pingAsked, trigger }: ClosedAttempt): boolean {
  return !dryRun && (['schedule', 'message', 'cron'].includes(trigger) || pingAsked)
}

t.test('every combination gives the ping that the table of outcomes says', t => {
  const all = listAttempts(['succeeded', ...failures, ...silences])
  t.equal(all.length, 5_760)
  const silent = all.filter(attempt => !isHeard(attempt))
  t.strictSame(new Set(silent.map(pingFor)), new Set(['none']), 'dry runs, and runs by hand unless asked')
  t.strictSame(new Set(listAttempts(silences).map(pingFor)), new Set(['none']), 'what did not run')

  const succeeded = listAttempts(['succeeded']).filter(isHeard)
  t.strictSame(new Set(succeeded.map(pingFor)), new Set(['success']))

  const failed = listAttempts(failures).filter(isHeard)
  const over = failed.filter(({ final, lastAttempt }) => final || lastAttempt)
  t.strictSame(new Set(over.map(pingFor)), new Set(['fail']), 'a failure nothing will heal, of any class')
  const again = failed.filter(({ final, lastAttempt }) => !final && !lastAttempt)
  for (const attempt of again) {
    const pages = attempt.class === 'financial' && !attempt.retryLater
    if (pingFor(attempt) !== (pages ? 'fail' : 'none')) t.fail(JSON.stringify(attempt))
  }
  t.equal(again.filter(attempt => pingFor(attempt) === 'fail').length, again.length / 8, 'money at once, others wait')
  t.end()
})

t.test('the steps run at once and at every beat, one after the other, and a broken one stops nothing', async t => {
  const { lines, log } = recordLog()
  const ran: string[] = []
  const minute = startEveryMinute({
    everyMs: 5,
    steps: [
      async function closeAbandoned() {
        ran.push('first')
        throw new Error('no database')
      },
      async () => ran.push('second'),
    ],
    log,
  })
  t.strictSame(ran, ['first'], 'without waiting for a minute')
  await until(() => ran.length >= 6)
  await minute.stop()
  t.strictSame(ran.slice(0, 6), ['first', 'second', 'first', 'second', 'first', 'second'])
  t.match(JSON.parse(lines[0] ?? ''), { step: 'closeAbandoned', err: { message: 'no database' }, level: 50 })
})

t.test('passes never overlap, and stop waits for the running one and lets none follow', async t => {
  const { log } = recordLog()
  let started = 0
  let running = 0
  let most = 0
  let gate = Promise.withResolvers<void>()
  const step = async (): Promise<void> => {
    started += 1
    most = Math.max(most, ++running)
    await gate.promise
    running -= 1
  }
  let beats = 0
  const heartbeat = setInterval(() => (beats += 1), 1)
  t.teardown(() => clearInterval(heartbeat))
  const minute = startEveryMinute({ everyMs: 1, steps: [step], log })
  await until(() => beats > 20)
  t.equal(started, 1)
  gate.resolve()
  gate = Promise.withResolvers()
  await until(() => started === 2)

  let stopped = false
  const stopping = minute.stop().then(() => (stopped = true))
  beats = 0
  await until(() => beats > 20)
  t.equal(stopped, false)
  gate.resolve()
  await stopping
  beats = 0
  await until(() => beats > 20)
  t.strictSame([started, running, most], [2, 0, 1])
})
