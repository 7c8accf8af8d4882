import type { FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { drainRetrySeconds, retryAfter } from '../runner/outcomes.ts'

export interface OperatorRoutesOptions {
  /** False until the database was usable once. */
  readonly isBooted: () => boolean
}

/**
 * What all routes for operators share, for the scope it is registered in: a limit of calls, 401 without an operator's token, 503 before
 * the first boot, 415 for a body that is no JSON, and a 400 that says what to type, in the words of the schema's descriptions.
 */
export default fp<OperatorRoutesOptions>(
  async (app, { isBooted }) => {
    // First the count: a guess at a token must count before it is refused.
    app.addHook('onRequest', app.limitCalls)
    app.addHook('onRequest', app.requireOperator)
    app.addHook('onRequest', async (_request, reply) => {
      if (isBooted()) return
      reply.headers(retryAfter(drainRetrySeconds))
      throw app.httpErrors.serviceUnavailable('the database has not been reached yet: call again')
    })
    app.removeContentTypeParser('text/plain')
    app.addContentTypeParser('*', (_request, _payload, done) => {
      done(app.httpErrors.unsupportedMediaType('send JSON, with the header content-type: application/json'))
    })
    app.addHook('onRoute', route => {
      const { schema = {} } = route
      route.schemaErrorFormatter = ([error], part) => new Error(explain(schema, part, error))
    })
  },
  { name: 'operator-routes', fastify: '5.x', dependencies: ['@fastify/sensible', 'operator-auth', 'rate-limit'] },
)

interface Mistake {
  readonly keyword: string
  readonly instancePath: string
  readonly params: Record<string, unknown>
  readonly message?: string | undefined
}

function explain(schema: FastifySchema, part: string, mistake: Mistake | undefined): string {
  const { instancePath = '', keyword, message = 'something else', params = {} } = mistake ?? {}
  const fields = (schema as Record<string, Fields | undefined>)[part]?.properties ?? {}
  const noun = part === 'querystring' ? 'parameter' : 'field'
  const known = Object.keys(fields)
  if (keyword === 'additionalProperties') {
    return `unknown ${noun} ${String(params['additionalProperty']).slice(0, 100)}: known are ${known.join(', ')}`
  }
  const name = keyword === 'required' ? String(params['missingProperty']) : (instancePath.split('/')[1] ?? '')
  if (name === '') return `the body must be a JSON object with ${known.join(', ')}`
  const { description, enum: choices } = fields[name] ?? {}
  const wanted = choices === undefined ? (description ?? message) : `one of ${choices.join(', ')}`
  return keyword === 'required' ? `${name} is missing: it must be ${wanted}` : `${name} must be ${wanted}`
}

interface Fields {
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly enum?: readonly string[] }>>
}
