import { readRules } from './compare-payloads.ts'

type Schema = Readonly<Record<string, unknown>>

export interface SampleCheck {
  /** What the schema refuses of what is sent, by the field. */
  readonly refused: readonly { readonly field: string; readonly difference: string }[]
  /** What samples alone have shown, or what nothing could. */
  readonly notes: readonly string[]
}

export interface Sample {
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** Keywords that are compared by themselves, and those that refuse nothing. */
const understood = new Set(
  '$comment $id $schema additionalProperties const default deprecated description enum examples properties required title type'.split(
    ' ',
  ),
)

const unreadable = 'no sample could be compared: its schema is none that we can read'

/** Lets a vendor's schema judge what is really sent, and says of which of its rules that is all there is. */
export function compareSamples(schema: Schema, samples: readonly Sample[]): SampleCheck {
  if (samples.length === 0) return { refused: [], notes: [] }
  const notes = listRules(schema, 'it').map(rule => `${rule}: compared with samples only`)
  try {
    const rules = readRules(schema)
    if (rules === undefined) return { refused: [], notes: [...notes, unreadable] }
    const refused = new Map<string, { readonly field: string; readonly difference: string }>()
    for (const { kind, payload } of samples) {
      const problem = rules.findProblem(payload)
      if (problem === undefined) continue
      const field = problem.split(' ', 1)[0] ?? ''
      const difference = `refuses ${kind}: ${problem}`
      refused.set(difference, { field: field.replaceAll('/', '.'), difference })
    }
    return { refused: [...refused.values()], notes }
  } catch {
    return { refused: [], notes: [...notes, unreadable] }
  }
}

/** Whether a schema has rules that only samples can tell about. */
export function needsSamples(schema: Schema): boolean {
  return listRules(schema, 'it').length > 0
}

function listRules(schema: Schema, name: string): string[] {
  const { properties, type } = schema
  const fields = isRecord(properties) ? Object.entries(properties).filter(([, field]) => isRecord(field)) : []
  return [
    ...Object.keys(schema).flatMap(key => (understood.has(key) ? [] : [`${key} of ${name}`])),
    ...(Array.isArray(type) ? [`type of ${name}`] : []),
    ...fields.flatMap(([field, rules]) => listRules(rules as Schema, name === 'it' ? field : `${name}.${field}`)),
  ]
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
