import { type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { NovuControl } from './types.ts'

const closed = { additionalProperties: false }
const count = Type.Integer({ minimum: 0 })
const text = Type.String({ minLength: 1 })
const scope = {
  call: Type.Optional(Type.Enum(['send', 'lookUp', 'workflows'])),
  query: Type.Optional(text),
  times: Type.Optional(Type.Integer({ minimum: 1 })),
  after: Type.Optional(count),
}

/** What a fault of each kind may say, its scope aside. */
const faults: Readonly<Record<string, Readonly<Record<string, TSchema>>>> = {
  hang: { taken: Type.Boolean() },
  reset: { taken: Type.Boolean() },
  garbage: { taken: Type.Boolean() },
  error: { taken: Type.Boolean(), status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599 })) },
  limit: { retryAfter: Type.Optional(Type.String()) },
  slow: { delayMs: count },
  truncate: {},
  unauthorized: { status: Type.Optional(Type.Union([Type.Literal(401), Type.Literal(403)])) },
  failOne: { index: count },
}

const changes = Type.Object(
  {
    name: Type.Optional(text),
    active: Type.Optional(Type.Boolean()),
    steps: Type.Optional(count),
    validatePayload: Type.Optional(Type.Boolean()),
    payloadSchema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  closed,
)
const dedupe = Type.Object(
  { transactionId: Type.Optional(Type.Boolean()), idempotencyKey: Type.Optional(Type.Boolean()) },
  closed,
)

const takes: Readonly<Record<keyof NovuControl, readonly TSchema[]>> = {
  inbox: [],
  events: [],
  subscribers: [],
  asked: [],
  inject: [Type.Object({ kind: Type.Enum(Object.keys(faults)) })],
  clearFaults: [],
  setWorkflow: [text, changes],
  removeWorkflow: [text],
  restoreWorkflow: [text],
  setDedupe: [dedupe],
  setDelay: [Type.Number({ minimum: 0 })],
}

/** Throws for arguments that the control does not take: a typo in them would otherwise be a fault that never comes. */
export function checkArguments(name: keyof NovuControl, given: readonly unknown[]): void {
  const wanted = takes[name]
  if (given.length > wanted.length) throw new Error(`${name} takes ${wanted.length} argument(s), not ${given.length}`)
  for (const [index, schema] of wanted.entries()) check(name, schema, given[index])
  if (name !== 'inject') return
  const [order] = given as [{ readonly kind: string }]
  check(name, Type.Object({ kind: Type.Literal(order.kind), ...faults[order.kind], ...scope }, closed), order)
}

function check(name: string, schema: TSchema, value: unknown): void {
  const [problem] = Compile(schema).Errors(value)
  if (problem === undefined) return
  const { instancePath, keyword, message, params } = problem
  const place = instancePath.slice(1).replaceAll('/', '.') || 'what it takes'
  const hint = keyword === 'enum' || keyword === 'additionalProperties' ? ` (${JSON.stringify(params)})` : ''
  throw new Error(`${name}: ${place} ${message}${hint}`)
}
