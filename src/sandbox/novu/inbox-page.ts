import { style } from './inbox-style.ts'
import type { DeliveredMessage, NovuSubscriber } from './types.ts'

export interface InboxFilter {
  readonly person: string
  readonly workflow: string
}

/** The page with the messages `shown`, in their order, and filters for what is in `all`. */
export function renderInbox(
  all: readonly DeliveredMessage[],
  shown: readonly DeliveredMessage[],
  filter: InboxFilter,
): string {
  const count = shown.length === all.length ? `${all.length}` : `${shown.length} of ${all.length}`
  const none = all.length === 0 ? 'Nobody was told anything yet.' : 'No message is of this person and workflow.'
  const body = shown.length === 0 ? `<p class="none">${none}</p>` : shown.map(renderOne).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Inbox (${escape(count)})</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Inbox</h1>
<p>Every message that would have reached a person: ${escape(count)}, newest first.</p>
${renderFilters(all, filter)}
</header>
<main>
${body}
</main>
</body>
</html>
`
}

function renderFilters(all: readonly DeliveredMessage[], { person, workflow }: InboxFilter): string {
  const people = new Map(all.map(({ to }) => [to.subscriberId, nameOf(to)]))
  const options = [...people].toSorted(([, a], [, b]) => a.localeCompare(b))
  const workflows = [...new Set(all.map(message => message.workflow))].toSorted().map(id => [id, id] as const)
  return `<form method="get" action="/">
<label>Person <select name="person">${renderOptions('everybody', options, person)}</select></label>
<label>Workflow <select name="workflow">${renderOptions('all', workflows, workflow)}</select></label>
<button>Show</button> <a href="/">Show all</a>
</form>`
}

function renderOptions(none: string, options: ReadonlyArray<readonly [string, string]>, chosen: string): string {
  const isListed = chosen === '' || options.some(([value]) => value === chosen)
  return [['', none] as const, ...options, ...(isListed ? [] : [[chosen, chosen] as const])]
    .map(([value, name]) => {
      const selected = value === chosen ? ' selected' : ''
      return `<option value="${escape(value)}"${selected}>${escape(name)}</option>`
    })
    .join('')
}

function renderOne({ at, language, payload, subject, text, to, transactionId, workflow }: DeliveredMessage): string {
  const kind = kindOf(to)
  const about = [to.email, to.locale, to.timezone].filter(word => word !== undefined)
  return `<article>
<div class="line"><span class="who ${kind}">${kind}</span> <strong>${escape(nameOf(to))}</strong>
<span class="about">${escape(about.join(' · '))}</span>
<time datetime="${at.toISOString()}">${at.toISOString().slice(0, 19).replace('T', ' ')} UTC</time></div>
<h2 lang="${language}">${escape(subject)}</h2>
<pre lang="${language}">${escape(text)}</pre>
<details><summary>${escape(workflow)} · ${language}</summary>
<p>${escape(transactionId)} to ${escape(to.subscriberId)}</p>
<pre class="payload">${escape(JSON.stringify(payload, null, 2))}</pre></details>
</article>`
}

/** By the form of the id: the service sends experts under their Clerk id, and guests under one with this prefix. */
function kindOf({ subscriberId }: NovuSubscriber): 'guest' | 'expert' | 'operator' {
  if (subscriberId.startsWith('guest_')) return 'guest'
  return subscriberId.startsWith('user_') ? 'expert' : 'operator'
}

function nameOf({ email, firstName, lastName, subscriberId }: NovuSubscriber): string {
  const name = [firstName, lastName].filter(part => part !== undefined && part !== '').join(' ')
  return name || (email ?? subscriberId)
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, character => entities[character] ?? character)
}
