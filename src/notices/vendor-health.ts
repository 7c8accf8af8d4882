import { recordFinding } from '../database/findings.ts'
import { recallWaiting } from '../database/outbox-ends.ts'
import type { SenderParts, Visit } from './sender-parts.ts'
import { troubleFinding } from './vendor-findings.ts'

/** How the visits of a batch went. */
export interface Visits {
  readonly sent: Visit
  readonly lookedUp: Visit
  /** The last code of what went wrong. */
  readonly code: string
}

export interface VendorHealth {
  /** Whether the vendor was in trouble when it was last asked: a few notices try it out before the others follow. */
  isCautious(): boolean
  /** Tells operators of a trouble that lasts; at its end, what waited for the vendor is due at once. */
  hear(visits: Visits): Promise<void>
}

const raiseAfterMs = 15 * 60_000
// More than the longest wait between two tries: what comes after a longer silence is another trouble.
const sameTroubleMs = 2 * 60 * 60_000

/** What this process knows of the vendor from its own visits. */
export function createVendorHealth(parts: SenderParts): VendorHealth {
  const ill = { sending: false, lookingUp: false }
  // An earlier process may have met a trouble that is over.
  let mayWait = true
  let trouble: { readonly since: Date; readonly latest: Date } | undefined
  return {
    isCautious: () => ill.sending || ill.lookingUp,
    hear: async ({ code, lookedUp, sent }) => {
      const now = parts.clock()
      // One does not make the other well: a vendor may answer questions and take no message.
      if (sent !== 'not asked') ill.sending = sent === 'trouble'
      if (lookedUp !== 'not asked') ill.lookingUp = lookedUp === 'trouble'
      if (sent === 'trouble' || lookedUp === 'trouble') {
        const isSame = trouble !== undefined && now.getTime() - trouble.latest.getTime() < sameTroubleMs
        trouble = { since: isSame && trouble !== undefined ? trouble.since : now, latest: now }
        mayWait = true
        await raiseTrouble(trouble.since, code, now, parts)
      } else if (!ill.sending && !ill.lookingUp) {
        trouble = undefined
      }
      if (sent !== 'fine' || !mayWait) return
      mayWait = false
      await recallWaiting(parts.db, now)
    },
  }
}

async function raiseTrouble(since: Date, code: string, now: Date, { db, log }: SenderParts): Promise<void> {
  if (now.getTime() - since.getTime() < raiseAfterMs) return
  const fresh = await recordFinding(db, troubleFinding(code, since), now)
  if (fresh) log.error({ code, since }, 'novu is in trouble')
}
