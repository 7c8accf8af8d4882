import { KeyRefusedError, RetryLaterError, toError } from '../errors.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { type ComponentName, type ComponentReport, type Look, type Observation, toReport, warn } from './component.ts'

/** How long who asks can wait, and whether this process is none of what they ask about. */
export interface Asked {
  readonly limitMs: number
  readonly fromOutside?: boolean
}

interface Begun {
  readonly look: Look
  readonly seen: Promise<Observation>
}

/**
 * What is seen belongs to nobody who asks: a look has its whole time, however short the first one can wait, and however
 * long ago another began it, everybody takes what there is when their own time is up.
 */
export function createExaminer(
  looks: Readonly<Record<ComponentName, readonly Look[]>>,
  timeoutMs: number,
  keptMs: number,
) {
  const kept = new Map<ComponentName, { readonly begun: readonly Begun[]; readonly until: number }>()
  const begin = (name: ComponentName): readonly Begun[] => {
    const known = kept.get(name)
    if (known !== undefined && performance.now() < known.until) return known.begun
    const begun = looks[name].map(look => ({ look, seen: seeInTime(look, timeoutMs) }))
    kept.set(name, { begun, until: performance.now() + keptMs })
    return begun
  }
  return async (name: ComponentName, { fromOutside = false, limitMs }: Asked): Promise<ComponentReport> => {
    const asked = begin(name).filter(({ look }) => !(fromOutside && look.ofThisProcess === true))
    const taken = asked.map(async ({ look, seen }) => await orLate(seen, look, limitMs))
    return redactDetails(toReport(await Promise.all(taken)))
  }
}

/** What a look came to; that it threw, or had no answer in time, is an issue too. Never throws. */
async function seeInTime(look: Look, timeoutMs: number): Promise<Observation> {
  const controller = new AbortController()
  const seen = (async () => await look.see(controller.signal))().catch((thrown: unknown): Observation => {
    const err = toError(thrown)
    const issue = `could not read ${look.reads}: ${wordsOf(err, look.asksVendor === true)}`
    const { advice, adviceWhenRefused = advice } = look
    if (err instanceof RetryLaterError) {
      // Nothing is wrong with it, and nothing is known of it.
      return { issues: [warn(issue, `it asks to be called less often: ask again in ${err.delaySeconds} s`)] }
    }
    return {
      issues: [{ severity: 'fail', issue, advice: err instanceof KeyRefusedError ? adviceWhenRefused : advice }],
    }
  })
  return await orLate(seen, look, timeoutMs, controller)
}

/** What was seen; that it is not there within this time, otherwise. */
async function orLate(
  seen: Promise<Observation>,
  { advice, lateIsTold = false, reads }: Look,
  limitMs: number,
  controller?: AbortController,
): Promise<Observation> {
  const late = Promise.withResolvers<Observation>()
  const timer = setTimeout(() => {
    const issue = `could not read ${reads} within ${limitMs} ms`
    late.resolve({ issues: lateIsTold ? [] : [{ severity: 'fail', issue, advice }] })
    controller?.abort()
  }, limitMs)
  try {
    return await Promise.race([seen, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * A refused key is told in our words, any other error of a provider as far as a colon, behind which a vendor may be
 * quoted. Of all others only the code is told: a driver may put anything into its messages.
 */
function wordsOf(err: Error, ofVendor: boolean): string {
  if (err instanceof KeyRefusedError) return err.message
  if (ofVendor) return err.message.split(':', 1)[0] ?? err.name
  const code = 'code' in err ? err.code : undefined
  return typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : err.name
}
