import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { requestTarget } from './expected-url.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether what the address names exists. Where it does not, another method gets 404 like any unknown address. */
    exists?: (request: FastifyRequest) => boolean
  }
}

interface KnownRoute {
  readonly methods: readonly string[]
  readonly match: (path: string) => Record<string, string> | undefined
  readonly exists: ((request: FastifyRequest) => boolean) | undefined
}

/**
 * Answers 405 with `Allow` when an address is known by other methods only, HEAD included (so build the app with
 * `exposeHeadRoutes: false`: a HEAD must never run what a GET does). Register it before the routes. Throws at
 * registration for an address whose form it cannot read.
 */
export default fp(
  async app => {
    const routes: KnownRoute[] = []

    app.addHook('onRoute', ({ config, method, url }) => {
      const methods = Array.isArray(method) ? method : [method]
      routes.push({ methods, match: createMatcher(url), exists: config?.exists })
    })
    app.addHook('onRequest', (request, _reply, next) => {
      const allowed = request.is404 ? listAllowed(routes, request) : []
      if (allowed.length === 0) {
        next()
        return
      }
      const headers = { allow: allowed.join(', ') }
      next(app.httpErrors.createError(405, 'this address takes another method', { headers }))
    })
  },
  { name: 'method-not-allowed', fastify: '5.x', dependencies: ['@fastify/sensible', 'error-handler'] },
)

function listAllowed(routes: readonly KnownRoute[], request: FastifyRequest): string[] {
  const path = requestTarget(request).replace(/[?#].*$/, '')
  const allowed = routes.filter(({ exists, match }) => {
    const params = match(path)
    if (params === undefined) return false
    // The router gives parameters to matched requests only, and `exists` asks for them.
    return exists?.(Object.create(request, { params: { value: params } }) as FastifyRequest) ?? true
  })
  return [...new Set(allowed.flatMap(route => route.methods))].toSorted()
}

/** Reads `/fixed/:parameter` and a `*` at the end; the router knows more forms, and a guess at those could be wrong. */
function createMatcher(pattern: string): KnownRoute['match'] {
  const wanted = pattern.split('/')
  const open = wanted.at(-1) === '*'
  if (
    wanted.some((part, index) => !/^(?::\w+|[\w.~-]*)$/.test(part) && !(part === '*' && index === wanted.length - 1))
  ) {
    throw new Error(`route ${pattern} has a form that the 405 answers cannot read`)
  }
  return path => {
    const given = decodeSegments(path)
    if (given === undefined || (open ? given.length < wanted.length : given.length !== wanted.length)) return undefined
    const params: Record<string, string> = {}
    for (const [index, part] of wanted.entries()) {
      const value = given[index] ?? ''
      if (part.startsWith(':')) params[part.slice(1)] = value
      else if (part !== value && part !== '*') return undefined
    }
    return params
  }
}

function decodeSegments(path: string): string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}
