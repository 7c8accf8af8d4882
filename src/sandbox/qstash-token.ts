import { createHash, createHmac, randomInt } from 'node:crypto'

export interface SigningKeys {
  readonly current: string
  readonly next: string
}

export interface Minting {
  /** The destination, character for character. */
  readonly url: string
  /** The bytes that go over the wire. */
  readonly body: Uint8Array
  readonly key: string
  readonly now: Date
  /** `zero` as production mints since 2024, `issued-at` as it did before. */
  readonly notBefore?: 'zero' | 'issued-at'
}

const lifetimeSeconds = 300
const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/**
 * A delivery's token as production mints it: HS256 over the whole key text, claims in alphabetical order, the body's
 * hash with its padding, valid for five minutes. Source: upstash.com/docs/qstash/howto/signature.
 */
export function mintToken({ body, key, notBefore = 'zero', now, url }: Minting): string {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const claims = {
    aud: '',
    body: `${createHash('sha256').update(body).digest('base64url')}=`,
    exp: issuedAt + lifetimeSeconds,
    iat: issuedAt,
    iss: 'Upstash',
    jti: randomId('jwt', 28),
    nbf: notBefore === 'zero' ? 0 : issuedAt,
    sub: url,
  }
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

/** A made-up signing key in the form that QStash gives out. */
export function createSigningKey(): string {
  return randomId('sig', 28)
}

/** `prefix`, an underscore and `length` random characters of the base58 alphabet. */
export function randomId(prefix: string, length: number): string {
  return `${prefix}_${Array.from({ length }, () => base58[randomInt(base58.length)]).join('')}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
