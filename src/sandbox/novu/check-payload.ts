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

const shared = { allErrors: true, useDefaults: true, strict: false } as const
// The API refuses fields that it does not know; the worker leaves them out. Source: validators of @novu/framework.
const validators = {
  api: { ajv: new Ajv(shared), compiled: new WeakMap<Payload, ValidateFunction>() },
  worker: { ajv: new Ajv({ ...shared, removeAdditional: true }), compiled: new WeakMap<Payload, ValidateFunction>() },
}

/** Checks a payload against a workflow's schema, as one of them does; everything passes where there is none. */
export function checkPayload(payload: Payload, schema: Payload | undefined, by: keyof typeof validators): PayloadCheck {
  const filled = structuredClone(payload)
  if (schema === undefined) return { payload: filled, problems: [] }
  const { ajv, compiled } = validators[by]
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
