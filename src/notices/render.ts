import type { Reader } from './facts.ts'
import type { NoticeKind } from './notice.ts'

export interface RenderOptions {
  /** The site, for links; without a slash at the end. */
  readonly appUrl: string
  /** What operators call this deployment, as in `production`. */
  readonly environment: string
}

export interface Rendered {
  /** The vendor's id of the workflow. */
  readonly workflow: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** Words a notice for its reader as of now. Total for facts that `checkFacts` accepts; throws a PermanentError for others. */
export type Render = (kind: NoticeKind, facts: Readonly<Record<string, unknown>>, reader: Reader, now: Date) => Rendered

export function createRenderer(_options: RenderOptions): Render {
  throw new Error('not built yet')
}
