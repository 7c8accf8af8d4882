/** An answer of Stripe's that is no success. `isStored`: the endpoint had begun, so the key keeps it for a day. */
export class Refusal extends Error {
  readonly status: number
  readonly isStored: boolean
  /** Its code, or its type where it has none. */
  readonly code: string
  readonly error: RefusalBody

  constructor(status: number, error: RefusalBody, isStored: boolean) {
    super(error.message)
    this.name = 'Refusal'
    this.status = status
    this.isStored = isStored
    this.error = error
    this.code = error.code ?? error.type
  }
}

export interface RefusalBody {
  readonly type: 'api_error' | 'invalid_request_error' | 'idempotency_error'
  readonly message: string
  readonly code?: string
  readonly param?: string
}

/** A parameter that is not as the API has it: refused before anything runs. */
export function invalid(code: string, message: string, param?: string): Refusal {
  return new Refusal(400, { type: 'invalid_request_error', code, message, ...named(param) }, false)
}

/** What the endpoint itself refuses, with a code of Stripe's list or none. */
export function refused(code: string | undefined, message: string, param?: string): Refusal {
  const coded = code === undefined ? {} : { code }
  return new Refusal(400, { type: 'invalid_request_error', ...coded, message, ...named(param) }, true)
}

/** 404 for an id in the path; 400 for one in a parameter. */
export function missing(what: string, id: string, param = 'id'): Refusal {
  const message = `No such ${what}: '${id}'`
  const status = param === 'id' ? 404 : 400
  return new Refusal(status, { type: 'invalid_request_error', code: 'resource_missing', message, param }, true)
}

function named(param: string | undefined): { readonly param?: string } {
  return param === undefined ? {} : { param }
}
