import { Ajv, type ValidateFunction } from 'ajv'

type Payload = Readonly<Record<string, unknown>>

export interface PayloadCheck {
  /** With the defaults of the schema. */
  readonly payload: Payload
  /** What is wrong with it, as Novu says it; empty when nothing is. */
  readonly problems: readonly PayloadProblem[]
}

export interface PayloadProblem {
  readonly field: string
  readonly message: string
}

// As Novu sets it up.
const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false })
const compiled = new WeakMap<Payload, ValidateFunction>()

/** Checks a payload against a workflow's schema; everything passes where there is none. */
export function checkPayload(payload: Payload, schema: Payload | undefined): PayloadCheck {
  const filled = structuredClone(payload)
  if (schema === undefined) return { payload: filled, problems: [] }
  let validate = compiled.get(schema)
  if (validate === undefined) compiled.set(schema, (validate = ajv.compile(schema)))
  if (validate(filled)) return { payload: filled, problems: [] }
  const problems = (validate.errors ?? []).map(({ instancePath, message = 'is wrong', params }) => ({
    field: nameField(instancePath, params as Payload),
    message,
  }))
  return { payload: filled, problems }
}

function nameField(instancePath: string, params: Payload): string {
  const missing = params['missingProperty'] ?? params['additionalProperty']
  const path = instancePath === '' ? 'root' : instancePath.slice(1).replaceAll('/', '.')
  return typeof missing === 'string' ? `${path}.${missing}` : path
}
