import type { Workflow } from '../providers/notifications.ts'

/** A workflow as the catalogue has it beside the one that the vendor has. */
export interface WorkflowCheck {
  readonly id: string
  /** What keeps its notices from people, or spoils them. */
  readonly differences: readonly string[]
  /** What could not be compared, or harms nobody. */
  readonly notes: readonly string[]
}

type Schema = Readonly<Record<string, unknown>>

/** Compares fields, their types and their choices with what the vendor has; limits and formats are left to samples. */
export function compareWorkflows(
  catalogue: Readonly<Record<string, object>>,
  real: readonly Workflow[],
): WorkflowCheck[] {
  const known = new Map(real.map(workflow => [workflow.id, workflow]))
  return Object.entries(catalogue).map(([id, ours]) => {
    const schema = ours as Schema
    const workflow = known.get(id)
    if (workflow === undefined) return { id, differences: [missing(id, [...known.keys()])], notes: [] }
    const found = compareSchemas(schema, workflow.payloadSchema ?? schema, '')
    const isHarmless = (difference: string): boolean => difference.startsWith(takesMore)
    return {
      id,
      differences: [...judgeState(workflow), ...found.filter(difference => !isHarmless(difference))],
      notes: [
        ...(workflow.payloadSchema === undefined ? ['it has no schema at Novu: its fields could not be compared'] : []),
        ...found.filter(isHarmless),
      ],
    }
  })
}

const takesMore = 'also takes '

/** The site's deployments have given a workflow a new id with a random end before. */
function missing(id: string, known: readonly string[]): string {
  const close = known.filter(other => isCloseTo(other, id))
  return close.length === 0 ? 'missing' : `missing, but there is ${close.join(', ')}: is that it, renamed?`
}

function isCloseTo(other: string, id: string): boolean {
  const [a, b] = [plain(other), plain(id)]
  return a === b || (a.startsWith(b) && /^[^a-z0-9]/i.test(other.slice(id.length)))
}

function plain(id: string): string {
  return id.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

function judgeState({ active, steps }: Workflow): string[] {
  return [
    ...(active ? [] : ['not active']),
    ...(steps === 0 ? ['no steps: it accepts everything and tells nobody'] : []),
  ]
}

/** `path` ends in a dot inside of an object. */
function compareSchemas(ours: Schema, theirs: Schema, path: string): string[] {
  const [wanted, taken] = [propertiesOf(ours), propertiesOf(theirs)]
  const [always, needed] = [requiredOf(ours), requiredOf(theirs)]
  return [
    ...[...needed].filter(name => !always.has(name)).map(name => requires(`${path}${name}`, wanted.has(name))),
    ...[...wanted].flatMap(([name, schema]) => {
      const other = taken.get(name)
      if (other !== undefined) return compareField(schema, other, `${path}${name}`)
      return [`does not know ${path}${name}${theirs['additionalProperties'] === false ? ', and refuses it' : ''}`]
    }),
  ]
}

function requires(field: string, isOptional: boolean): string {
  return isOptional ? `requires ${field}, which is optional here` : `requires ${field}, which is never sent`
}

function compareField(ours: Schema, theirs: Schema, field: string): string[] {
  const [type, other] = [typeOf(ours), typeOf(theirs)]
  if (type !== undefined && other !== undefined && type !== other) {
    return [`takes ${other} for ${field}, and gets ${type}`]
  }
  if (type === 'object') return compareSchemas(ours, theirs, `${field}.`)
  return compareChoices(choicesOf(ours), choicesOf(theirs), field)
}

/** A field of theirs that takes any text takes ours. */
function compareChoices(
  ours: readonly unknown[] | undefined,
  theirs: readonly unknown[] | undefined,
  field: string,
): string[] {
  if (theirs === undefined) return []
  if (ours === undefined) return [`takes only ${theirs.join(', ')} for ${field}, and gets any text`]
  const refused = ours.filter(choice => !theirs.includes(choice))
  const unknown = theirs.filter(choice => !ours.includes(choice))
  return [
    ...(refused.length === 0 ? [] : [`does not take ${refused.join(', ')} for ${field}`]),
    ...(unknown.length === 0 ? [] : [`${takesMore}${unknown.join(', ')} for ${field}`]),
  ]
}

function propertiesOf(schema: Schema): Map<string, Schema> {
  const properties = schema['properties']
  return new Map(isRecord(properties) ? Object.entries(properties).filter(hasSchema) : [])
}

function requiredOf(schema: Schema): Set<string> {
  const required = schema['required']
  const properties = propertiesOf(schema)
  // Novu fills in defaults before it looks.
  const isNeeded = (name: unknown): name is string =>
    typeof name === 'string' && properties.get(name)?.['default'] === undefined
  return new Set(Array.isArray(required) ? required.filter(isNeeded) : [])
}

function typeOf(schema: Schema): string | undefined {
  const type = schema['type']
  if (type === 'integer') return 'number'
  if (typeof type === 'string') return type
  const [first] = choicesOf(schema) ?? []
  return first === undefined ? undefined : typeof first
}

/** Schema libraries write a choice in several ways. */
function choicesOf(schema: Schema): readonly unknown[] | undefined {
  if (Array.isArray(schema['enum'])) return schema['enum']
  if ('const' in schema) return [schema['const']]
  const either = schema['anyOf'] ?? schema['oneOf']
  if (!Array.isArray(either) || !either.every(isRecord)) return undefined
  const choices = either.map(choicesOf)
  return choices.every(choice => choice !== undefined) ? choices.flat() : undefined
}

function hasSchema(entry: [string, unknown]): entry is [string, Schema] {
  return isRecord(entry[1])
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
