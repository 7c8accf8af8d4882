const names = ['retry-after', 'burst-ratelimit-reset', 'ratelimit-reset', 'x-ratelimit-reset']

/**
 * For how many milliseconds a vendor asks to be left alone, by the headers of its 429: a number of seconds, a time, or a
 * moment in seconds or milliseconds. Undefined where none says it, or where `now`, which moments are compared with, is
 * not known. Source: `reference/monitoring.md` section 6 and `reference/qstash.md` on limits.
 */
export function readReset(headers: { get(name: string): string | null }, now: Date | undefined): number | undefined {
  return names.map(name => parse(headers.get(name) ?? '', now)).find(waitMs => waitMs !== undefined)
}

function parse(text: string, now: Date | undefined): number | undefined {
  if (/^\d{1,15}$/.test(text)) {
    const value = Number(text)
    if (value <= 1e9) return value * 1000
    return now && Math.max(0, (value > 1e11 ? value : value * 1000) - now.getTime())
  }
  const waitMs = now !== undefined && text.endsWith(' GMT') ? Date.parse(text) - now.getTime() : -1
  return waitMs >= 0 ? waitMs : undefined
}
