/** What the marketplace stores with a Clerk user, by who may read it. */
export interface Metadata {
  readonly public_metadata: Fields
  readonly private_metadata: Fields
  readonly unsafe_metadata: Fields
}

type Fields = Readonly<Record<string, unknown>>

const kinds = ['public_metadata', 'private_metadata', 'unsafe_metadata'] as const

/** The changes that a request body asks for; undefined when it is no JSON object of objects. */
export function readMetadata(body: Buffer): Partial<Metadata> | undefined {
  const wanted = parse(body)
  if (wanted === undefined) return undefined
  const given = kinds.filter(kind => wanted[kind] !== undefined).map(kind => [kind, wanted[kind]] as const)
  return given.every(([, fields]) => isFields(fields)) ? Object.fromEntries(given) : undefined
}

/** As Clerk merges: key by key at every depth, and a key whose value is null is removed. */
export function mergeMetadata(old: Metadata, changes: Partial<Metadata>): Metadata {
  const merged = kinds.map(kind => [kind, merge(old[kind], changes[kind] ?? {})])
  return Object.fromEntries(merged) as Metadata
}

function merge(old: Fields, changes: Fields): Fields {
  const merged = Object.entries(changes).map(([key, value]) => {
    const before = old[key]
    return [key, isFields(value) ? merge(isFields(before) ? before : {}, value) : value] as const
  })
  const all = { ...old, ...Object.fromEntries(merged) }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
}

function parse(body: Buffer): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString())
    return isFields(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
