import t from 'tap'
import { hashPlan } from '../../src/runner/plan-hash.ts'
import { describeStored } from '../../src/runner/stored-plan.ts'

t.test('a plan is kept in few bytes, however many rows its effects name, and is compared as before', async t => {
  const idsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `id-${index}`)
  const many = { kind: 'delete', subject: 'rows', ids: idsOf(10_000) }
  const few = { kind: 'delete', subject: 'others', ids: idsOf(100), note: 'x'.repeat(500) }
  const { effects } = describeStored({ effects: [many, few] }) as { effects: (typeof many)[] }
  t.match(effects, [{ kind: 'delete', subject: 'rows', ids: { length: 100 }, idsCut: 9_900 }, few])
  t.same(effects[0]?.ids[0], 'id-0')
  t.same(effects[1], few, 'what is short is kept whole')
  t.equal(hashPlan(effects), hashPlan([many, few]))
  t.ok(JSON.stringify(effects).length < 5_000)
  t.equal(many.ids.length, 10_000, 'the plan itself is not cut')
})
