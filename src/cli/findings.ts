import {
  acknowledgeFinding,
  type ChangedFinding,
  closeFinding,
  findFinding,
  findUnknownKind,
  type FindingClosing,
  freeingKinds,
  type ListedFinding,
  listFindings,
} from '../database/finding-queries.ts'
import type { Db } from '../database/connection.ts'
import type { FindingChoice, FindingState } from '../database/tables.ts'
import { describeUnchanged } from '../runner/operator-actions.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { ask, canAsk } from './ask.ts'
import { withLedger } from './connect.ts'
import { findOperator } from './operator.ts'
import { toMoney } from './print-money.ts'
import { printFacts, printJson, printLine, printNote, printTable, type Style, toUtc } from './print.ts'
import { type Json, list, toCell, toDetails, toWords } from './print-values.ts'

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

export interface ResolveOptions extends FindingChangeOptions {
  readonly yes?: boolean
}

/** Lists findings, newest first. Throws for a kind of which there never was one. */
export async function showFindings({ json = false, limit, ...filter }: FindingsOptions): Promise<number> {
  return await withLedger(async db => {
    const findings = await listFindings(db, { ...filter, limit: limit + 1 })
    if (findings.length === 0 && filter.kind !== undefined) {
      const problem = await findUnknownKind(db, filter.kind)
      if (problem !== undefined) throw new Error(problem)
    }
    const page = findings.slice(0, limit).map(redactDetails)
    const next = findings.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ findings: page, next })
    else printPage(page, next)
    return 0
  })
}

/** Shows one finding with its evidence. Throws when there is none. */
export async function showFinding(id: string, { json = false }: { readonly json?: boolean }): Promise<number> {
  return await withLedger(async db => {
    const finding = redactDetails(await getFinding(db, id))
    if (json) printJson(finding)
    else printFinding(finding)
    return 0
  })
}

/** Says of an open finding that somebody is looking after it. Throws when it is unknown or not open. */
export async function acknowledge(id: string, options: FindingChangeOptions): Promise<number> {
  return await change(id, options, acknowledgeFinding)
}

/**
 * Closes a finding: (1) show it with its evidence, (2) where that lets money go, ask unless told not to, (3) close and
 * audit it. Gives 1 when the answer is no; throws when it is unknown or closed already.
 */
export async function resolve(id: string, options: ResolveOptions): Promise<number> {
  const { json = false, yes = false } = options
  return await change(id, options, closeFinding, async finding => {
    if (!json) printFinding(finding)
    if (yes || !freeingKinds.includes(finding.kind)) return true
    if (json || !canAsk()) throw new Error('nothing was resolved: without a terminal to ask on, add --yes')
    return await ask(`Let money leave ${toCell(finding.details?.['account'])} again?`)
  })
}

async function change(
  id: string,
  { as, json = false, note }: FindingChangeOptions,
  apply: (db: Db, change: FindingClosing) => Promise<ChangedFinding | undefined>,
  isWanted: (finding: ListedFinding) => Promise<boolean> = async () => true,
): Promise<number> {
  const operator = findOperator(as)
  return await withLedger(async db => {
    const found = redactDetails(await getFinding(db, id))
    if (found.state !== 'resolved' && !(await isWanted(found))) {
      printNote('nothing was resolved')
      return 1
    }
    const changed = await apply(db, { id, operator, note, letMoneyGo: true, now: new Date() })
    if (changed === undefined) throw new Error(describeMissing(id))
    if (!changed.changed) throw new Error(describeUnchanged(changed))
    const finding = redactDetails(changed.finding)
    if (json) printJson(finding)
    else printLine(`finding ${id} is ${finding.state} now: ${finding.kind}, ${finding.subject}`)
    return 0
  })
}

async function getFinding(db: Db, id: string): Promise<ListedFinding> {
  const finding = await findFinding(db, id)
  if (finding === undefined) throw new Error(describeMissing(id))
  return finding
}

function describeMissing(id: string): string {
  return `there is no finding ${id}: \`findings --state all\` lists them`
}

/** One finding with its evidence, each detail on its own line. */
export function printFinding(finding: ListedFinding): void {
  const { details, first_seen_at: firstSeen, id, job, kind, last_seen_at: lastSeen, message, state, subject } = finding
  printLine({ text: `finding ${id}`, style: 'bold' }, { text: state, style: styles[state] }, kind)
  printFacts([
    ['subject', subject],
    ['what to do', message],
    ['seen', `${finding.occurrences} x, first ${toUtc(firstSeen)} UTC, last ${toUtc(lastSeen)} UTC`],
    ['job', job ?? undefined],
    ['care', describeCare(finding).join('; ') || undefined],
    ...listEvidence(details),
  ])
}

/** What a finding is made of, as names and values for people. */
export function listEvidence(details: Json | null): [string, string | undefined][] {
  const evidence = details ?? {}
  const currency = typeof evidence['currency'] === 'string' ? evidence['currency'] : undefined
  return Object.entries(evidence).flatMap(([name, value]): [string, string | undefined][] => {
    if (value === null || (Array.isArray(value) && value.length === 0)) return []
    const documents = list(value).filter(part => typeof part === 'object')
    if (documents.length > 0) return documents.map(part => [toWords(name), toDetails(part, ['currency'])])
    if (name.toLowerCase().endsWith('cents') && typeof value === 'number' && currency !== undefined) {
      return [[toWords(name), toMoney(value, currency)]]
    }
    return [[toWords(name), Array.isArray(value) ? value.map(toCell).join(', ') : String(toCell(value))]]
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
