import Table from 'cli-table3'
import type { PeopleReport } from './people-report.ts'

const style = { head: [], border: [], compact: true }

/** Shows who was told what in which language, and what was not sent, and why. */
export function printPeople({ troubles, told, untold }: PeopleReport): void {
  const people = new Table({ style, head: ['people told', 'who', 'language', 'how many'], colAligns: right(3) })
  for (const { count, kind, language, who } of told) people.push([kind, who, language, count])
  console.log(people.toString())
  const others = new Table({ style, head: ['not told', 'state', 'reason', 'how many'], colAligns: right(3) })
  for (const { count, kind, reason, state } of untold) others.push([kind, state, reason.replaceAll('_', ' '), count])
  if (untold.length > 0) console.log(others.toString())
  for (const trouble of troubles) console.log(`A notice went wrong: ${trouble}.`)
}

function right(column: number): Array<'left' | 'right'> {
  return Array.from({ length: column + 1 }, (_, index) => (index === column ? 'right' : 'left'))
}
