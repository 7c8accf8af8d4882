import { setTimeout as sleep } from 'node:timers/promises'
import type { Stripe } from 'stripe'
import { apiVersion, type StripeClient } from './stripe-client.ts'
import { mayPass, toReadError } from './stripe-failure.ts'

export interface ReadsOptions {
  readonly client: StripeClient
  readonly live: boolean
  readonly timeoutMs: number
  /** The first of the waits between tries, in milliseconds. */
  readonly retryMs: number
}

const tries = 4
const pageSize = 100
const maxPages = 100

type Request<T> = (stripe: Stripe) => Promise<T>

/** What Stripe says about one thing. Tries again what may pass: 429, 5xx, a lock, the network. */
export async function read<T>(
  options: ReadsOptions,
  what: string,
  signal: AbortSignal,
  request: Request<T>,
): Promise<T> {
  return (await readAnswer(options, what, signal, request)).object
}

/** As `read`, with the vendor's clock. */
export async function readAnswer<T>(options: ReadsOptions, what: string, signal: AbortSignal, request: Request<T>) {
  const { client, retryMs, timeoutMs } = options
  for (let attempt = 1; ; attempt += 1) {
    const asked = await client.ask(request, { signal, timeoutMs, graceMs: 0 })
    if (asked.kind === 'answered') {
      // Fields of another version could mean something else.
      if (asked.version === null || asked.version === apiVersion) return asked
      throw Object.assign(new Error(`stripe answered in a version we did not ask for, about ${what}`), {
        code: 'api_version',
      })
    }
    signal.throwIfAborted()
    if (attempt === tries || !mayPass(asked.failure)) throw toReadError(asked.failure, what)
    await pause(retryMs * 2 ** (attempt - 1), signal)
  }
}

/** Half of the time is chance, so that many who were refused at once do not come back at once. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
    signal.throwIfAborted()
  })
}

interface Page<T> {
  readonly data: readonly T[]
  readonly has_more: boolean
}

type PageRequest<T> = (stripe: Stripe, page: { limit: number; starting_after?: string }) => Promise<Page<T>>

/** All pages, newest first. Throws rather than leave out the end of a list that is longer than anybody expects. */
export async function readPages<T extends { readonly id: string }>(
  options: ReadsOptions,
  what: string,
  signal: AbortSignal,
  request: PageRequest<T>,
): Promise<T[]> {
  const all: T[] = []
  for (let page = 1; page <= maxPages; page += 1) {
    const after = all.at(-1)
    const cursor = after === undefined ? {} : { starting_after: after.id }
    const { data, has_more: more } = await read(
      options,
      what,
      signal,
      async stripe => await request(stripe, { limit: pageSize, ...cursor }),
    )
    all.push(...data)
    if (!more) return all
    if (data.length === 0) throw new Error(`stripe promised more of ${what} and sent nothing`)
  }
  throw Object.assign(new Error(`${what} are more than ${maxPages * pageSize}`), { code: 'too_many_pages' })
}
