import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createSecretCheck, hashBearerToken } from './bearer-token.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** An onRequest hook: sets `request.operator`, or answers 401. */
    requireOperator: (request: FastifyRequest) => Promise<void>
    /** The name of the operator whose token the request carries; undefined for everybody else. Never throws. */
    identifyOperator: (request: FastifyRequest) => string | undefined
  }
  interface FastifyRequest {
    /** Who asks, on routes for operators; null elsewhere. */
    operator: string | null
  }
}

export interface OperatorAuthOptions {
  readonly operators: readonly { readonly name: string; readonly token: string }[]
}

/** Knows operators by `Authorization: Bearer <token>`. An empty token is nobody's. */
export default fp<OperatorAuthOptions>(
  async (app, { operators }) => {
    const known = operators.map(({ name, token }) => ({ name, owns: createSecretCheck(token) }))

    const identifyOperator = (request: FastifyRequest): string | undefined => {
      const tokenHash = hashBearerToken(request)
      if (tokenHash === undefined) return undefined
      let found: string | undefined
      // All of them are compared, so that the time says nothing about who it is.
      for (const { name, owns } of known) if (owns(tokenHash)) found = name
      return found
    }

    app.decorateRequest('operator', null)
    app.decorate('identifyOperator', identifyOperator)
    app.decorate('requireOperator', async request => {
      const operator = identifyOperator(request)
      if (operator === undefined) {
        throw app.httpErrors.createError(401, "an operator's token is required", {
          headers: { 'www-authenticate': 'Bearer' },
        })
      }
      request.operator = operator
    })
  },
  { name: 'operator-auth', fastify: '5.x', dependencies: ['@fastify/sensible'] },
)
