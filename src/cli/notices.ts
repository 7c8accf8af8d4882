import type { Db } from '../database/connection.ts'
import {
  dropNotice,
  findNotice,
  type ListedNotice,
  listNotices,
  type NoticeChange,
  type NoticeChanged,
  retryNotice,
} from '../database/outbox-queries.ts'
import type { OutboxState } from '../database/tables.ts'
import { countSetAside, retryPoison } from '../database/outbox-poison.ts'
import { maskRecipient } from '../runner/mask-recipient.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { ask, canAsk } from './ask.ts'
import { withLedger } from './connect.ts'
import { explainNotice } from './notice-notes.ts'
import { findOperator } from './operator.ts'
import { toDetails } from './print-values.ts'
import { type Cell, printFacts, printJson, printLine, printNote, printTable, type Style, toUtc } from './print.ts'

export interface NoticesOptions {
  readonly state?: OutboxState
  readonly kind?: string
  readonly about?: string
  readonly to?: string
  readonly before?: string
  readonly limit: number
  readonly json?: boolean
}

export interface NoticeChangeOptions {
  readonly note?: string
  readonly as?: string
  readonly json?: boolean
}

export interface NoticeRetryOptions extends NoticeChangeOptions {
  readonly kind?: string
  readonly state?: 'poison'
  readonly yes?: boolean
}

/** Lists notices, newest first, without what they say. */
export async function showNotices({ json = false, limit, ...filter }: NoticesOptions): Promise<number> {
  return await withLedger(async db => {
    const notices = await listNotices(db, { ...filter, limit: limit + 1 })
    const page = notices.slice(0, limit).map(mask)
    const next = notices.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ notices: page, next })
    else if (page.length === 0) printLine('no notices')
    else printPage(page)
    if (!json && next !== null) printLine(`more: --before ${next}`)
    return 0
  })
}

/** Shows one notice with why it is where it is, and without what it says. Throws when there is none. */
export async function showNotice(id: string, { json = false }: { readonly json?: boolean }): Promise<number> {
  return await withLedger(async db => {
    const notice = await getNotice(db, id)
    if (json) printJson({ ...notice, why: explainNotice(notice) })
    else printNotice(notice)
    return 0
  })
}

/**
 * Tries a notice again that was set aside, waits, or was dropped by an operator, or all of a kind that were set aside. Throws
 * when it is unknown or none of these.
 */
export async function retry(id: string | undefined, options: NoticeRetryOptions): Promise<number> {
  const { kind, state, yes: _, ...choice } = options
  if (id === undefined && kind !== undefined && state !== undefined) return await retrySetAside(kind, options)
  if (id === undefined || kind !== undefined || state !== undefined) {
    throw new Error('name one notice by its number, or all of a kind that were set aside by --kind and --state poison')
  }
  return await change(id, choice, retryNotice, ({ state }) =>
    state === 'unknown'
      ? 'may have been sent before it was dropped: it is looked up at Novu first, and sent if it is not there'
      : 'goes out with the next pass, within a minute, if it is still true',
  )
}

/** Says how many there are, asks unless told not to, and tries exactly so many. */
async function retrySetAside(kind: string, { as, json = false, note, yes = false }: NoticeRetryOptions) {
  const operator = findOperator(as)
  return await withLedger(async db => {
    const count = await countSetAside(db, kind)
    if (count > 0 && !yes) {
      const found = `${count} notice(s) of the kind ${kind} were set aside`
      if (json || !canAsk()) throw new Error(`nothing was changed: ${found}; without a terminal to ask on, add --yes`)
      if (!(await ask(`${found}. Try them all again?`))) {
        printNote('nothing was changed')
        return 1
      }
    }
    const found = await retryPoison(db, { kind, count, note, operator, now: new Date() })
    if (found !== count) throw new Error(`nothing was changed: there are ${found} by now, and not ${count}`)
    if (json) printJson({ kind, retried: count })
    else printLine(count === 0 ? `no notice of the kind ${kind} is set aside` : `${count} notice(s) ${goesOut}`)
    return 0
  })
}

const goesOut = 'go out with the next pass, within a minute, as far as they are still true'

