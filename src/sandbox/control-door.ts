import { type TProperties, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { toError } from '../errors.ts'
import { type Answer, type Fault, type ListenOptions, notModelled, type Request } from './stand-in.ts'

/** What every control and view of a stand-in hangs under for another process. */
export const controlPath = '/_control/'

/**
 * Calls the control or view that the path names, with the body's JSON: a list of arguments, or the only one. Texts that
 * are times in ISO form become dates. A mistake of the caller is 400 with what was wrong.
 */
export function answerControl(vendor: string, controls: object, request: Request): Answer {
  const name = request.path.slice(controlPath.length)
  const control: unknown = Object.hasOwn(controls, name) ? Reflect.get(controls, name) : undefined
  if (typeof control !== 'function') return notModelled(vendor, `${request.method} ${request.path}`)
  try {
    const text = request.body.toString()
    const given: unknown = text === '' ? [] : JSON.parse(text, reviveTime)
    const result: unknown = Reflect.apply(control, controls, Array.isArray(given) ? given : [given])
    return { status: 200, body: { result } }
  } catch (thrown) {
    return { status: 400, body: { error: toError(thrown).message } }
  }
}

function reviveTime(_name: string, value: unknown): unknown {
  const isTime = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value)
  return isTime ? new Date(value) : value
}

/**
 * Lets another process trouble a plain stand-in: `POST {url}/_control/setFault` with a fault as JSON, for every call from
 * then on; without a body it takes the fault back.
 */
export function withFaults(
  vendor: string,
  setFault: (fault: Fault | undefined) => void,
  answer: ListenOptions['answer'],
): ListenOptions['answer'] {
  const controls = {
    setFault: (fault?: unknown): void => {
      setFault(fault === undefined ? undefined : readFault(fault))
    },
  }
  return async (request, closed) =>
    request.path.startsWith(controlPath) ? answerControl(vendor, controls, request) : await answer(request, closed)
}

const closed = { additionalProperties: false }
const faults: Readonly<Record<Fault['kind'], TProperties>> = {
  hang: {},
  reset: {},
  status: { status: Type.Integer({ minimum: 100, maximum: 599 }), retryAfter: Type.Optional(Type.String()) },
  slow: { delayMs: Type.Number({ minimum: 0 }) },
  garbage: {},
}

/** Throws for what is no fault: a typo would otherwise be one that never comes. */
function readFault(given: unknown): Fault {
  const kinds = Object.keys(faults) as Fault['kind'][]
  const kind = kinds.find(known => known === (given as { kind?: unknown } | null)?.kind)
  if (kind === undefined) throw new Error(`kind must be one of ${kinds.join(', ')}`)
  const [problem] = Compile(Type.Object({ kind: Type.Literal(kind), ...faults[kind] }, closed)).Errors(given)
  if (problem === undefined) return given as Fault
  const { instancePath, keyword, message } = problem
  throw new Error(`${kind}: ${instancePath.slice(1)} ${keyword === 'boolean' ? 'is nothing it takes' : message}`)
}
