/**
 * Takes secrets and personal data out of a text that people or vendors will read: keys and tokens, e-mail addresses,
 * account, card and phone numbers, connection strings, and the queries and tokens of URLs. Rather too much than too
 * little; run ids (UUIDs), dates and our own numbers stay. Text beyond 100,000 characters is left out.
 *
 * By hand: the well-kept packages for this clean objects by path, or know npm tokens only; none cleans free text.
 */
export function redact(text: string): string {
  let clean = shorten(text)
  for (const [pattern, replacement] of rules) {
    clean = typeof replacement === 'string' ? clean.replace(pattern, replacement) : clean.replace(pattern, replacement)
  }
  return clean
}

type Rule = readonly [pattern: RegExp, replacement: string | ((match: string, offset: number, text: string) => string)]

const maxLength = 100_000
// Long enough for any secret that the cut could have split.
const margin = 2_000

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const isUuid = new RegExp(`^${uuid}$`, 'i')
const isoDate = String.raw`(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)`
const mailChar = String.raw`[\w.%+\-\u0080-\uffff]`
const secretName = String.raw`(?:secret|passw(?:or)?d|passphrase|pwd|token|api[-_ ]?key|signature|credential)[\w-]{0,20}\\{0,4}["']?\s{0,4}[:=]\s{0,4}\\{0,4}["']?`

/**
 * In this order. Each pattern takes linear time: a repetition without a bound is the last thing a pattern needs, or
 * begins only where no earlier try can have scanned the same text. Keep it so: this sees what strangers send.
 */
const rules: readonly Rule[] = [
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g, '[key]'],
  // A scheme is short; looking further back than this would make a long word cost its square.
  [/[a-z][a-z0-9+.-]{0,20}:\/\/[^\s<>"]+/gi, cleanUrl],
  [/((?:authorization|cookie)\\{0,4}["']?\s{0,4}[:=]\s{0,4}\\{0,4}["']?)[^\r\n"]+/gi, '$1[removed]'],
  // Looks behind and not ahead: what is one name's value may be the next one's name ("token: Bearer …").
  [
    new RegExp(String.raw`(?<=${secretName})[^\s,;&"'\\]+|(?<=(?:bearer|basic)[\s:=]{1,8})[^\s,;&"'\\]{6,}`, 'gi'),
    '[removed]',
  ],
  [/(?:[sr]k_(?:live|test)|whsec|ph[cx])_[\w+/=-]+/g, '[key]'],
  [/(?<![A-Za-z0-9])(?:sk|rk|re|sig|npg)_[\w-]{6,}/g, cleanKey],
  [/ya29\.[\w-]{6,}/g, '[key]'],
  // base64 of `{"`: a JWT, or a scheduler's token.
  [/eyJ[\w-]{8,}(?:\.[\w-]*)*/g, '[token]'],
  [/[\w-]{32,}/g, cleanToken],
  [new RegExp(`(?<!${mailChar})${mailChar}+(?:@|%40)${mailChar}+`, 'g'), '[email]'],
  [
    /(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:(?: [A-Z0-9]{4}){2,9}(?: [A-Z0-9]{1,3})?|[A-Z0-9]{11,30})(?![A-Za-z0-9])/gi,
    cleanIban,
  ],
  [new RegExp(String.raw`${uuid}|${isoDate}|\+?\(?\d(?:[ ()-]{0,2}\d){8,}`, 'gi'), cleanNumber],
]

/** Cuts at a space, so that no secret is cut in two and its first half left unrecognised. */
function shorten(text: string): string {
  if (text.length <= maxLength) return text
  const space = text.slice(maxLength - margin, maxLength).search(/\s\S*$/)
  const end = maxLength - margin + Math.max(space, 0)
  return `${text.slice(0, end)} [${text.length - end} more characters]`
}

/** Keeps scheme, host and the plain words of the path. An address that is not http may hold a password anywhere. */
function cleanUrl(url: string): string {
  const [scheme, rest = ''] = splitOnce(url, '://')
  if (!/^https?$/i.test(scheme)) return `${scheme}://[removed]`
  const [address, query] = splitOnce(rest, /[?#]/)
  const [authority = '', ...segments] = address.split('/')
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const path = segments.map((segment, index) => (isPlain(segment, segments[index - 1]) ? segment : '[removed]'))
  return `${scheme}://${[host, ...path].join('/')}${query === undefined ? '' : '?[removed]'}`
}

function splitOnce(text: string, separator: string | RegExp): [string, string | undefined] {
  const at = typeof separator === 'string' ? text.indexOf(separator) : text.search(separator)
  if (at === -1) return [text, undefined]
  return [text.slice(0, at), text.slice(at + (typeof separator === 'string' ? separator.length : 1))]
}

/** No heartbeat token, nothing that looks like a token, and no user and password of an address within the address. */
function isPlain(segment: string, before: string | undefined): boolean {
  if (segment.includes('@') || /^heartbeats?$/i.test(before ?? '')) return false
  return segment.length < 20 || isUuid.test(segment) || !/\d/.test(segment)
}

/**
 * A refund of Stripe's begins as a key of Resend's does, which has an underscore further on: only what is to the letter
 * such a refund (its 24 letters and digits begin with the generation, 1 or 3) stays.
 */
function cleanKey(match: string, offset: number, text: string): string {
  const standsAlone = !/[\w-]/.test(text.charAt(offset - 1))
  return standsAlone && /^re_[13][A-Za-z0-9]{23}$/.test(match) ? match : '[key]'
}

// What QStash calls a message or a schedule: somebody has to find it there.
const vendorId = /^(?:msg|scd)_[A-Za-z0-9]{20,64}$/

/** A long mixture of capitals, small letters and digits is a key of some kind; hashes and UUIDs have no capitals. */
function cleanToken(match: string): string {
  if (vendorId.test(match)) return match
  return /[a-z]/.test(match) && /[A-Z]/.test(match) && /\d/.test(match) ? '[key]' : match
}

function cleanIban(match: string, offset: number, text: string): string {
  const isOfVendor = vendorId.test(`${text.slice(Math.max(0, offset - 4), offset)}${match}`)
  return isOfVendor || countDigits(match) < 8 ? match : '[account]'
}

/** Card numbers (13 digits and more), phone numbers (international, grouped, or a Portuguese mobile). */
function cleanNumber(match: string): string {
  const digits = countDigits(match)
  if (/^(?:19|20)\d\d-[01]\d-[0-3]\d$/.test(match) || isUuid.test(match)) return match
  const phone = /^\+|^00|^\(|[ )-]/.test(match) || /^9[1236]\d{7}$/.test(match)
  return digits >= 13 || phone ? '[number]' : match
}

function countDigits(text: string): number {
  return text.replace(/\D/g, '').length
}
