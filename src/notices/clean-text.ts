/** What people have typed is shown to other people: it may be as long as it likes there, and hold anything. */

/** Longest name or title that is shown whole. */
const mostCharacters = 120
const mostLinkCharacters = 2_000

/**
 * A text from a row, in one line of at most 120 characters: line breaks, control characters, and what is invisible or turns
 * the direction of the text around it become spaces. Joiners stay, because some scripts and emoji need them.
 */
export function toLine(text: string): string {
  const line = text.toWellFormed().replaceAll(folded, ' ').replaceAll(/\s+/g, ' ').trim()
  if (line.length <= mostCharacters) return line
  const characters = Array.from(segmenter.segment(line.slice(0, 8 * mostCharacters)), ({ segment }) => segment)
  return characters.length <= mostCharacters
    ? line.slice(0, 8 * mostCharacters)
    : `${characters.slice(0, mostCharacters - 1).join('')}…`
}

/** A link from a row, if it is one that may be shown: http or https, without a password. Else undefined. */
export function toLink(text: string): string | undefined {
  const link = text.trim()
  if (link.length > mostLinkCharacters || /\s/.test(link) || !URL.canParse(link)) return undefined
  const { password, protocol, username } = new URL(link)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' ? link : undefined
}

/** Facts as other people may see them: each text in one line, each link a link or null. Numbers and the rest stay. */
export function cleanFacts<Facts>(facts: Facts): Facts {
  return cleanValue('', facts) as Facts
}

const linkNames: ReadonlySet<string> = new Set(['meetingUrl', 'voucherUrl'])
// Controls, line and paragraph separators, and formats but for the joiners.
const folded = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu
const segmenter = new Intl.Segmenter()

function cleanValue(name: string, value: unknown): unknown {
  if (typeof value === 'string') return linkNames.has(name) ? (toLink(value) ?? null) : toLine(value)
  if (Array.isArray(value)) return value.map(each => cleanValue('', each))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cleanValue(key, inner)]))
}
