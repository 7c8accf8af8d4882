import { createHash, generateKeyPairSync, sign as signWith } from 'node:crypto'
import { mock } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Receiver } from '@upstash/qstash'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type SignatureInput, type Verdict, verifySignature } from '../../src/plugins/verify-signature.ts'
import {
  call,
  claimsFor,
  encode,
  hashBody,
  keys,
  type Minted,
  mint,
  now,
  openDoor,
  publicUrl,
  seal,
} from '../support/door.ts'
import { headerLines, readVectors, vectorsMissing } from '../support/vectors.ts'

type Body = Uint8Array | string

interface Case {
  readonly name: string
  /** More than one: the header is sent that many times. */
  readonly header: string | readonly string[] | undefined
  readonly body: Body
  readonly url: string
  readonly keys: SignatureInput['keys']
  readonly now: number
  /** The key that signed, or the reason of the refusal. */
  readonly expect: string
}

const url = `${publicUrl}/jobs/keep-alive`
const json = '{"job":"keep-alive","v":1}'
const good = token({})
const [goodHeader = '', goodPayload = '', goodMac = ''] = good.split('.')
const oldKeys = { current: 'sig_FAKEcurrentKeyForOurTests0000', next: 'sig_FAKEcurrentKeyForOurTests9999' }
const longKey = `sig_${'k'.repeat(80)}`

const accepted: readonly Case[] = [
  given('the current key', good, 'current'),
  given('the next key', token({}, { key: keys.next }), 'next'),
  given('both keys the same', good, 'current', { keys: { current: keys.current, next: keys.current } }),
  given('keys rolled once', good, 'next', { keys: { current: oldKeys.current, next: keys.current } }),
  given('only the next key set', good, 'next', { keys: { current: '', next: keys.current } }),
  given('a key longer than a block', token({}, { key: longKey }), 'current', { keys: { current: longKey, next: '' } }),
  given('a body claim with padding', token({ body: `${hashBody(json)}=` }), 'current'),
  given('a body claim without padding', token({ body: hashBody(json) }), 'current'),
  given('nbf now', token({ nbf: now }), 'current'),
  given('no nbf', token({ nbf: undefined }), 'current'),
  given('no iat, no jti, no aud', token({ iat: undefined, jti: undefined, aud: undefined }), 'current'),
  given('iat in the future', token({ iat: now + 900 }), 'current'),
  given('exp one second ahead', token({ exp: now + 1 }), 'current'),
  given('fractions of seconds', token({ exp: now + 0.5, nbf: now - 0.5 }), 'current'),
  given('a header without typ', token({}, { header: { alg: 'HS256' } }), 'current'),
  given('a header in another order', token({}, { header: { typ: 'JWT', kid: 'x', alg: 'HS256' } }), 'current'),
  given('claims with whitespace', mint(JSON.stringify(claimsFor(url, json), null, 2)), 'current'),
  ofBody('an empty body', ''),
  ofBody('multi-byte text', 'olá 👩‍⚕️'),
  ofBody('bytes that are no text', Uint8Array.of(0xff, 0xfe, 0, 0x80)),
  ofBody('a byte order mark', '\uFEFF{}'),
  ofBody('compressed bytes', gzipSync(json)),
  ofBody('poisonous keys', '{"__proto__":{"admin":true},"constructor":{"prototype":{}}}'),
  ofUrl('a query', `${url}?job=a&tz=Europe%2FLisbon`),
  ofUrl('the bare origin', `${publicUrl}/`),
]

