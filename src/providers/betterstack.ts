import { type Answered, type BetterStackAccess, type Call, createCalls } from './betterstack-calls.ts'
import { createLists, paths } from './betterstack-lists.ts'
import type { Monitoring, Written } from './monitoring.ts'

/**
 * Heartbeats, monitors, their groups and escalation policies of one Better Stack team (betterstack.com/docs/uptime/api).
 * `team`: whose, for a token of the whole organisation.
 */
export function createBetterStack(access: BetterStackAccess & { readonly team?: string }): Monitoring {
  const ask = createCalls(access)
  const write = async (call: Call, signal: AbortSignal, isDone = isOk): Promise<Written> =>
    toWritten(await ask(call, signal), isDone)
  const ofTeam = access.team === undefined ? {} : { team_name: access.team }
  return {
    list: createLists(ask, access),
    create: async (kind, body, signal) =>
      await write({ method: 'POST', target: paths[kind], body: { ...body, ...ofTeam } }, signal),
    update: async (kind, id, body, signal) =>
      await write({ method: 'PATCH', target: `${paths[kind]}/${encodeURIComponent(id)}`, body }, signal),
    remove: async (kind, id, signal) =>
      await write(
        { method: 'DELETE', target: `${paths[kind]}/${encodeURIComponent(id)}` },
        signal,
        status => isOk(status) || status === 404,
      ),
  }
}

function isOk(status: number): boolean {
  return status >= 200 && status <= 299
}

function toWritten(answered: Answered, isDone: (status: number) => boolean): Written {
  const { reason } = answered
  if (answered.status === undefined) return { outcome: answered.wasSent ? 'unknown' : 'not now', reason }
  const { retryAfterMs, status } = answered
  if (isDone(status)) return { outcome: 'done' }
  if (status === 429) return { outcome: 'not now', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  // A gateway that gave up says nothing of what it had passed on.
  return { outcome: status === 408 || status >= 500 ? 'unknown' : 'refused', reason: reason || `status ${status}` }
}
