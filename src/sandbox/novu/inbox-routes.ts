import type { Answer, Request } from '../stand-in.ts'
import { renderInbox } from './inbox-page.ts'
import type { DeliveredMessage } from './types.ts'

/** `GET /` for people, `GET /_inbox` as JSON; both by `person` and `workflow` where asked. Undefined for other calls. */
export function answerInbox(inbox: () => readonly DeliveredMessage[], request: Request): Answer | undefined {
  const { method, path, query } = request
  if (method !== 'GET' || (path !== '/' && path !== '/_inbox')) return undefined
  const filter = { person: query.get('person') ?? '', workflow: query.get('workflow') ?? '' }
  const all = inbox()
  const shown = all
    .filter(({ to }) => filter.person === '' || to.subscriberId === filter.person)
    .filter(({ workflow }) => filter.workflow === '' || workflow === filter.workflow)
    .toReversed()
  if (path === '/_inbox') return { status: 200, body: { messages: shown } }
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
  }
  return { status: 200, headers, body: renderInbox(all, shown, filter) }
}
