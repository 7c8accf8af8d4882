import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, notModelled, type Reaction, type Request } from '../stand-in.ts'
import { guard, loseBefore, spoil, takeFault } from './faults.ts'
import { onceForKey, type Outcome } from './idempotency.ts'
import { getWorkflow, listNotifications, listWorkflows } from './read-routes.ts'
import { fail, refuseKey } from './refusal.ts'
import { trigger, triggerBulk } from './send-routes.ts'
import type { State } from './state.ts'
import type { NovuCall, NovuFault } from './types.ts'

interface Route {
  readonly call: NovuCall
  readonly method: 'GET' | 'POST'
  readonly path: RegExp
  readonly answer: (state: State, request: Request, given: { id: string; failing: number | undefined }) => Answer
}

const routes: readonly Route[] = [
  { call: 'send', method: 'POST', path: /^\/v1\/events\/trigger$/, answer: trigger },
  {
    call: 'send',
    method: 'POST',
    path: /^\/v1\/events\/trigger\/bulk$/,
    answer: (state, request, { failing }) => triggerBulk(state, request, failing),
  },
  { call: 'lookUp', method: 'GET', path: /^\/v1\/notifications$/, answer: listNotifications },
  { call: 'workflows', method: 'GET', path: /^\/v2\/workflows$/, answer: listWorkflows },
  {
    call: 'workflows',
    method: 'GET',
    path: /^\/v2\/workflows\/([^/]+)$/,
    answer: (state, request, { id }) => getWorkflow(state, request, id),
  },
]

/** Answers one call of the API, or does to it what a fault says. */
export async function answerCall(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  const route = routes.find(({ method, path }) => method === request.method && path.test(request.path))
  note(state, request, route?.call)
  if (route === undefined) return notModelled('Novu', `${request.method} ${request.path}`)
  const fault = takeFault(state, route.call, request)
  const stopped = guard(fault, request)
  if (stopped !== undefined) return stopped
  if (request.headers.authorization !== `ApiKey ${state.secretKey}`) return refuseKey()
  const work = async (): Promise<Outcome> => await carryOut(state, request, { route, fault, closed })
  return request.method === 'POST' ? await onceForKey(state, request, work) : (await work()).reaction
}

interface Met {
  readonly route: Route
  readonly fault: NovuFault | undefined
  readonly closed: AbortSignal
}

async function carryOut(state: State, request: Request, { closed, fault, route }: Met): Promise<Outcome> {
  const lost = loseBefore(fault, request, route.method === 'POST' ? 201 : 200)
  // A failure inside of the API is its answer, whether it had carried the request out or not.
  if (lost !== undefined)
    return { answer: fault?.kind === 'error' ? fail(request, fault.status) : undefined, reaction: lost }
  if (fault?.kind === 'slow') await delay(fault.delayMs, undefined, { signal: closed }).catch(() => undefined)
  const id = decodeURIComponent(route.path.exec(request.path)?.[1] ?? '')
  const failing = fault?.kind === 'failOne' ? fault.index : undefined
  const answer = route.answer(state, request, { id, failing })
  const reaction = spoil(fault, request, answer)
  return { answer: fault?.kind === 'error' ? fail(request, fault.status) : answer, reaction }
}

function note({ asked }: State, request: Request, call: NovuCall | undefined): void {
  const transactionIds = [...request.body.toString().matchAll(/"transactionId":"([^"]+)"/g)].map(([, id]) => id ?? '')
  const { method, path, query } = request
  asked.push({
    call,
    method,
    path,
    query: query.toString(),
    idempotencyKey: request.headers['idempotency-key'],
    transactionIds,
  })
}
