import type { Db } from '../database/connection.ts'
import { resolveFinding } from '../database/findings.ts'
import { listZonesInDoubt } from '../database/zone-findings.ts'
import { isTimeZone } from './facts.ts'

/** The zone of a row does not exist; `subject` is the row's table and id. What somebody typed is not repeated. */
export function toZoneFinding(subject: string) {
  return {
    kind: 'zone-invalid',
    subject,
    message:
      'the time zone of this row does not exist: correct its column timezone; people are told the time in UTC meanwhile, an ' +
      'expert in the zone of the meeting where that is one',
  }
}

/** Closes the findings about zones that were corrected, or whose row is gone. */
export async function closeMendedZones(db: Db, now: Date): Promise<void> {
  for (const { subject, zone } of await listZonesInDoubt(db)) {
    if (zone !== null && !isTimeZone(zone.trim())) continue
    await resolveFinding(db, 'zone-invalid', subject, 'eleva-jobs', now, 'the zone was corrected, or its row is gone')
  }
}
