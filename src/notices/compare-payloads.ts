import { Compile } from 'typebox/compile'
import { findProblem, type Validator } from './facts.ts'

type Schema = Readonly<Record<string, unknown>>

/** A vendor's schema, as the vendor uses it: what is missing and has a default is filled in before it is looked at. */
export interface PayloadRules {
  /** What is wrong with a payload: where and how, never the value. Undefined: it fits. */
  findProblem(payload: Schema): string | undefined
  /**
   * Whether the vendor would refuse a payload beyond doubt. A format alone is no proof: validators disagree about formats,
   * and many leave them alone.
   */
  refuses(payload: Schema): boolean
}

/** Undefined for a schema that we cannot read. */
export function readRules(schema: Schema): PayloadRules | undefined {
  let validator: Validator
  try {
    validator = Compile(schema as never) as Validator
  } catch {
    return undefined
  }
  const fill = (payload: Schema): unknown => {
    const filled: unknown = JSON.parse(JSON.stringify(payload))
    fillDefaults(schema, filled)
    return filled
  }
  return {
    findProblem: payload => findProblem(validator, fill(payload)),
    refuses: payload => {
      const filled = fill(payload)
      return !validator.Check(filled) && validator.Errors(filled).some(({ keyword }) => keyword !== 'format')
    },
  }
}

function fillDefaults(schema: Schema, value: unknown): void {
  const { properties } = schema
  if (!isRecord(value) || !isRecord(properties)) return
  for (const [name, rules] of Object.entries(properties)) {
    if (!isRecord(rules)) continue
    if (value[name] === undefined && rules['default'] !== undefined) value[name] = structuredClone(rules['default'])
    fillDefaults(rules, value[name])
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
