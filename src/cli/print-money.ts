type Item = Readonly<Record<string, unknown>>

/** What a plan says of money that moves or waits. */
export interface MoneyItem extends Item {
  readonly amountCents: number
  readonly currency: string
}

export function hasMoney(item: Item): item is MoneyItem {
  return typeof item['amountCents'] === 'number' && typeof item['currency'] === 'string'
}

/** The amount of an item as people read it; a dash for one without. */
export function toAmount(item: Item): string {
  return hasMoney(item) ? toMoney(item.amountCents, item.currency) : '-'
}

/** What the items add up to in each currency, in the order of the currencies' names. */
export function sumByCurrency(items: readonly MoneyItem[]): string[] {
  const groups = Map.groupBy(items, ({ currency }) => currency.toUpperCase())
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, group]) => toMoney(addUp(group), currency))
}

/** Cents of items of one currency. */
export function addUp(items: readonly MoneyItem[]): number {
  return items.reduce((sum, { amountCents }) => sum + amountCents, 0)
}

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