const refused: readonly Case[] = [
  given('no header', undefined, 'missing'),
  given('an empty header', '', 'missing'),
  given('the header twice', [good, good], 'malformed'),
  given('the header twice, once empty', ['', good], 'malformed'),
  given('a scheme in front', `Bearer ${good}`, 'malformed'),
  given('two segments', `${goodHeader}.${goodPayload}`, 'malformed'),
  given('five segments', `${good}.a.b`, 'malformed'),
  given('an empty signature', `${goodHeader}.${goodPayload}.`, 'malformed'),
  given('an empty payload', seal(`${goodHeader}.`), 'malformed'),
  given('an empty header segment', seal(`.${goodPayload}`), 'malformed'),
  given('a padded signature', `${good}=`, 'malformed'),
  given('a space inside', `${goodHeader}.${goodPayload}.${goodMac.slice(0, 9)} ${goodMac.slice(9)}`, 'malformed'),
  given('the alphabet of plain base64', inPlainBase64(), 'malformed'),
  given('spare bits in the signature', `${goodHeader}.${goodPayload}.${respell(goodMac)}`, 'malformed'),
  given('spare bits in the payload', seal(`${goodHeader}.${respell(payloadOfLength(3))}`), 'malformed'),
  given('spare bits in the header', seal(`${respell(encode('{"alg":"HS256" }'))}.${goodPayload}`), 'malformed'),
  given('an impossible length', seal(`${goodHeader}.${payloadOfLength(0)}A`), 'malformed'),
  given('a padded payload, signed so', seal(`${goodHeader}.${payloadOfLength(3)}=`), 'malformed'),
  given('a token of 9 KiB', token({ jti: 'x'.repeat(7000) }), 'oversized'),
  given(
    'a changed payload',
    `${goodHeader}.${encode(JSON.stringify(claimsFor(url, json, { jti: 'b' })))}.${goodMac}`,
    'mac',
  ),
  given(
    'a flipped signature',
    `${goodHeader}.${goodPayload}.${goodMac.startsWith('A') ? 'B' : 'A'}${goodMac.slice(1)}`,
    'mac',
  ),
  given('the empty key', token({}, { key: '' }), 'mac', { keys: { current: '', next: '' } }),
  given('a key without its prefix', token({}, { key: keys.current.slice(4) }), 'mac'),
  given(
    'a key decoded from base64',
    token({}, { key: Buffer.from(keys.current.slice(4), 'base64').toString('latin1') }),
    'mac',
  ),
  given('keys rolled twice', good, 'mac', { keys: oldKeys }),
  given('alg none', `${encode('{"alg":"none"}')}.${goodPayload}.`, 'malformed'),
  given('alg none with a right MAC', token({}, { header: { alg: 'none' } }), 'algorithm'),
  given('alg hs256', token({}, { header: { alg: 'hs256' } }), 'algorithm'),
  given('alg as a list', token({}, { header: { alg: ['HS256'] } }), 'algorithm'),
  given('alg HS512', token({}, { header: { alg: 'HS512' }, algorithm: 'sha512' }), 'malformed'),
  given('alg HS512 over a right MAC', token({}, { header: { alg: 'HS512' } }), 'algorithm'),
  given('alg RS256', rs256(), 'malformed'),
  given('no alg', token({}, { header: { typ: 'JWT' } }), 'algorithm'),
  given('alg from a poisoned prototype', token({}, { header: '{"__proto__":{"alg":"HS256"}}' }), 'algorithm'),
  given('crit', token({}, { header: { alg: 'HS256', crit: ['exp'] } }), 'algorithm'),
  given(
    "the sender's own key in the header",
    token({}, { header: { alg: 'HS256', jwk: { k: 'x' } }, key: 'x' }),
    'mac',
  ),
  given('a header that is a list', token({}, { header: [{ alg: 'HS256' }] }), 'algorithm'),
  given('a header that is null', token({}, { header: 'null' }), 'algorithm'),
  given('a header that is no JSON', token({}, { header: 'HS256' }), 'algorithm'),
  given('a payload that is a list', mint([claimsFor(url, json)]), 'claims'),
  given('a payload that is null', mint('null'), 'claims'),
  given('a payload that is text', mint('"Upstash"'), 'claims'),
  given('a payload that is no JSON', mint('{'), 'claims'),
  given('claims from a poisoned prototype', mint(`{"__proto__":${JSON.stringify(claimsFor(url, json))}}`), 'issuer'),
  given('another issuer', token({ iss: 'upstash' }), 'issuer'),
  given('no issuer', token({ iss: undefined }), 'issuer'),
  given('exp now', token({ exp: now }), 'expired'),
  given('the good token 301 seconds later', good, 'expired', { now: now + 299 }),
  given('no exp', token({ exp: undefined }), 'claims'),
  given('exp null', token({ exp: null }), 'claims'),
  given('exp as text', token({ exp: String(now + 100) }), 'claims'),
  given('exp without end', mint(JSON.stringify(claimsFor(url, json)).replace(/"exp":\d+/, '"exp":1e999')), 'claims'),
  given('nbf one second ahead', token({ nbf: now + 1 }), 'not-yet-valid'),
  given('nbf as text', token({ nbf: '0' }), 'claims'),
  given('nbf null', token({ nbf: null }), 'claims'),
  given('iat as text', token({ iat: String(now) }), 'claims'),
  given('sub of another host', token({ sub: url.replace('jobs.', 'evil.') }), 'url'),
  given('sub with a slash more', token({ sub: `${url}/` }), 'url'),
  given('sub over http', token({ sub: url.replace('https', 'http') }), 'url'),
  given('sub in upper case', token({ sub: url.replace('jobs.example', 'JOBS.EXAMPLE') }), 'url'),
  given('sub with a query more', token({ sub: `${url}?a=1` }), 'url'),
  given('sub without the query', token({ sub: url }), 'url', { url: `${url}?a=1` }),
  given('sub that only begins so', token({ sub: publicUrl }), 'url'),
  given('an empty sub', token({ sub: '' }), 'url'),
  given('no sub', token({ sub: undefined }), 'url'),
  given('sub as a list', token({ sub: [url] }), 'url'),
  given('one byte changed', good, 'body', { body: json.replace('1', '2') }),
  given('the body written anew', good, 'body', { body: `${json} ` }),
  given('the body dropped', good, 'body', { body: '' }),
  given('the body encoded twice', good, 'body', { body: JSON.stringify(json) }),
  given('the hash of the inflated bytes', good, 'body', { body: gzipSync(json) }),
  given('a byte that decodes to the replacement character', token({ body: hashBody('\uFFFD') }), 'body', {
    body: Uint8Array.of(0xff),
  }),
  given('no body claim', token({ body: undefined }), 'body'),
  given('a body claim of null', token({ body: null }), 'body'),
  given('a body claim that is a number', token({ body: 7 }), 'body'),
  given('an empty body claim', token({ body: '' }), 'body'),
  given('a cut body claim', token({ body: hashBody(json).slice(0, 20) }), 'body'),
  given('a body claim in hex', token({ body: createHash('sha256').update(json).digest('hex') }), 'body'),
  given(
    'a body claim in plain base64',
    token({ body: createHash('sha256').update(awkward()).digest('base64') }),
    'body',
    {
      body: awkward(),
    },
  ),
]

