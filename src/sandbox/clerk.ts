import { randomBytes } from 'node:crypto'
import { mergeMetadata, type Metadata, readMetadata } from './clerk-metadata.ts'
import { withFaults } from './control-door.ts'
import { type Answer, type Fault, listen, notModelled, type Reaction, reactTo, type Request } from './stand-in.ts'

export interface ClerkOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly secretKey?: string
  readonly clock?: () => Date
}

/**
 * A user's Google connection. `revoked` and `without-refresh-token` are refused with 400, as Clerk does when Google
 * gives it no new token; `none` is an empty list.
 */
export type Connection = 'connected' | 'none' | 'revoked' | 'without-refresh-token'

/** Where a fault applies. */
export type ClerkCall = 'tokens' | 'metadata' | 'jwks'

export interface ClerkStandIn {
  /** Without the `/v1` that every path begins with. */
  readonly url: string
  readonly secretKey: string
  /** Adds a user, or sets the connection of a known one. */
  setUser(id: string, connection: Connection, metadata?: Partial<Metadata>): void
  /** The user's metadata as they are now. Throws for an unknown user. */
  metadataOf(id: string): Metadata
  /** How many tokens Clerk made for this user. */
  refreshesOf(id: string): number
  /** Every accepted metadata change, oldest first. */
  writes(): ReadonlyArray<{ readonly userId: string; readonly changes: Partial<Metadata> }>
  /** How many calls came in, refused ones included. */
  asked(): number
  /** For every call from now on, or those of one kind; undefined takes it back. */
  setFault(fault: Fault | undefined, call?: ClerkCall): void
  readonly close: () => Promise<void>
}

interface User {
  connection: Connection
  metadata: Metadata
  refreshes: number
}

interface State {
  readonly secretKey: string
  readonly clock: () => Date
  readonly users: Map<string, User>
  readonly writes: Array<{ readonly userId: string; readonly changes: Partial<Metadata> }>
  readonly faults: Map<ClerkCall, Fault>
  readonly jwks: object
  asked: number
}

type Route = (state: State, request: Request, userId: string, provider: string) => Answer

const tokenLifetimeMs = 3_600_000
const calls: readonly ClerkCall[] = ['tokens', 'metadata', 'jwks']
const routes: ReadonlyArray<readonly [ClerkCall, method: string, path: RegExp, Route]> = [
  ['tokens', 'GET', /^\/v1\/users\/([^/]+)\/oauth_access_tokens\/([^/]+)$/, giveTokens],
  ['metadata', 'PATCH', /^\/v1\/users\/([^/]+)\/metadata$/, changeMetadata],
  ['jwks', 'GET', /^\/v1\/jwks$/, ({ jwks }) => ({ status: 200, body: jwks })],
]

/** Starts as much of Clerk's Backend API on 127.0.0.1 as keep-alive and the probe ask. Source: clerk.com/docs/reference/backend-api. */
export async function startClerk(options: ClerkOptions = {}): Promise<ClerkStandIn> {
  const state = createState(options)
  const setFault: ClerkStandIn['setFault'] = (fault, call) => {
    for (const one of call === undefined ? calls : [call]) {
      if (fault === undefined) state.faults.delete(one)
      else state.faults.set(one, fault)
    }
  }
  const answer = withFaults('Clerk', setFault, async (request, closed) => await reply(state, request, closed))
  const { close, url } = await listen({ port: options.port ?? 0, maxBodyBytes: 64 * 1024, answer })
  return {
    url,
    secretKey: state.secretKey,
    setUser: (id, connection, metadata = {}) => {
      const old = state.users.get(id)
      const none = { public_metadata: {}, private_metadata: {}, unsafe_metadata: {} }
      const kept = { ...(old?.metadata ?? none), ...metadata }
      state.users.set(id, { connection, refreshes: old?.refreshes ?? 0, metadata: kept })
    },
    metadataOf: id => getUser(state, id).metadata,
    refreshesOf: id => getUser(state, id).refreshes,
    writes: () => [...state.writes],
    asked: () => state.asked,
    setFault,
    close,
  }
}

