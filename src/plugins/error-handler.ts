import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { toError } from '../errors.ts'

/** The one shape of every error. */
export interface ErrorBody {
  readonly statusCode: number
  readonly error: string
  readonly message: string
  readonly requestId: string
}

const retryAfterSeconds = 10

interface Thrown extends Error {
  readonly code?: unknown
  readonly expose?: unknown
  readonly headers?: Record<string, string>
  readonly statusCode?: unknown
}

/**
 * Gives every error and every unknown address one shape, every answer its `x-request-id`, and the caller nothing
 * internal: what was not thrown for callers is a 500 with a constant message, and is logged.
 */
export default fp(
  async app => {
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id)
      next()
    })
    app.setNotFoundHandler((request, reply) => {
      sendError(request, reply, 404, 'there is nothing at this address')
    })
    app.setErrorHandler(answerError)
  },
  { name: 'error-handler', fastify: '5.x' },
)

/** The error handler; also for Fastify's `frameworkErrors`, as an address that does not parse is refused before any hook. */
export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error: Thrown = toError(thrown)
  const statusCode = readStatus(error, request)
  if (statusCode === 503 && !isHttpError(error)) reply.header('retry-after', retryAfterSeconds)
  reply.header('x-request-id', request.id)
  if (isHttpError(error)) reply.headers(error.headers ?? {})
  if (statusCode < 500) {
    request.log.debug({ err: error }, 'request was refused')
    sendError(request, reply, statusCode, error.message)
    return
  }
  // We announce this state ourselves, while draining for one: nobody has to look.
  if (statusCode === 503 && isHttpError(error)) request.log.warn({ err: error }, 'request was put off')
  else request.log.error({ err: error }, 'request failed')
  sendError(request, reply, statusCode, describeFailure(statusCode))
}

/** The error's own status if it was thrown to be shown. A vendor's error also has one, which is not ours to repeat. */
function readStatus(error: Thrown, request: FastifyRequest): number {
  const { code, statusCode } = error
  const ofFastify = typeof code === 'string' && code.startsWith('FST_')
  if ((isHttpError(error) || ofFastify) && typeof statusCode === 'number' && statusCode >= 400) return statusCode
  // The caller hung up in the middle of the body: nothing of ours failed.
  if (error === request.raw.errored) return 400
  return isDatabaseAway(error) ? 503 : 500
}

/** The database cannot be reached or is ending: the next call may well succeed. */
function isDatabaseAway({ code, message }: Thrown): boolean {
  if (typeof code === 'string')
    return /^(?:08\w{3}|57P0[123]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/.test(code)
  return /^(?:Connection terminated|timeout exceeded when trying to connect|Query read timeout)/.test(message)
}

/** Made by @fastify/sensible, and so meant for the caller. */
function isHttpError(error: Thrown): boolean {
  return typeof error.expose === 'boolean'
}

function describeFailure(statusCode: number): string {
  return statusCode === 503 ? 'not available at the moment: call again' : 'something went wrong on our side'
}

function sendError(request: FastifyRequest, reply: FastifyReply, statusCode: number, message: string): void {
  const error = STATUS_CODES[statusCode] ?? 'Error'
  const body: ErrorBody = { statusCode, error, message, requestId: request.id }
  reply.code(statusCode).type('application/json; charset=utf-8').send(body)
}