t.test('every way to make and to break a token comes out as it must', async t => {
  for (const { name, expect, ...input } of [...accepted, ...refused]) {
    const verdict = check({ name, expect, ...input })
    t.equal(verdict.ok ? verdict.key : verdict.reason, expect, name)
    if (verdict.ok) t.match(verdict.tokenHash, createHash('sha256').update(String(input.header)).digest(), name)
  }
})

t.test('the same tokens over sockets: 200 with the exact bytes, or one constant 401', async t => {
  const answers = new Set<string>()
  for (const [pair, cases] of Map.groupBy([...accepted, ...refused], ({ keys }) => `${keys.current} ${keys.next}`)) {
    const [current = '', next = ''] = pair.split(' ')
    const at = { url: '', now: 0 }
    const clock = () => new Date(at.now * 1000)
    const { port } = await openDoor(t, { keys: { current, next }, clock, expectedUrl: () => at.url })
    for (const one of cases) {
      Object.assign(at, { url: one.url, now: one.now })
      const answer = await call(port, { headers: signatureLines(one.header), body: one.body })
      const ok = one.expect === 'current' || one.expect === 'next'
      t.equal(answer.status, ok ? 200 : 401, one.name)
      if (ok) t.equal(JSON.parse(answer.body).bytes, Buffer.from(one.body as string).toString('base64'), one.name)
      else answers.add(answer.body)
    }
  }
  t.strictSame(
    [...answers],
    [
      '{"statusCode":401,"error":"Unauthorized","message":"a valid signature is required","requestId":"see the x-request-id header"}',
    ],
  )
})

