import { createHmac, hash, timingSafeEqual } from 'node:crypto'

export interface SigningKeys {
  readonly current: string
  readonly next: string
}

export interface SignatureInput {
  /** What the server received as `Upstash-Signature`. */
  readonly header: string | string[] | undefined
  /** The body exactly as it came over the wire. */
  readonly body: Uint8Array
  /** The address the token must have been made for. */
  readonly url: string
  readonly keys: SigningKeys
  readonly nowEpochSeconds: number
  readonly toleranceSeconds: number
}

export type KeyName = 'current' | 'next'

/** Why a token was refused. For logs and counts: the caller of the route never sees it. */
export type RefusalReason =
  | 'missing'
  | 'oversized'
  | 'malformed'
  | 'mac'
  | 'algorithm'
  | 'claims'
  | 'issuer'
  | 'expired'
  | 'not-yet-valid'
  | 'url'
  | 'body'

export type Verdict =
  | { readonly ok: true; readonly key: KeyName /** SHA-256 of the token's text. */; readonly tokenHash: Buffer }
  | { readonly ok: false; readonly reason: RefusalReason }

type Claims = Readonly<Record<string, unknown>>

const maxTokenLength = 8192
const tokenForm = /^([\w-]+)\.([\w-]+)\.([\w-]{43})$/
// What QStash sends; other spellings of the same header are parsed.
const usualHeader = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')

/**
 * Whether QStash signed exactly these bytes for exactly this address (upstash.com/docs/qstash/howto/signature). The
 * MAC comes first, so nothing that an outsider wrote is ever parsed. Times are whole seconds; an empty key signs nothing.
 */
export function verifySignature(input: SignatureInput): Verdict {
  const { header } = input
  const malformed = findMalformation(header)
  if (malformed !== undefined) return { ok: false, reason: malformed }
  const token = header as string
  const [protectedHeader = '', payload = '', mac = ''] = token.split('.')

  const key = findSigningKey(`${protectedHeader}.${payload}`, mac, input.keys)
  if (key === undefined) return { ok: false, reason: 'mac' }
  if (!namesAlgorithm(protectedHeader)) return { ok: false, reason: 'algorithm' }
  const claims = parseObject(payload)
  const reason = claims === undefined ? 'claims' : findClaimProblem(claims, input)
  if (reason !== undefined) return { ok: false, reason }
  return { ok: true, key, tokenHash: hash('sha256', token, 'buffer') }
}

/** What rules the header out before any body or key is looked at; undefined when it has the form of one canonical token. */
export function findMalformation(
  header: string | string[] | undefined,
): 'missing' | 'oversized' | 'malformed' | undefined {
  if (header === undefined || header === '') return 'missing'
  if (typeof header !== 'string') return 'malformed'
  if (header.length > maxTokenLength) return 'oversized'
  const [, ...segments] = tokenForm.exec(header) ?? []
  return segments.length === 3 && segments.every(isCanonical) ? undefined : 'malformed'
}

/**
 * Whether base64url text is the only spelling of its bytes: no impossible length, no bits left over. Several spellings
 * of one token would let it be used once for each of them.
 */
function isCanonical(segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  if (rest === 1) return false
  const last = segment.at(-1) as string
  return (rest === 2 ? 'AQgw' : 'AEIMQUYcgkosw048').includes(last)
}

function findSigningKey(signed: string, mac: string, keys: SigningKeys): KeyName | undefined {
  const given = Buffer.from(mac, 'base64url')
  if (isSignedWith(keys.current, signed, given)) return 'current'
  if (isSignedWith(keys.next, signed, given)) return 'next'
  return undefined
}

function isSignedWith(key: string, signed: string, given: Buffer): boolean {
  if (key === '') return false
  const wanted = createHmac('sha256', key).update(signed).digest()
  return wanted.length === given.length && timingSafeEqual(wanted, given)
}

function namesAlgorithm(protectedHeader: string): boolean {
  if (protectedHeader === usualHeader) return true
  const header = parseObject(protectedHeader)
  return header !== undefined && header['alg'] === 'HS256' && !('crit' in header)
}

/** The JSON object of a segment, or undefined when it holds anything else. */
function parseObject(segment: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}

function findClaimProblem(claims: Claims, input: SignatureInput): RefusalReason | undefined {
  const { body, nowEpochSeconds, toleranceSeconds, url } = input
  const { exp, iat, iss, nbf, sub } = claims
  if (iss !== 'Upstash') return 'issuer'
  // JSON can spell Infinity (1e999), which would never expire.
  if (!isTime(exp) || !(nbf === undefined || isTime(nbf)) || !(iat === undefined || isTime(iat))) return 'claims'
  if (exp <= nowEpochSeconds - toleranceSeconds) return 'expired'
  if (nbf !== undefined && nbf > nowEpochSeconds + toleranceSeconds) return 'not-yet-valid'
  if (sub !== url) return 'url'
  return coversBody(claims['body'], body) ? undefined : 'body'
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** QStash pads the hash, test tools do not: both spellings count. */
function coversBody(claim: unknown, body: Uint8Array): boolean {
  return typeof claim === 'string' && claim.replace(/=+$/, '') === hash('sha256', body, 'base64url')
}
