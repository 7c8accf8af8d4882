import type { World } from './people-month.ts'
import { correctAddress, moveTo, reassign, type TrueMeeting } from './people-site.ts'
import { calmMs, dayMs, type Event, minuteMs, startMs } from './people-timetable.ts'

const hourMs = 60 * minuteMs
// Between a booking and the opening of its window, when nobody is told yet because it was booked just now.
const leadMs = 26 * hourMs

type Change = readonly [afterHours: number, change: (meeting: TrueMeeting, atMs: number) => Promise<void>]

/**
 * What a short life has by chance too seldom: appointments that are moved when people have read of them, and back when they have
 * read of that; that get another expert, and another address. Several times in the first day, because runs are missed.
 */
export function planCases({ count, db, site }: World): Event[] {
  const events: Event[] = []
  const cases: Readonly<Record<string, readonly Change[]>> = {
    'moved there and back': [
      [3, async (meeting, atMs) => await moveTo(db, meeting, startOf(meeting) + 30 * minuteMs, atMs)],
      [4.5, async (meeting, atMs) => await moveTo(db, meeting, startOf(meeting), atMs)],
    ],
    'given to another expert': [[3.5, async (meeting, atMs) => await reassign(db, meeting, 'user_es', atMs)]],
    'address corrected': [[3.5, async (meeting, atMs) => await correctAddress(db, meeting, atMs)]],
  }
  for (let bookedMs = startMs + hourMs; bookedMs + 7 * hourMs < startMs + dayMs - calmMs; bookedMs += 2 * hourMs) {
    for (const [name, changes] of Object.entries(cases)) {
      const booked: TrueMeeting[] = []
      const book = async (atMs: number): Promise<void> => {
        booked.push(await site.book(atMs, { startsMs: bookedMs + leadMs, expert: 'user_pt' }))
      }
      events.push([bookedMs, book])
      for (const [afterHours, change] of changes) {
        const happen = async (atMs: number): Promise<void> => {
          for (const meeting of booked) await change(meeting, atMs)
        }
        events.push([bookedMs + afterHours * hourMs, happen])
      }
      count(`planned: ${name}`)
    }
  }
  return events
}

function startOf({ versions }: TrueMeeting): number {
  return versions[0]?.startsMs ?? 0
}