t.test('every vector of ../shared comes out as expected over a socket', { skip: vectorsMissing }, async t => {
  const vectors = readVectors()
  const at = { url: '', now: 0 }
  const doors = new Map<string, number>()
  const ports = async (current: string, next: string) => {
    const known = doors.get(current + next)
    if (known !== undefined) return known
    const clock = () => new Date(at.now * 1000)
    const { port } = await openDoor(t, { keys: { current, next }, clock, expectedUrl: () => at.url })
    doors.set(current + next, port)
    return port
  }
  for (const { bodyBase64, headers, method, ...vector } of vectors) {
    Object.assign(at, { url: vector.url, now: vector.nowEpochSeconds })
    const { pathname, search } = new URL(vector.url)
    const answer = await call(await ports(vector.currentSigningKey, vector.nextSigningKey), {
      method,
      target: pathname + search,
      headers: headerLines({ headers }),
      body: Buffer.from(bodyBase64, 'base64'),
    })
    t.equal(answer.status, vector.expect === 'accept' ? 200 : 401, vector.name)
    if (answer.status === 200 && method !== 'GET') t.equal(JSON.parse(answer.body).bytes, bodyBase64, vector.name)
  }
  t.comment(`${vectors.length} vectors`)
})

// Where the official check says otherwise. It is given text, so bytes that are no text
// are lost to it; it pins no algorithm, needs no exp, reads base64 in several spellings and tokens of any length.
const officialRefuses = ['bytes that are no text', 'compressed bytes']
const officialAccepts = [
  'a byte that decodes to the replacement character',
  'no exp',
  'exp without end',
  'alg HS512',
  'a padded signature',
  'a space inside',
  'the alphabet of plain base64',
  'spare bits in the signature',
  'spare bits in the payload',
  'spare bits in the header',
  'an impossible length',
  'a token of 9 KiB',
  'a padded payload, signed so',
]

t.test('the official Receiver agrees but for the differences listed here', async t => {
  stopClock(t)
  for (const one of [...accepted, ...refused].filter(({ header }) => typeof header === 'string')) {
    mock.timers.setTime(one.now * 1000)
    const ours = check(one).ok
    const differs = (ours ? officialRefuses : officialAccepts).includes(one.name)
    t.equal(await isOfficiallyAccepted(one), differs ? !ours : ours, one.name)
  }
})

const anyPath = fc.webPath().map(path => `${publicUrl}/${path.replace(/^\/+/, '')}`)
const anyText = fc.string({ unit: 'binary' }).map(text => text.toWellFormed())
const anyClaims = fc.record(
  {
    exp: fc.integer({ min: now + 1, max: now + 300 }),
    nbf: fc.integer({ min: 0, max: now }),
    iat: fc.integer({ min: now - 300, max: now }),
    jti: fc.string(),
  },
  { requiredKeys: ['exp'] },
)
const anyValid = fc
  .record({ url: anyPath, body: anyText, key: fc.constantFrom(keys.current, keys.next), claims: anyClaims })
  .map(({ body, claims, key, url }) => ({
    case: given('', mint({ iss: 'Upstash', sub: url, body: hashBody(body), ...claims }, { key }), 'current', {
      url,
      body,
    }),
    signedBy: key === keys.current ? 'current' : 'next',
  }))

t.test('any token made by the rules is accepted by both checks', async t => {
  stopClock(t)
  await fc.assert(
    fc.asyncProperty(anyValid, async ({ case: one, signedBy }) => {
      const verdict = check(one)
      return verdict.ok && verdict.key === signedBy && (await isOfficiallyAccepted(one))
    }),
    { numRuns: 200 },
  )
})

const anyEdit = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  removed: fc.integer({ min: 0, max: 3 }),
  added: fc.string({ maxLength: 3 }),
})
const anyClaimEdit = fc.dictionary(
  fc.constantFrom('iss', 'sub', 'body', 'exp', 'nbf', 'iat'),
  fc.oneof(fc.jsonValue(), fc.integer({ min: now - 2, max: now + 2 })),
  { minKeys: 1 },
)

t.test('no token is accepted that the official Receiver refuses, whatever was changed about it', async t => {
  stopClock(t)
  let refusedByBoth = 0
  const holds = async (one: Case) => {
    const [ours, official] = [check(one).ok, await isOfficiallyAccepted(one)]
    if (!ours && !official) refusedByBoth += 1
    return official || !ours
  }
  await fc.assert(
    fc.asyncProperty(anyValid, anyEdit, fc.constantFrom('header', 'body', 'url'), async ({ case: one }, edit, part) => {
      const text = one[part] as string
      const at = Math.floor(edit.at * text.length)
      return await holds({ ...one, [part]: text.slice(0, at) + edit.added + text.slice(at + edit.removed) })
    }),
    { numRuns: 400 },
  )
  await fc.assert(
    fc.asyncProperty(anyClaimEdit, async edit => await holds(given('', token(edit), ''))),
    { numRuns: 400 },
  )
  t.ok(refusedByBoth > 200, `most of the changes mattered (${refusedByBoth})`)
})

