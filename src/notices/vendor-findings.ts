import type { Finding } from '../database/findings.ts'

const ours = { job: null, runId: null }

/** The vendor will never take it as it stands. */
export function poisonFinding(id: string, code: string): Finding {
  const message =
    `notice ${id} can never be sent as it stands (${code}): look at it with \`notices show ${id}\`, mend its workflow or its ` +
    `wording and \`notices retry ${id}\`, or \`notices drop ${id}\``
  return { ...ours, kind: 'notice-poison', subject: `outbox ${id}`, message, details: { code } }
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
