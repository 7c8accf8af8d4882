/** An amount as people read it, with the currency's own number of decimals: `1234500`, `eur` is `EUR 12,345.00`. */
export function toMoney(cents: number, currency: string): string {
  const code = currency.toUpperCase()
  // Anything else would make Intl throw, in the middle of what a person wants to read.
  if (!/^[A-Z]{3}$/.test(code) || !Number.isSafeInteger(cents)) return `${cents} ${code} (minor units)`
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: code, currencyDisplay: 'code' })
  const decimals = format.resolvedOptions().maximumFractionDigits ?? 0
  return format.format(`${cents}e-${decimals}` as `${number}`).replace(/\s/g, ' ')
}

/** The same texts, all as wide as the widest, with the amounts' ends below each other. */
export function alignRight(texts: readonly string[]): string[] {
  const width = Math.max(0, ...texts.map(text => text.length))
  return texts.map(text => text.padStart(width))
}
