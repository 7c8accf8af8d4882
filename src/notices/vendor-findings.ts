import type { Finding } from '../database/findings.ts'
import { differs, poisonKind } from '../database/outbox-findings.ts'
import { workflowOf } from './catalogue.ts'

const ours = { job: null, runId: null }
const shown = 3

/** The notices of a workflow that were set aside for one reason; `countPoison` says how many, in message and details. */
export function poisonFinding(kind: string, reason: string): Finding {
  const workflow = workflowOfKind(kind)
  const kinds = kindsOf(workflow)
  const message =
    `1 notice(s) of the workflow ${workflow} can never be sent as they stand (${reason}): look at one of \`notices --state poison\`, ` +
    `mend the workflow or the wording, then \`notices retry --kind ${kind} --state poison\`; or drop them. ` +
    'It closes with the last of them'
  const details = { workflow, reason, kinds: kinds.length === 0 ? [kind] : kinds, count: 0 }
  return { ...ours, kind: poisonKind, subject: `${workflow}: ${reason}`, message, details }
}

/** The workflow that words this kind; a kind that only another build knows stands for itself. */
export function workflowOfKind(kind: string): string {
  return Object.hasOwn(workflowOf, kind) ? workflowOf[kind as keyof typeof workflowOf] : kind
}

/** What a workflow words. */
export function kindsOf(workflow: string): readonly string[] {
  return Object.entries(workflowOf).flatMap(([kind, id]) => (id === workflow ? [kind] : []))
}

/** The vendor takes other fields for this workflow than are sent. `fineAt`: when it was last seen as it should be. */
export function differingFinding(workflow: string, differences: readonly string[], fineAt: Date | undefined): Finding {
  const since = fineAt === undefined ? 'it changed' : fineAt.toISOString()
  const more = differences.length > shown ? `; and ${differences.length - shown} more` : ''
  const message =
    `the workflow ${workflow} is not at Novu what notices need: ${differences.slice(0, shown).join('; ')}${more}. Mend it there ` +
    '(`npm run novu:diagnostics` compares again). What Novu would accept and never send waits, and goes out when it is mended; ' +
    `what has gone out since ${since} may not have arrived`
  return { ...ours, kind: 'novu-workflow-unready', subject: workflow, message, details: { code: differs, differences } }
}

/** Nothing of this workflow goes out. */
export function workflowFinding(workflow: string, code: string): Finding {
  const message =
    `Novu does not send the workflow ${workflow} (${code}): publish it, switch it on or give it a step; its notices wait, and ` +
    'go out then while they are useful'
  return { ...ours, kind: 'novu-workflow-unready', subject: workflow, message, details: { code } }
}

/** Nothing at all goes out. */
export function keyFinding(code: string): Finding {
  const message = `Novu refuses our key (${code}): set NOVU_SECRET_KEY to that of its environment; all notices wait for it`
  return { ...ours, kind: 'novu-key-refused', subject: 'NOVU_SECRET_KEY', message, details: { code } }
}

/** Nothing has gone out since then, whatever the reason. */
export function troubleFinding(code: string, since: Date): Finding {
  const message =
    `Novu has taken no message since ${since.toISOString()} (${code}): look at status.novu.co and at NOVU_BASE_URL; notices wait, and ` +
    'those that are of no use any more by then are lost. It closes with the next message that Novu takes'
  return { ...ours, kind: 'novu-in-trouble', subject: 'Novu', message, details: { code, since: since.toISOString() } }
}

/** Notices of a kind were of no use any more before they could be sent. */
export function lostFinding(kind: string, count: number): Finding {
  const message =
    `${count} notice(s) of the kind ${kind} were not sent in time, and nobody is told any more: \`notices --state dropped ` +
    `--kind ${kind}\` lists them (too_late); tell people by another way where it matters, then resolve this`
  return { ...ours, kind: 'notice-lost', subject: kind, message, details: { count } }
}

/** Notices of a kind have not gone out for a day, or have gone out again and again. */
export function undeliveredFinding(kind: string, count: number, oldest: Date): Finding {
  const message =
    `${count} notice(s) of the kind ${kind} have not arrived for more than a day, or after many tries: \`notices --kind ${kind}\` says why; ` +
    'they are tried until they arrive, or until somebody drops them'
  return {
    ...ours,
    kind: 'notice-undelivered',
    subject: kind,
    message,
    details: { count, oldest: oldest.toISOString() },
  }
}