t.test('QSTASH_DEV in the environment changes nothing here, unlike in the official Receiver', async t => {
  stopClock(t)
  t.intercept(process, 'env', { value: { ...process.env, QSTASH_DEV: 'true', NODE_ENV: 'production' } })
  const publicKey = 'sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r'
  const forged = given('', token({}, { key: publicKey }), 'mac')
  t.notOk(check(forged).ok)
  t.ok(check(given('', good, 'current')).ok)
  t.intercept(console, 'warn', { value: () => {} })
  const receiver = new Receiver({ currentSigningKey: keys.current, nextSigningKey: keys.next })
  t.ok(
    await receiver.verify({ signature: String(forged.header), body: json, url }),
    'the Receiver without devMode: false is fooled',
  )
  t.notOk(await isOfficiallyAccepted(forged), 'with it, as these tests use it, it is not')
})

function stopClock(t: Test): void {
  mock.timers.enable({ apis: ['Date'], now: now * 1000 })
  t.teardown(() => {
    mock.timers.reset()
  })
}

async function isOfficiallyAccepted({ body, header, keys, url }: Case): Promise<boolean> {
  // It ignores the pair unless both are set.
  const pair = { currentSigningKey: keys.current || keys.next, nextSigningKey: keys.next || keys.current }
  const receiver = new Receiver({ ...pair, devMode: false })
  try {
    return await receiver.verify({ signature: header as string, body: Buffer.from(body as string).toString(), url })
  } catch {
    return false
  }
}

function token(overrides: object, options: Minted = {}): string {
  return mint(claimsFor(url, json, overrides), options)
}

function given(name: string, header: Case['header'], expect: string, others: Partial<Case> = {}): Case {
  return { name, header, expect, body: json, url, keys, now, ...others }
}
function ofBody(name: string, body: Body): Case {
  return given(name, mint(claimsFor(url, body)), 'current', { body })
}

function ofUrl(name: string, address: string): Case {
  return given(name, mint(claimsFor(address, json)), 'current', { url: address })
}

/** A repeated header reaches a Node server as one value. */
function check({ header, body, now, ...input }: Case): Verdict {
  const joined = typeof header === 'string' || header === undefined ? header : header.join(', ')
  return verifySignature({
    ...input,
    header: joined,
    body: Buffer.from(body as string),
    nowEpochSeconds: now,
    toleranceSeconds: 0,
  })
}

function signatureLines(header: Case['header']): (readonly [string, string])[] {
  return header === undefined ? [] : [header].flat().map(value => ['Upstash-Signature', value] as const)
}

/** The same bytes in another spelling: a bit that stands for nothing is set. */
function respell(segment: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return segment.slice(0, -1) + alphabet.charAt(alphabet.indexOf(segment.at(-1) ?? '') + 1)
}

/** Valid claims whose base64url has this length modulo four; 3 leaves bits over. */
function payloadOfLength(rest: number): string {
  const payloads = ['a', 'ab', 'abc'].map(jti => encode(JSON.stringify(claimsFor(url, json, { jti }))))
  return payloads.find(payload => payload.length % 4 === rest) ?? ''
}

/** Bytes whose hash has a character in which the two alphabets of base64 differ. */
function awkward(): string {
  const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  return texts.find(text => /[-_]/.test(hashBody(text))) ?? ''
}

/** A valid token but for the alphabet of its signature. */
function inPlainBase64(): string {
  const tokens = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(jti => token({ jti }).split('.'))
  const [header, payload, mac = ''] = tokens.find(parts => /[-_]/.test(parts[2] ?? '')) ?? []
  return `${header}.${payload}.${mac.replaceAll('-', '+').replaceAll('_', '/')}`
}

function rs256(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signed = `${encode('{"alg":"RS256","typ":"JWT"}')}.${goodPayload}`
  return `${signed}.${signWith('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
}
