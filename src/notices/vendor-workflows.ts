import { recordFinding } from '../database/findings.ts'
import { heldBack, recallUnready } from '../database/outbox-ends.ts'
import { listSwallowing, resolveKeyRefused, resolveReady } from '../database/outbox-findings.ts'
import { KeyRefusedError, toError } from '../errors.ts'
import type { Message, Workflow } from '../providers/notifications.ts'
import { withinTime } from '../time-limit.ts'
import { workflows } from './catalogue.ts'
import { type PayloadRules, readRules } from './compare-payloads.ts'
import { needsSamples } from './compare-samples.ts'
import { compareWorkflows, type WorkflowCheck } from './compare-workflows.ts'
import type { SenderParts } from './sender-parts.ts'
import { differingFinding, keyFinding, kindsOf } from './vendor-findings.ts'

/** Why a message must not go now, as a note; undefined when nothing speaks against it. */
export type JudgeMessage = (message: Pick<Message, 'payload' | 'workflow'>) => string | undefined

export interface WorkflowWatch {
  /**
   * Compares the workflows at the vendor with the catalogue, when it is time: at first, hourly, and every five minutes while
   * something differs or the vendor does not answer. Findings say what differs and close by themselves, and what waited for a
   * workflow that was mended is due at once. Never throws for the vendor.
   */
  compare(): Promise<void>
  /**
   * Which messages the vendor would accept and never send, by its workflows as they were last seen. Before they were, nothing
   * goes of a workflow that is known to swallow messages.
   */
  judge(): Promise<JudgeMessage>
  /** The vendor has just refused a workflow: compare soon. */
  hurry(): void
}

const usualEveryMs = 60 * 60_000
const anxiousEveryMs = 5 * 60_000
const budgetMs = 30_000

/** Keeps an eye on what the vendor would swallow without a word. `stop` cuts a comparison off. */
export function createWorkflowWatch(parts: Omit<SenderParts, 'stop' | 'watch'>, stop: AbortSignal): WorkflowWatch {
  const { clock, db, log, notifications } = parts
  const fineAt = new Map<string, Date>()
  let comparedAt = -Infinity
  let everyMs = usualEveryMs
  let rules: ReadonlyMap<string, () => PayloadRules | undefined> | undefined

  const compare = async (now: Date): Promise<void> => {
    const real = await withinTime(stop, budgetMs, async limited => await notifications.listWorkflows(limited))
    const checks = await checkAll(real)
    rules = new Map(
      real.flatMap(({ id, payloadSchema: schema }) => (schema === undefined ? [] : [[id, readLater(schema)]])),
    )
    const differing = checks.filter(({ differences }) => differences.length > 0)
    everyMs = differing.length > 0 ? anxiousEveryMs : usualEveryMs
    await record({ differing, fine: checks.filter(check => !differing.includes(check)), fineAt, now }, parts)
  }
  return {
    compare: async () => {
      const now = clock()
      if (stop.aborted || Math.abs(now.getTime() - comparedAt) < everyMs) return
      comparedAt = now.getTime()
      everyMs = anxiousEveryMs
      try {
        await compare(now)
      } catch (thrown) {
        const err = toError(thrown)
        if (err instanceof KeyRefusedError) await recordFinding(db, keyFinding('key_refused'), now)
        if (!stop.aborted) log.warn({ err }, 'workflows at novu could not be compared')
      }
    },
    judge: async () => {
      if (rules === undefined) {
        const swallowing = await listSwallowing(db)
        return ({ workflow }) => (swallowing.has(workflow) ? heldBack : undefined)
      }
      const known = rules
      return ({ payload, workflow }) => (known.get(workflow)?.()?.swallows(payload) === true ? heldBack : undefined)
    },
    hurry: () => {
      everyMs = anxiousEveryMs
    },
  }
}

interface Compared {
  readonly differing: readonly WorkflowCheck[]
  readonly fine: readonly WorkflowCheck[]
  /** When each was last seen as it should be. */
  readonly fineAt: Map<string, Date>
  readonly now: Date
}

async function record({ differing, fine, fineAt, now }: Compared, { db, log }: Pick<SenderParts, 'db' | 'log'>) {
  const fineIds = fine.map(({ id }) => id)
  await db.transaction().execute(async trx => {
    for (const { differences, id } of differing.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      const fresh = await recordFinding(trx, differingFinding(id, differences, fineAt.get(id)), now)
      if (fresh) log.error({ workflow: id, differences }, 'workflow at novu is not what notices need')
    }
    const mended = await resolveReady(trx, fineIds, now)
    if (mended.length > 0) log.info({ workflows: mended }, 'workflows at novu are as they should be again')
    // Whoever has seen the old workflow last may have put some back after the finding was closed.
    await recallUnready(trx, fineIds.flatMap(kindsOf), now)
    // Last, as whoever sends does it.
    await resolveKeyRefused(trx, now)
  })
  for (const id of fineIds) fineAt.set(id, now)
}

/** With samples only where a schema needs them: words in three languages cost 30 MB, and most processes send none of them. */
async function checkAll(real: readonly Workflow[]): Promise<readonly WorkflowCheck[]> {
  const needs = ({ id, payloadSchema }: Workflow): boolean =>
    Object.hasOwn(workflows, id) && payloadSchema !== undefined && needsSamples(payloadSchema)
  if (!real.some(needs)) return compareWorkflows(workflows, real)
  const { checkWorkflows } = await import('./check-workflows.ts')
  return checkWorkflows(real)
}

/** At the first message of the workflow. */
function readLater(schema: Readonly<Record<string, unknown>>): () => PayloadRules | undefined {
  let read: { readonly rules: PayloadRules | undefined } | undefined
  return () => (read ??= { rules: readRules(schema) }).rules
}
