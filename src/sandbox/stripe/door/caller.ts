import type { Request } from '../../stand-in.ts'
import type { Book, State } from '../state.ts'
import { NotModelled } from './not-modelled.ts'
import { Refusal } from './refusal.ts'

/** Throws a Refusal with 401 unless the request carries our key, as a bearer or as the name of basic. */
export function checkKey({ secretKey }: State, { headers }: Request): void {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ')
  const given = scheme.toLowerCase() === 'basic' ? (Buffer.from(value, 'base64').toString().split(':')[0] ?? '') : value
  if (given === secretKey) return
  const message =
    given === ''
      ? 'You did not provide an API key.'
      : `Invalid API Key provided: ${given.slice(0, 8)}${'*'.repeat(8)}${given.slice(-4)}`
  throw new Refusal(401, { type: 'invalid_request_error', message }, false)
}

/** The account on whose behalf a request is. Throws a Refusal with 403 for one that the platform has not, and NotModelled for a context. */
export function findCaller(state: State, { headers }: Request): Book {
  if (headers['stripe-context'] !== undefined) throw new NotModelled('the header Stripe-Context')
  const account = headers['stripe-account']
  const book = state.books.get(account ?? state.platform.id)
  if (book === undefined || book.account.isDeauthorized) throw accountInvalid(account ?? '')
  return book
}

/** What Stripe says of an account that does not exist, or that is not connected (any more). */
export function accountInvalid(account: string): Refusal {
  const message =
    `The provided key 'sk_test_***' does not have access to account '${account}' ` +
    '(or that account does not exist). Application access may have been revoked.'
  return new Refusal(403, { type: 'invalid_request_error', code: 'account_invalid', message }, false)
}
