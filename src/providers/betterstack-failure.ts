const maxLength = 300

/**
 * What a refusal says, for people: Better Stack writes its errors in several forms, and a proxy before it in another.
 * Whatever we sent in secret, and every heartbeat's address, is taken out. Empty for an answer that is no refusal.
 */
export function readFailure(status: number, body: unknown, secrets: readonly string[]): string {
  if (status < 400) return ''
  const said = listMessages(isRecord(body) ? (body['errors'] ?? body['error'] ?? body['message']) : undefined)
  const text = said.length === 0 ? `status ${status}` : `status ${status}: ${said.join('; ')}`
  return clean(text, secrets).slice(0, maxLength)
}

/** A text, a list of texts or of `{title, detail}`, or lists of texts by attribute. */
function listMessages(errors: unknown): string[] {
  if (typeof errors === 'string') return errors === '' ? [] : [errors]
  if (Array.isArray(errors)) return errors.flatMap(listMessages)
  if (!isRecord(errors)) return []
  const { detail, title } = errors
  if (typeof title === 'string' || typeof detail === 'string') {
    return [[title, detail].filter(part => typeof part === 'string' && part !== '').join(': ')]
  }
  return Object.entries(errors).flatMap(([name, messages]) =>
    listMessages(messages).map(message => (name === 'base' ? message : `${name} ${message}`)),
  )
}

function clean(text: string, secrets: readonly string[]): string {
  let cleaned = text
  for (const secret of secrets) {
    // The scheme of a header is no secret, and may be said without the rest.
    for (const part of [secret, secret.replace(/^Bearer /, '')]) {
      if (part !== '') cleaned = cleaned.replaceAll(part, '(secret)')
    }
  }
  return cleaned.replace(/(\/heartbeats?\/)[^\s"'/]+/g, '$1(secret)')
}

/** An object, and no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
