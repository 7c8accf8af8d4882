import t from 'tap'
import { remember } from '../../src/notices/remember.ts'

t.test('a thing is made once for its names, undefined ones too, and the oldest of many is forgotten', async t => {
  const made: string[] = []
  const find = remember((first: string, second: string) => {
    made.push(`${first} ${second}`)
    return second === '' ? undefined : made.length
  })
  t.strictSame([find('a', 'b'), find('ab', ''), find('a', 'b'), find('ab', '')], [1, undefined, 1, undefined])
  for (let number = 0; number < 499; number += 1) find('many', String(number))
  t.equal(made.length, 501)
  t.equal(find('many', '0'), 3)
  t.equal(find('a', 'b'), 502, 'made again')
})