/** Gives up a notice that was not sent. Throws when it is unknown, through, or being sent. */
export async function drop(id: string, options: NoticeChangeOptions): Promise<number> {
  return await change(id, options, dropNotice, ({ tried_at: triedAt }) =>
    triedAt === null
      ? 'is dropped: nobody is told'
      : 'is dropped: nobody tries it again, but its person may have been told already',
  )
}

async function change(
  id: string,
  { as, json = false, note }: NoticeChangeOptions,
  apply: (db: Db, change: NoticeChange) => Promise<NoticeChanged>,
  outcome: (notice: Notice) => string,
): Promise<number> {
  const operator = findOperator(as)
  return await withLedger(async db => {
    const changed = await apply(db, { id, operator, note, now: new Date() })
    if (changed === undefined) throw new Error(describeMissing(id))
    if (changed !== 'changed')
      throw new Error(`notice ${id} is ${changed}, and nothing was changed: ${advice[changed]}`)
    const notice = await getNotice(db, id)
    if (json) printJson(notice)
    else printLine(`notice ${id} ${outcome(notice)}`)
    return 0
  })
}

const advice: Readonly<Record<OutboxState, string>> = {
  pending: 'it is about to be sent, look again in a minute',
  sending: 'it is being sent, look again in a minute',
  unknown: 'it may have been sent, and is looked up before it is tried again',
  sent: 'the person has been told',
  dropped: 'that is an end; only what an operator dropped is taken back, by `notices retry`',
  poison: '`notices retry` tries it again, `notices drop` gives it up',
}

type Notice = NonNullable<Awaited<ReturnType<typeof findNotice>>>

async function getNotice(db: Db, id: string): Promise<Notice> {
  const notice = await findNotice(db, id)
  if (notice === undefined) throw new Error(describeMissing(id))
  return { ...mask(notice), audit: notice.audit.map(redactDetails) }
}

function mask<N extends { readonly recipient: string }>(notice: N): N {
  return { ...notice, recipient: maskRecipient(notice.recipient) }
}

function describeMissing(id: string): string {
  return `there is no notice ${id}: \`notices\` lists them`
}

function printPage(page: readonly ListedNotice[]): void {
  printTable(
    ['notice', 'created (UTC)', 'kind', 'state', 'tries', 'to', 'about', 'why'],
    page.map(notice => [
      notice.id,
      toUtc(notice.created_at),
      notice.kind,
      paint(notice.state),
      notice.attempts,
      notice.recipient,
      notice.subject,
      explainNotice(notice),
    ]),
  )
}

const styles: Readonly<Record<OutboxState, Style>> = {
  pending: 'yellow',
  sending: 'yellow',
  unknown: 'red',
  sent: 'green',
  dropped: 'dim',
  poison: 'red',
}

function paint(state: OutboxState): Cell {
  return { text: state, style: styles[state] }
}

function printNotice(notice: Notice): void {
  const isOpen = notice.finished_at === null
  printLine({ text: notice.kind, style: 'bold' }, paint(notice.state), `notice ${notice.id}`)
  printFacts([
    ['why', explainNotice(notice)],
    ['to', notice.recipient],
    ['about', notice.subject],
    ['occurrence', notice.occurrence],
    ['useful until', notice.useful_until === null ? undefined : `${toUtc(notice.useful_until)} UTC`],
    ['tries', notice.attempts],
    ['last try', notice.tried_at === null ? undefined : `${toUtc(notice.tried_at)} UTC`],
    ['next', isOpen ? `${toUtc(notice.next_attempt_at)} UTC` : undefined],
    ['at Novu', notice.transaction_id],
    ['run', notice.run_id ?? undefined],
    ['created', `${toUtc(notice.created_at)} UTC`],
    ['finished', isOpen ? undefined : `${toUtc(notice.finished_at)} UTC`],
  ])
  if (notice.audit.length === 0) return
  printTable(
    ['at (UTC)', 'who', 'what', 'details'],
    notice.audit.map(({ action, actor, at, details }) => [toUtc(at), actor, action, toDetails(details ?? {}, [])]),
  )
}
