import type { Db } from '../database/connection.ts'
import { type PoisonChange, retryPoison } from '../database/outbox-poison.ts'
import { dropNotice, findNotice, listNotices, type NoticeFilter, retryNotice } from '../database/outbox-queries.ts'
import { PermanentError } from '../errors.ts'
import { maskRecipient } from './mask-recipient.ts'
import { redactDetails } from './redact-details.ts'

export { noticeKinds } from '../notices/notice.ts'

export interface NoticeChoice {
  readonly id: string
  readonly operator: string
  readonly note: string
  readonly now: Date
}

/** Notices without what they say, newest first, and without whole addresses. */
export async function listForOperators(db: Db, filter: NoticeFilter) {
  return (await listNotices(db, filter)).map(mask)
}

export type NoticeForOperators = NonNullable<Awaited<ReturnType<typeof findForOperators>>>

/** One notice, and who did what to it. Undefined when there is none. */
export async function findForOperators(db: Db, id: string) {
  const notice = await findNotice(db, id)
  return notice === undefined ? undefined : { ...mask(notice), audit: notice.audit.map(redactDetails) }
}

/** Throws PermanentError for a notice in whose state nothing can be changed; one that is not there is left to the reader. */
export async function changeForOperators(db: Db, action: 'drop' | 'retry', choice: NoticeChoice): Promise<void> {
  const changed = await (action === 'drop' ? dropNotice : retryNotice)(db, choice)
  if (changed === undefined || changed === 'changed') return
  const message = `notice ${choice.id} is ${changed}, and nothing was changed: GET /notices/${choice.id} shows it`
  throw new PermanentError(message, { code: 'notice_unchanged' })
}

/** Tries all notices of a kind again that were set aside. Throws PermanentError where there are not as many as expected. */
export async function retryForOperators(db: Db, choice: PoisonChange): Promise<number> {
  const found = await retryPoison(db, choice)
  if (found === choice.count && found > 0) return found
  const message = `${found} notice(s) of the kind ${choice.kind} are set aside, and not ${choice.count}: nothing was changed`
  throw new PermanentError(message, { code: 'notices_unchanged' })
}

function mask<N extends { readonly recipient: string }>(notice: N): N {
  return { ...notice, recipient: maskRecipient(notice.recipient) }
}
