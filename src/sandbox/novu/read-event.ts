import type { NovuSubscriber } from './types.ts'

/** An event as a request asks for it. */
export interface TriggerEvent {
  readonly workflow: string
  readonly to: readonly NovuSubscriber[]
  readonly payload: Readonly<Record<string, unknown>>
  readonly transactionId: string | undefined
}

const fields = ['email', 'firstName', 'lastName', 'locale', 'timezone'] as const

/** The event, or what is wrong with it in the API's words. */
export function readEvent(raw: unknown): TriggerEvent | string {
  if (!isRecord(raw)) return 'must be an object'
  const { name, payload = {}, to, transactionId } = raw
  if (typeof name !== 'string' || name === '') return 'name must be a string'
  if (!isRecord(payload)) return 'payload must be an object'
  if (transactionId !== undefined && typeof transactionId !== 'string') return 'transactionId must be a string'
  const people = (Array.isArray(to) ? to : [to]).map(readSubscriber)
  if (people.length === 0 || people.some(person => person === undefined)) return 'to must name subscribers'
  return { workflow: name, to: people.filter(person => person !== undefined), payload, transactionId }
}

function readSubscriber(raw: unknown): NovuSubscriber | undefined {
  if (typeof raw === 'string') return raw === '' ? undefined : { subscriberId: raw }
  if (!isRecord(raw) || typeof raw['subscriberId'] !== 'string' || raw['subscriberId'] === '') return undefined
  const known = fields.flatMap(field => (typeof raw[field] === 'string' ? [[field, raw[field]] as const] : []))
  return { subscriberId: raw['subscriberId'], ...Object.fromEntries(known) }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
