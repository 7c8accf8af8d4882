import { Type } from 'typebox'
import { PermanentError } from '../errors.ts'

const usualLimit = 50

/** An id of a run or of an operation. */
export const uuid = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'an id like 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b',
})

/** How many a list answers with, as text. */
export const limit = Type.String({
  pattern: '^(?:[1-9]\\d?|1\\d\\d|200)$',
  description: `a whole number from 1 to 200; it is ${usualLimit} unless said`,
})

/** The name of a job or of a kind. */
export const name = Type.String({ pattern: '^[\\w/-]{1,100}$', description: 'a name as the lists show it' })

/** What a person writes for the audit: some text on one or more lines, and no control characters. */
export const remark = Type.String({
  minLength: 1,
  maxLength: 500,
  pattern: '^(?=[\\s\\S]*\\S)[^\\x00-\\x08\\x0b-\\x1f\\x7f]*$',
  description: 'text of 1 to 500 characters for the audit',
})

/** What an action comes to; what it refuses for good is an answer of this kind, and nothing to read a stack of. */
export async function refuseAs<T>(answer: (message: string) => Error, action: Promise<T>): Promise<T> {
  try {
    return await action
  } catch (thrown) {
    throw thrown instanceof PermanentError ? answer(thrown.message) : thrown
  }
}

/** How many rows to ask the database for: one more than wanted tells whether there is a next page. */
export function toLimit(given: string | undefined): number {
  return given === undefined ? usualLimit : Number(given)
}

/** The first `wanted` of the rows, and the id to go on from when there are more. */
export function toPage<Row extends { readonly id: string }>(rows: readonly Row[], wanted: number) {
  const page = rows.slice(0, wanted)
  return { page, next: rows.length > wanted ? (page.at(-1)?.id ?? null) : null }
}
