import t from 'tap'
import { testApp } from '../support/app.ts'
import { call } from '../support/door.ts'
import { testJob } from '../support/runner.ts'
import { headerLines, readVectors, vectorsMissing } from '../support/vectors.ts'

const address = 'https://jobs.example.com/api/cron/keep-alive'

// What the routes make of a request that the signature check lets through.
const beyondTheGate: Readonly<Record<string, number>> = {
  'valid-signature-proto-poisoning-body': 489,
  'valid-text-body-with-charset': 489,
  'valid-gzip-hash-over-wire-bytes': 489,
  'valid-put': 405,
}

t.test('the given vectors come out of the whole service as they should', { skip: vectorsMissing }, async t => {
  const vectors = readVectors().filter(vector => vector.url === address)
  const byKeys = Object.groupBy(vectors, vector => `${vector.currentSigningKey} ${vector.nextSigningKey}`)
  for (const group of Object.values(byKeys)) {
    const [first] = group ?? []
    const app = await testApp(t, {
      jobs: [testJob({ name: 'keep-alive' })],
      env: {
        PUBLIC_URL: 'https://jobs.example.com',
        QSTASH_CURRENT_SIGNING_KEY: first?.currentSigningKey ?? '',
        QSTASH_NEXT_SIGNING_KEY: first?.nextSigningKey ?? '',
      },
    })
    const port = Number(new URL(app.url).port)
    for (const vector of group ?? []) {
      app.clock.set(new Date(vector.nowEpochSeconds * 1000).toISOString())
      const headers = headerLines(vector)
      const body = Buffer.from(vector.bodyBase64, 'base64')
      const answer = await call(port, { method: vector.method, target: '/api/cron/keep-alive', headers, body })
      const expected = vector.expect === 'reject' ? 401 : (beyondTheGate[vector.name] ?? 200)
      t.equal(answer.status, expected, vector.name)
    }
  }
})
