import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { testDatabase } from '../support/database.ts'

const script = path.join(import.meta.dirname, '../support/round-trip.ts')
const run = promisify(execFile)

const moments = [
  '2026-05-10T12:34:56.789Z',
  // Wall clocks that do not exist in New York and in Auckland.
  '2026-03-08T02:30:00.000Z',
  '2026-09-27T02:30:00.000Z',
  // Wall clocks that exist there twice.
  '2026-11-01T01:30:00.000Z',
  '2026-04-05T02:30:00.000Z',
  // Another day, and another year, in both.
  '2026-05-10T23:59:59.999Z',
  '2026-05-10T00:00:00.000Z',
  '2026-12-31T23:30:00.000Z',
  '2024-02-29T00:30:00.000Z',
  '1969-12-31T23:59:59.999Z',
]

t.test('times and days of the marketplace are UTC whatever zone the process has', async t => {
  const { url } = await testDatabase(t)
  const zones = [
    ['UTC', 0],
    ['America/New_York', 300],
    ['Pacific/Auckland', -780],
  ] as const
  await Promise.all(
    zones.map(async ([zone, offset]) => {
      const { stdout } = await run(process.execPath, [script, url, JSON.stringify(moments)], {
        env: { ...process.env, TZ: zone },
      })
      const answer = JSON.parse(stdout) as { offset: number; rows: unknown[] }
      t.equal(answer.offset, offset, `the process really is in ${zone}`)
      t.same(
        answer.rows,
        moments.map(iso => ({
          date: iso.slice(0, 10),
          created_at: iso,
          text: iso.replace('T', ' ').replace(/(?:\.000|0*)Z$/, ''),
          same: true,
          day: iso.slice(0, 10),
          ours: iso,
        })),
        zone,
      )
    }),
  )
})