function createState({ clock = () => new Date(), secretKey }: ClerkOptions): State {
  const n = randomBytes(256).toString('base64url')
  return {
    secretKey: secretKey ?? `sk_test_${randomBytes(20).toString('hex')}`,
    clock,
    users: new Map(),
    writes: [],
    faults: new Map(),
    jwks: {
      keys: [{ use: 'sig', kty: 'RSA', kid: `ins_${randomBytes(12).toString('hex')}`, alg: 'RS256', n, e: 'AQAB' }],
    },
    asked: 0,
  }
}

async function reply(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  state.asked += 1
  for (const [call, method, path, route] of routes) {
    const found = path.exec(request.path)
    if (found === null || method !== request.method) continue
    const instead = await reactTo(state.faults.get(call), closed)
    if (instead !== undefined) return instead
    if (request.headers.authorization !== `Bearer ${state.secretKey}`) {
      return refuse(401, 'secret_key_invalid', 'The provided Clerk Secret Key is invalid.')
    }
    return route(state, request, decodeURIComponent(found[1] ?? ''), decodeURIComponent(found[2] ?? ''))
  }
  return notModelled('Clerk', `${request.method} ${request.path}`)
}

/**
 * The user's Google tokens: an array, or with `paginated=true` an object, as the API's description and the official
 * SDK have it. Both spellings of the provider name the same one; the SDK writes `oauth_google` on the wire.
 */
function giveTokens(state: State, { query }: Request, userId: string, provider: string): Answer {
  const user = state.users.get(userId)
  if (user === undefined) return refuse(404, 'resource_not_found', 'No user was found with this id.')
  if (provider !== 'google' && provider !== 'oauth_google') {
    return refuse(404, 'oauth_token_provider_not_enabled', 'OAuth provider not enabled')
  }
  if (user.connection === 'revoked') return refuse(400, 'oauth_token_retrieval_error', 'Token retrieval failed')
  if (user.connection === 'without-refresh-token') {
    return refuse(400, 'oauth_missing_refresh_token', 'Missing refresh token')
  }
  const tokens = user.connection === 'connected' ? [makeToken(state, user)] : []
  return {
    status: 200,
    body: query.get('paginated') === 'true' ? { data: tokens, total_count: tokens.length } : tokens,
  }
}

function makeToken({ clock }: State, user: User): object {
  user.refreshes += 1
  return {
    object: 'oauth_access_token',
    external_account_id: `eac_${randomBytes(12).toString('hex')}`,
    provider_user_id: '100000000000000000001',
    token: `ya29.${randomBytes(24).toString('base64url')}`,
    expires_at: clock().getTime() + tokenLifetimeMs,
    provider: 'oauth_google',
    public_metadata: {},
    label: null,
    scopes: ['email', 'https://www.googleapis.com/auth/calendar.events', 'openid', 'profile'],
  }
}

function changeMetadata(state: State, { body }: Request, userId: string): Answer {
  const user = state.users.get(userId)
  if (user === undefined) return refuse(404, 'resource_not_found', 'No user was found with this id.')
  const changes = readMetadata(body)
  if (changes === undefined) return refuse(422, 'form_param_format_invalid', 'metadata must be objects')
  user.metadata = mergeMetadata(user.metadata, changes)
  state.writes.push({ userId, changes })
  return { status: 200, body: { id: userId, object: 'user', ...user.metadata } }
}

function getUser({ users }: State, id: string): User {
  const user = users.get(id)
  if (user === undefined) throw new Error(`the Clerk stand-in has no user ${id}`)
  return user
}

function refuse(status: number, code: string, message: string): Answer {
  return {
    status,
    body: { errors: [{ code, message, long_message: message }], clerk_trace_id: randomBytes(16).toString('hex') },
  }
}
