import {
  acknowledgeFinding,
  type ChangedFinding,
  closeFinding,
  type FindingChange,
  type ListedFinding,
  listFindings,
} from '../database/finding-queries.ts'
import type { Db } from '../database/connection.ts'
import type { FindingChoice, FindingState } from '../database/tables.ts'
import { describeUnchanged } from '../runner/operator-actions.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { withLedger } from './connect.ts'
import { findOperator } from './operator.ts'
import { printJson, printLine, printTable, type Style, toUtc } from './print.ts'

export interface FindingsOptions {
  readonly state: FindingChoice
  readonly kind?: string
  readonly job?: string
  readonly before?: string
  readonly limit: number
  readonly json?: boolean
}

export interface FindingChangeOptions {
  readonly note: string
  readonly as?: string
  readonly json?: boolean
}

/** Lists findings, newest first. */
export async function showFindings({ json = false, limit, ...filter }: FindingsOptions): Promise<number> {
  return await withLedger(async db => {
    const findings = await listFindings(db, { ...filter, limit: limit + 1 })
    const page = findings.slice(0, limit).map(redactDetails)
    const next = findings.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ findings: page, next })
    else printPage(page, next)
    return 0
  })
}

/** Says of an open finding that somebody is looking after it. Throws when it is unknown or not open. */
export async function acknowledge(id: string, options: FindingChangeOptions): Promise<number> {
  return await change(id, options, acknowledgeFinding)
}

/** Closes a finding. Throws when it is unknown or closed already. */
export async function resolve(id: string, options: FindingChangeOptions): Promise<number> {
  return await change(id, options, closeFinding)
}

async function change(
  id: string,
  { as, json = false, note }: FindingChangeOptions,
  apply: (db: Db, change: FindingChange) => Promise<ChangedFinding | undefined>,
): Promise<number> {
  const operator = findOperator(as)
  return await withLedger(async db => {
    const changed = await apply(db, { id, operator, note, now: new Date() })
    if (changed === undefined) throw new Error(`there is no finding ${id}: \`findings --state all\` lists them`)
    if (!changed.changed) throw new Error(describeUnchanged(changed))
    const finding = redactDetails(changed.finding)
    if (json) printJson(finding)
    else printLine(`finding ${id} is ${finding.state} now: ${finding.kind}, ${finding.subject}`)
    return 0
  })
}

const styles: Readonly<Record<FindingState, Style>> = { open: 'red', acknowledged: 'yellow', resolved: 'green' }

function printPage(findings: readonly ListedFinding[], next: string | null): void {
  if (findings.length === 0) {
    printLine('no findings')
    return
  }
  printTable(
    ['finding', 'state', 'seen', 'last seen (UTC)', 'kind', 'subject', 'what to do'],
    findings.map(finding => [
      finding.id,
      { text: finding.state, style: styles[finding.state] },
      `${finding.occurrences} x`,
      toUtc(finding.last_seen_at),
      finding.kind,
      finding.subject,
      [finding.message, ...describeCare(finding)].join('; '),
    ]),
  )
  if (next !== null) printLine(`more: --before ${next}`)
}

/** Who looks after it, or has closed it, and what they wrote. */
function describeCare({ acknowledged_by: seenBy, closed_by: closedBy, note, state }: ListedFinding): string[] {
  if (state === 'open') return []
  const words = note === null ? '' : `: ${note}`
  return [`${state} by ${state === 'resolved' ? closedBy : seenBy}${words}`]
}
