import fc from 'fast-check'
import t from 'tap'
import { operationStates } from '../../src/database/tables.ts'
import { isFinished, mayFollow, type State, transitions } from '../../src/money/operation-states.ts'

const anyState = fc.constantFrom(...operationStates)

t.test('the table knows exactly the states of the database', async t => {
  t.strictSame(Object.keys(transitions).toSorted(), [...operationStates].toSorted())
})

t.test('what may have moved money is never given up: unknown leads to no failure', async t => {
  t.notOk(mayFollow('unknown', 'failed'))
  t.notOk(mayFollow('unknown', 'rejected'))
  t.notOk(mayFollow('sending', 'failed'))
  t.notOk(mayFollow('sending', 'planned'))
})

t.test('what has moved money is never sent again, whatever way one takes', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom<State>('created', 'paid', 'failed'),
      fc.array(anyState, { maxLength: 12 }),
      (from, path) => {
        let state = from
        for (const next of path) if (mayFollow(state, next)) state = next
        return ['created', 'paid', 'failed', 'canceled'].includes(state)
      },
    ),
  )
})

t.test('nothing leads out of failed, canceled and rejected, and every state leads to an end', async t => {
  for (const state of operationStates) {
    const reached = new Set<State>([state])
    for (const each of reached) for (const next of transitions[each]) reached.add(next)
    t.ok([...reached].some(isFinished), state)
  }
  for (const state of ['failed', 'canceled', 'rejected'] as const) t.strictSame(transitions[state], [])
})

t.test('only a person releases what is held, and it is planned before it is sent', async () => {
  fc.assert(fc.property(anyState, to => !mayFollow('held', to) || to === 'planned' || to === 'canceled'))
})
