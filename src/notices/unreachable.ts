import type { Db } from '../database/connection.ts'
import { recordFinding, resolveFinding } from '../database/findings.ts'
import { listReachable } from '../database/unreachable.ts'

const kind = 'person-unreachable'

/** The guest of a meeting or of a hold has no address; `subject` is its table and id. */
export function toUnreachableGuest(subject: string) {
  const column = subject.startsWith('meetings ') ? 'guestEmail' : 'guest_email'
  return {
    kind,
    subject,
    message: `the guest of this row has no address, and is told nothing: correct its column ${column}, and they are told what is still of use`,
  }
}

/** The marketplace has no address of an expert. */
function toUnreachableExpert(clerkId: string) {
  return {
    kind,
    subject: `users ${clerkId}`,
    message:
      'the marketplace has no user with this Clerk id, or no address of theirs: what they are told reaches them only where Novu ' +
      'knows their address from the site, and nothing of their money does; correct the row of users',
  }
}

/** Tells operators of experts who have no address with us. */
export async function recordUnreachable(db: Db, clerkIds: Iterable<string>, now: Date): Promise<void> {
  for (const id of [...new Set(clerkIds)].toSorted()) {
    await recordFinding(db, { ...toUnreachableExpert(id), job: null, runId: null }, now)
  }
}

/** Closes the findings about people who can be told by now, or for whom it is too late. */
export async function closeReachable(db: Db, now: Date): Promise<void> {
  for (const subject of await listReachable(db, now)) {
    await resolveFinding(
      db,
      kind,
      subject,
      'eleva-jobs',
      now,
      'there is an address by now, or nobody to be told any more',
    )
  }
}
