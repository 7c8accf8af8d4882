import type { Schedule } from '../providers/schedules.ts'
import { listDueBetween } from '../runner/slots.ts'

const dayMs = 86_400_000
const days = 28

/** How often it is due on an average day of the next four weeks; 0 when it is paused, undefined when its cron is none of ours to read. */
export function countDeliveriesADay(schedule: Schedule, now: Date): number | undefined {
  if (schedule.paused) return 0
  try {
    return listDueBetween(schedule, now, new Date(now.getTime() + days * dayMs)).length / days
  } catch {
    // Somebody else's may have another syntax.
    return undefined
  }
}
