import { Compile } from 'typebox/compile'
import { findProblem, type Validator } from './facts.ts'

type Schema = Readonly<Record<string, unknown>>

/** A vendor's schema, as the vendor uses it: what is missing and has a default is filled in before it is looked at. */
export interface PayloadRules {
  /** What is wrong with a payload: where and how, never the value. Undefined: it fits. */
  findProblem(payload: Schema): string | undefined
  /**
   * Whether the vendor would accept a payload and then send nothing. Fields that it does not know are no reason: it leaves
   * them out and sends the rest. Source: validators of @novu/framework.
   */
  swallows(payload: Schema): boolean
}

/** Undefined for a schema that we cannot read, and for one without fields, which says nothing about what is taken. */
export function readRules(schema: Schema): PayloadRules | undefined {
  if (!isRecord(schema['properties']) || Object.keys(schema['properties']).length === 0) return undefined
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
    swallows: payload => {
      const filled = fill(payload)
      leaveOutUnknown(schema, filled)
      return !validator.Check(filled)
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

function leaveOutUnknown(schema: Schema, value: unknown): void {
  const { additionalProperties, properties } = schema
  if (!isRecord(value) || !isRecord(properties)) return
  for (const name of Object.keys(value)) {
    const rules = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (rules === undefined && additionalProperties === false) delete value[name]
    else if (isRecord(rules)) leaveOutUnknown(rules, value[name])
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
