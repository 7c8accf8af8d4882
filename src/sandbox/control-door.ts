import { toError } from '../errors.ts'
import { type Answer, notModelled, type Request } from './stand-in.ts'

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
