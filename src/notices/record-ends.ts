import type { Db } from '../database/connection.ts'
import { recordFinding } from '../database/findings.ts'
import { endClaims, type NoticeEnd } from '../database/outbox-ends.ts'
import { resolveVendorFindings } from '../database/outbox-findings.ts'
import type { SendAnswer } from '../providers/notifications.ts'
import type { Batch, NoticeTally } from './sender-parts.ts'
import { recordLost } from './record-lost.ts'
import { recordPoison } from './record-poison.ts'
import { keyFinding, workflowFinding } from './vendor-findings.ts'

/** What became of notices, and what that says about the vendor. */
export interface Ended {
  readonly ends: readonly NoticeEnd[]
  readonly news?: readonly News[]
  /** The vendor's code, when it refused our key. */
  readonly keyRefused?: string
  readonly keyWorks?: boolean
}

/** What the vendor said about a message of a workflow. */
export interface News {
  readonly workflow: string
  readonly answer: SendAnswer
}

/** Writes down what became of claimed notices, together with the findings that follow from it. */
export async function recordEnds({ hold, parts, tally }: Batch, ended: Ended): Promise<void> {
  const { clock, db, log } = parts
  const now = clock()
  const { ends } = ended
  const recorded = await db.transaction().execute(async trx => {
    const ours = await endClaims(trx, hold.claim, ends, now)
    const poisoned = ends.flatMap(({ id, note, state }) => {
      const kind = ours.get(id)
      return state === 'poison' && kind !== undefined ? [{ kind, reason: note ?? '', runId: null }] : []
    })
    await recordPoison(trx, poisoned, now)
    const late = ends.filter(({ note, state }) => state === 'dropped' && note === 'too_late')
    await recordLost(
      trx,
      late.flatMap(({ id }) => ours.get(id) ?? []),
      parts,
    )
    await noteVendor(trx, ended, now)
    return ours
  })
  for (const { id, note, state } of ends) {
    if (recorded.has(id)) tally[columns[state]] += 1
    else log.warn({ notice: id, state }, 'notice was taken over before this could be recorded')
    if (recorded.has(id) && state === 'poison') log.error({ notice: id, note }, 'notice set aside')
  }
}

const columns = {
  sent: 'sent',
  dropped: 'dropped',
  poison: 'poison',
  unknown: 'unknown',
  pending: 'later',
} as const satisfies Record<NoticeEnd['state'], keyof NoticeTally>

/** What is wrong at the vendor is a finding for as long as it is so. */
async function noteVendor(trx: Db, { keyRefused, keyWorks = false, news = [] }: Ended, now: Date): Promise<void> {
  const unready = new Map(
    news.flatMap(({ answer, workflow }) => (answer.kind === 'unready' ? [[workflow, answer.code]] : [])),
  )
  const refusal = news.find(({ answer }) => answer.kind === 'keyRefused')?.answer
  const code = keyRefused ?? (refusal !== undefined && 'code' in refusal ? refusal.code : undefined)
  // In one order, so that of two who write about the same ones one waits for the other.
  for (const [workflow, why] of [...unready].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    await recordFinding(trx, workflowFinding(workflow, why), now)
  if (code !== undefined) await recordFinding(trx, keyFinding(code), now)
  const accepted = news.filter(({ answer }) => answer.kind === 'accepted').map(({ workflow }) => workflow)
  if (accepted.length > 0 || keyWorks) await resolveVendorFindings(trx, accepted, now)
}
