import { getEventListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { limitTime, withinTime } from '../src/time-limit.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Looks at the signal without listening to it, while what nobody holds is collected. */
async function look(signal: AbortSignal): Promise<string> {
  for (let turns = 0; turns < 25; turns += 1) {
    if (signal.aborted) return 'ended'
    await wait(2)
    collect()
  }
  return 'never ended'
}

t.test('a limit comes although nobody listens and whatever is not held is collected', async t => {
  const caller = new AbortController()
  const merged = AbortSignal.any([caller.signal, AbortSignal.timeout(1)])
  t.equal(await look(merged), 'never ended', 'what this is for: once Node mends it, the limit may be made of theirs')
  t.equal(await withinTime(caller.signal, 1, look), 'ended')
})

t.test('it ends with whichever comes first, and says which', async t => {
  const [one, two] = [new AbortController(), new AbortController()]
  const limits = [limitTime(60_000, one.signal, two.signal), limitTime(1)] as const
  t.teardown(() => {
    for (const { clear } of limits) clear()
  })
  const [either, late] = limits
  t.notOk(either.signal.aborted)
  two.abort(new Error('two'))
  t.match(either.signal.reason, { message: 'two' })
  const ended = limitTime(60_000, two.signal)
  ended.clear()
  t.match(ended.signal.reason, { message: 'two' }, 'of one that has ended already')
  await new Promise(resolve => {
    late.signal.addEventListener('abort', resolve, { once: true })
  })
  t.match(late.signal.reason, { name: 'TimeoutError', message: 'no answer within 1 ms' })
})

t.test('nothing of it is left once it is over, also when what it limited fails', async t => {
  const caller = new AbortController()
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const failing = withinTime(caller.signal, 60_000, async () => await Promise.reject(new Error('no')))
  t.same([getEventListeners(caller.signal, 'abort').length, timers()], [1, before + 1])
  await t.rejects(failing, { message: 'no' })
  t.same([getEventListeners(caller.signal, 'abort').length, timers()], [0, before])
})
