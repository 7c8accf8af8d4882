/** The notification vendor in our words. */

/** One message to one person, as it goes out. */
export interface Message {
  /** The vendor's id of the workflow that words and routes it. */
  readonly workflow: string
  /** Our key of the notice: the vendor ignores a second message under it. At most 255 characters, no personal data. */
  readonly transactionId: string
  readonly to: Recipient
  /** What the workflow's templates are filled with. */
  readonly payload: Readonly<Record<string, unknown>>
}

/** A person at the vendor, created or brought up to date by the message. */
export interface Recipient {
  readonly subscriberId: string
  readonly email?: string
  readonly firstName?: string
  readonly lastName?: string
  /** BCP 47. */
  readonly locale?: string
  /** IANA. */
  readonly timeZone?: string
}

/**
 * What a send came to. Only `accepted` and `unknown` may reach the person; `later` has not and may work the next time;
 * `refused` has not and never will, as the message stands.
 */
export type SendAnswer =
  | { readonly kind: 'accepted' }
  /** No answer, half an answer, or a 5xx: it may have been taken. */
  | { readonly kind: 'unknown'; readonly code: string }
  | { readonly kind: 'later'; readonly code: string; readonly retryAfterMs?: number }
  | { readonly kind: 'refused'; readonly code: string }
  /** The workflow does not exist, is switched off or has no steps: nothing of it goes out before a person mends that. */
  | { readonly kind: 'unready'; readonly code: string }
  /** 401 or 403: our key. */
  | { readonly kind: 'keyRefused'; readonly code: string }

/** A workflow as the vendor has it. */
export interface Workflow {
  readonly id: string
  readonly active: boolean
  /** How many channels and other steps it has; without any, it accepts everything and tells nobody. */
  readonly steps?: number
  /** JSON Schema of the payload; undefined where the vendor keeps none. */
  readonly payloadSchema: Readonly<Record<string, unknown>> | undefined
}

/** Every call is limited, ends within its deadline and takes a signal. */
export interface Notifications {
  /** Sends up to 100 messages, in one call where there are several; one answer for each, in their order. Never throws for an answer of the vendor. */
  send(messages: readonly Message[], signal: AbortSignal): Promise<readonly SendAnswer[]>
  /** Whether the vendor has taken a message under this id. Throws KeyRefusedError, or an Error with the vendor's `code` for what may work later. */
  isTaken(transactionId: string, signal: AbortSignal): Promise<boolean>
  /** All workflows there are. Throws as `isTaken` does. */
  listWorkflows(signal: AbortSignal): Promise<readonly Workflow[]>
  /** Those of these ids that exist, each by one call, however many others there are. Throws as `isTaken` does. */
  getWorkflows(ids: readonly string[], signal: AbortSignal): Promise<readonly Workflow[]>
}
