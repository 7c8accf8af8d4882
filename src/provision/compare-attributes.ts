import type { Attributes, Resource } from '../providers/monitoring.ts'
import { cleanAddress } from './clean-address.ts'
import { Reference, type Wanted } from './wanted.ts'

/** An attribute that is not as wanted. `from` and `to` are for people; what is secret says so instead. */
export interface Change {
  readonly attribute: string
  readonly from: string
  readonly to: string
}

/** Ids of what is there, by the key of what is wanted. */
export type Ids = ReadonlyMap<string, string>

/** What differs between what is wanted and what is there. Only attributes that are wanted count. Pure. */
export function compareAttributes(wanted: Wanted, real: Resource, ids: Ids): Change[] {
  return listComparable(wanted).flatMap(([attribute, value]) => {
    const to = normalise(attribute, resolve(value, ids), wanted.attributes)
    const from = normalise(attribute, real.attributes[attribute], real.attributes)
    if (to === from) return []
    if (secret.has(attribute)) return [{ attribute, from: '(sensitive)', to: '(sensitive)' }]
    // What somebody has put there by hand may hold a password.
    if (attribute === 'url') return [{ attribute, from: cleanAddress(from, new URL(to).origin), to }]
    return [{ attribute, from, to }]
  })
}

/** What to send to make it: everything that is wanted, and no reference to what is not there. */
export function toCreate(wanted: Wanted, ids: Ids): Attributes {
  const resolved = Object.entries(wanted.attributes).map(([name, value]) => [name, resolve(value, ids)] as const)
  return Object.fromEntries(resolved.filter(([, value]) => !(value instanceof Reference)))
}

/** What to send to change it: the attributes that differ and no others. */
export function toUpdate(wanted: Wanted, real: Resource, changes: readonly Change[], ids: Ids): Attributes {
  const changed = new Set(changes.map(({ attribute }) => attribute))
  const sent = Object.entries(toCreate(wanted, ids)).filter(([name]) => changed.has(name))
  return Object.fromEntries(
    sent.map(([name, value]) => {
      if (name === 'request_headers') return [name, mergeHeaders(value, real.attributes[name])]
      return [name, name === 'steps' ? keepMembers(value, real.attributes[name]) : value]
    }),
  )
}

const channels = new Set(['call', 'sms', 'email', 'push'])
const secret = new Set(['request_headers', 'auth_password'])
const sets = new Set(['regions', 'maintenance_days'])

/** A policy has channels of its own; the flags beside it mean nothing, and the vendor may say anything there. */
function listComparable({ attributes }: Wanted): (readonly [string, unknown])[] {
  const hasPolicy = (attributes['policy_id'] ?? null) !== null
  return Object.entries(attributes).filter(([name]) => !hasPolicy || !channels.has(name))
}

function resolve(value: unknown, ids: Ids): unknown {
  return value instanceof Reference ? (ids.get(value.key) ?? value) : value
}

/** One text for everything that means the same to Better Stack. */
function normalise(name: string, value: unknown, all: Attributes): string {
  if (value instanceof Reference) return '(known after apply)'
  // It is written as one attribute and read as another, the moment since when.
  if (name === 'paused') return String((all['paused'] ?? all['paused_at'] ?? false) !== false)
  if (name === 'request_headers') return JSON.stringify(toHeaderPairs(value))
  if (name === 'steps') return describeSteps(value)
  if (isNothing(name, value)) return 'none'
  if (name === 'http_method' && typeof value === 'string') return value.toUpperCase()
  if (sets.has(name) && Array.isArray(value)) return [...new Set(value.map(String))].toSorted().join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function isNothing(name: string, value: unknown): boolean {
  return value === undefined || value === null || value === '' || (value === -1 && name.endsWith('_expiration'))
}

interface Header {
  readonly id?: string | number
  readonly name: string
  readonly value: string
}

/** What is no header counts for nothing. */
function toHeaders(value: unknown): Header[] {
  return listRecords(value).flatMap(({ id, name, value: text }) => {
    if (typeof name !== 'string') return []
    return [{ name, value: String(text), ...(typeof id === 'string' || typeof id === 'number' ? { id } : {}) }]
  })
}

function listRecords(value: unknown): Record<string, unknown>[] {
  const list: unknown[] = Array.isArray(value) ? value : []
  return list.filter(one => typeof one === 'object' && one !== null) as Record<string, unknown>[]
}

function toHeaderPairs(value: unknown): string[][] {
  return toHeaders(value)
    .map(header => [header.name.toLowerCase(), header.value])
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
}

/** The form of a change of headers: without an id one more, with it another value, with `_destroy` one less. */
function mergeHeaders(wanted: unknown, real: unknown): unknown[] {
  const left = toHeaders(real).map(header => ({ ...header, key: header.name.toLowerCase() }))
  const kept = toHeaders(wanted).map(({ name, value }) => {
    const index = left.findIndex(({ key }) => key === name.toLowerCase())
    const [same] = index === -1 ? [] : left.splice(index, 1)
    return same?.id === undefined ? { name, value } : { id: same.id, name, value }
  })
  return [...kept, ...left.map(({ id }) => ({ id, _destroy: true }))]
}

/** Kinds and waits, and not who is told: whoever that is has been put there by people. */
function describeSteps(value: unknown): string {
  return listRecords(value)
    .map(({ type, wait_before }) => `${String(type)} after ${String(wait_before)} s`)
    .join(', ')
}

/** Steps as wanted, each with whoever and whatever people have put into it. */
function keepMembers(wanted: unknown, real: unknown): unknown[] {
  const there = listRecords(real)
  return listRecords(wanted).map((step, index) => {
    const same = there[index]
    return same?.['type'] === step['type'] ? { ...step, ...same, wait_before: step['wait_before'] } : step
  })
}
