import { findAdoptions } from './adopt.ts'
import type { Step } from './plan-monitoring.ts'

export interface Allowed {
  /** Heartbeats' addresses by variable. */
  readonly heartbeats: ReadonlyMap<string, string>
  /** Make new ones beside what was made by hand. */
  readonly beside: boolean
  /** Let monitors watch another host than before. */
  readonly move: boolean
}

/** Why nothing may be written before a person says more; undefined: nothing speaks against it. Pure. */
export function objectTo(steps: readonly Step[], { beside, heartbeats, move }: Allowed): string | undefined {
  const objections = [move ? undefined : objectToMove(steps), beside ? undefined : objectToTwins(steps, heartbeats)]
  return objections.find(one => one !== undefined)
}

/** Monitors of another host may be those of another environment, of the same name. */
function objectToMove(steps: readonly Step[]): string | undefined {
  const moved = steps.flatMap(step => {
    if (step.action !== 'update') return []
    const [from, to] = [hostOf(step.real.attributes['url']), hostOf(step.wanted.attributes['url'])]
    return to === undefined || from === to ? [] : [{ from: from ?? 'nothing', to }]
  })
  const [first] = moved
  if (first === undefined) return undefined
  return `${moved.length} monitors watch ${first.from} and would watch ${first.to} (PUBLIC_URL): say --move where that is meant`
}

/** What was made by hand and does the same has an address that is in use, and a history. */
function objectToTwins(steps: readonly Step[], heartbeats: ReadonlyMap<string, string>): string | undefined {
  const { adoptions, ambiguous } = findAdoptions(steps, heartbeats)
  const made = new Set([...adoptions, ...ambiguous].map(({ wanted }) => wanted))
  const names = steps.flatMap(step => (step.action === 'create' && made.has(step.wanted) ? [step.name] : []))
  if (names.length === 0) return undefined
  const what = names.length === 1 ? `${names[0]} seems` : `${names.length} seem`
  return `${what} to be there already, made by hand: \`monitors import\` takes over, or say --beside to make new ones`
}

function hostOf(url: unknown): string | undefined {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).host : undefined
}
