import { NotModelled } from './not-modelled.ts'
import { invalid } from './refusal.ts'

/** What a parameter is; a list of words is an enum. */
export type Kind =
  | 'text'
  | 'texts'
  | 'integer'
  | 'positive'
  | 'limit'
  | 'boolean'
  | 'currency'
  | 'metadata'
  | 'range'
  /** Stripe knows it, and the stand-in does not. */
  | 'not modelled'
  | readonly string[]

export type Params = Readonly<Record<string, Kind>>

/** What came in, before anybody knows what it should be. */
export type Raw = string | { readonly [name: string]: Raw }

/** Reads `a[b][0]=c` as Stripe does. */
export function readForm(pairs: Iterable<readonly [string, string]>): Record<string, Raw> {
  const form: Record<string, Raw> = {}
  for (const [name, value] of pairs) {
    const steps = name.split(/\[|\]\[|\]/).filter((step, at) => at === 0 || step !== '')
    if (name.endsWith('[]')) steps.push(String(Object.keys(dig(form, steps)).length))
    const last = steps.pop() ?? name
    dig(form, steps)[last] = value
  }
  return form
}

/**
 * The parameters as the endpoint wants them. Throws a Refusal for one that is unknown, empty, missing or of another
 * kind, and NotModelled for one that only Stripe knows. Source: docs.stripe.com/error-codes.
 */
export function checkParams(raw: Readonly<Record<string, Raw>>, params: Params, required: readonly string[]): object {
  const known: Params = { ...params, expand: 'texts' }
  const checked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(raw)) {
    const kind = Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === undefined) throw invalid('parameter_unknown', `Received unknown parameter: ${name}`, name)
    if (kind === 'not modelled') throw new NotModelled(`the parameter ${name}`)
    if (value === '' && kind !== 'metadata') throw empty(name)
    checked[name] = convert(name, value, kind)
  }
  for (const name of required) {
    if (!Object.hasOwn(checked, name)) throw invalid('parameter_missing', `Missing required param: ${name}.`, name)
  }
  return checked
}

function dig(form: Record<string, Raw>, steps: readonly string[]): Record<string, Raw> {
  let at = form
  for (const step of steps) {
    const next = at[step]
    const inner: Record<string, Raw> = typeof next === 'object' ? next : {}
    at[step] = inner
    at = inner
  }
  return at
}

function convert(name: string, value: Raw, kind: Exclude<Kind, 'not modelled'>): unknown {
  if (kind === 'metadata') return value === '' ? {} : toMetadata(name, value)
  if (kind === 'range' && typeof value === 'object') return toRange(name, value)
  if (kind === 'texts') return toTexts(name, value)
  if (typeof value === 'object') throw invalid('parameter_invalid', 'Invalid object', name)
  if (typeof kind === 'object') {
    if (kind.includes(value)) return value
    throw invalid('parameter_invalid', `Invalid ${name}: must be one of ${kind.join(', ')}`, name)
  }
  return convertText(name, value, kind)
}

function convertText(name: string, value: string, kind: Exclude<Kind, readonly string[] | 'not modelled'>): unknown {
  switch (kind) {
    case 'integer':
    case 'range':
      return toInteger(name, value, -Infinity)
    case 'positive':
      return toInteger(name, value, 1)
    case 'limit':
      return toInteger(name, value, 1, 100)
    case 'boolean':
      if (value === 'true' || value === 'false') return value === 'true'
      throw invalid('parameter_invalid_boolean', `Invalid boolean: ${value}`, name)
    case 'currency':
      if (/^[a-z]{3}$/i.test(value)) return value.toLowerCase()
      throw invalid('parameter_invalid', `Invalid currency: ${value}`, name)
    case 'text':
    case 'texts':
    case 'metadata':
      return value
  }
}

function toInteger(name: string, value: string, least: number, most = Infinity): number {
  if (!/^-?\d+$/.test(value)) throw invalid('parameter_invalid_integer', `Invalid integer: ${value}`, name)
  const number = Number(value)
  if (number < least || number > most) {
    const bound = number < least ? `greater than or equal to ${least}` : `less than or equal to ${most}`
    throw invalid('parameter_invalid_integer', `This value must be ${bound}.`, name)
  }
  return number
}

function toRange(name: string, value: Readonly<Record<string, Raw>>): Record<string, number> {
  const entries = Object.entries(value).map(([bound, text]) => {
    const full = `${name}[${bound}]`
    if (!['gt', 'gte', 'lt', 'lte'].includes(bound) || typeof text !== 'string') {
      throw invalid('parameter_unknown', `Received unknown parameter: ${full}`, full)
    }
    if (text === '') throw empty(full)
    return [bound, toInteger(full, text, -Infinity)] as const
  })
  return Object.fromEntries(entries)
}

function toTexts(name: string, value: Raw): string[] {
  if (typeof value === 'string') throw invalid('parameter_invalid', 'Invalid array', name)
  return Object.entries(value).map(([at, text]) => {
    if (typeof text !== 'string') throw invalid('parameter_invalid', 'Invalid string', `${name}[${at}]`)
    if (text === '') throw empty(`${name}[${at}]`)
    return text
  })
}

function toMetadata(name: string, value: Raw): Record<string, string> {
  if (typeof value === 'string') throw invalid('parameter_invalid', 'Invalid object', name)
  const entries = Object.entries(value).map(([key, text]) => {
    if (typeof text !== 'string')
      throw invalid('parameter_invalid', 'Metadata values must be strings', `${name}[${key}]`)
    if (key.length > 40) throw invalid('parameter_invalid', 'Metadata keys can be up to 40 characters long', name)
    if (text.length > 500)
      throw invalid('parameter_invalid', 'Metadata values can be up to 500 characters', `${name}[${key}]`)
    return [key, text] as const
  })
  return Object.fromEntries(entries.filter(([, text]) => text !== ''))
}

function empty(name: string): Error {
  const message =
    `You passed an empty string for '${name}'. We assume empty values are an attempt to unset a parameter; ` +
    `however '${name}' cannot be unset.`
  return invalid('parameter_invalid_empty', message, name)
}
