import type { Schedule } from '../providers/schedules.ts'
import { cleanAddress } from '../provision/clean-address.ts'
import { cleanCron } from '../provision/clean-cron.ts'
import { countDeliveriesADay } from '../provision/schedule-figures.ts'
import { freePlanLimit } from '../provision/schedule-limit.ts'
import { ownedPrefix } from '../provision/wanted-schedules.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { redact } from '../runner/redact.ts'
import { type Cell, printFacts, printJson, printTable, type Style, toUtc } from './print.ts'
import { type PlanChoice, withSchedules } from './schedules-connect.ts'

/** Lists every schedule of the account, ours first. Changes nothing. */
export async function list({ json = false }: { readonly json?: boolean }): Promise<number> {
  return await withSchedules(async (schedules, _access, signal) => {
    const found = sortOurs(await schedules.list(signal))
    if (json) printJson({ schedules: found.map(toJson) })
    else printTable(['schedule', 'cron', 'zone', 'next due (UTC)', 'paused', 'destination'], found.map(toListRow))
    return 0
  })
}

/** Without its body and what its headers say, and without what may be a secret in any other text. */
function toJson({ body, callback, cron, destination, failureCallback, headers, id, ...schedule }: Schedule) {
  return {
    id,
    cron: cleanCron(cron),
    ...redactDetails(schedule),
    owned: isOwned({ id }),
    hasBody: body !== undefined,
    headers: Object.keys(headers),
    destination: showAddress(destination, { id }),
    callback: callback === undefined ? null : redact(callback),
    failureCallback: failureCallback === undefined ? null : showAddress(failureCallback, { id }),
  }
}

/** Whole where it is ours, but for a query. */
function showAddress(address: string, { id }: Pick<Schedule, 'id'>): string {
  const ours = isOwned({ id }) && URL.canParse(address) ? new URL(address).origin : ''
  return cleanAddress(address, ours)
}

/** Shows how the schedules are doing, and what of the account's plan they use. Changes nothing. */
export async function stats({ json = false, planLimit = freePlanLimit }: PlanChoice): Promise<number> {
  return await withSchedules(async (schedules, _access, signal) => {
    const found = sortOurs(await schedules.list(signal))
    const deadLetters = await schedules.countDeadLetters(signal)
    const now = new Date()
    const each = found.map(schedule => ({ schedule, aDay: countDeliveriesADay(schedule, now) }))
    const sums = {
      schedules: found.length,
      owned: found.filter(isOwned).length,
      paused: found.filter(({ paused }) => paused).length,
      failing: found.filter(({ lastState }) => lastState === 'failed').length,
      deliveriesADay: Math.round(each.reduce((sum, { aDay = 0 }) => sum + aDay, 0)),
      deadLetters,
      planLimit,
    }
    if (json) printJson({ ...sums, each: each.map(({ aDay, schedule }) => describe(schedule, aDay)) })
    else print(each, sums)
    return 0
  })
}

function describe({ id, lastDueAt, lastState, nextDueAt, paused }: Schedule, aDay: number | undefined) {
  return {
    id,
    paused,
    deliveriesADay: aDay ?? null,
    lastDueAt: lastDueAt ?? null,
    lastState: lastState ?? null,
    nextDueAt: nextDueAt ?? null,
  }
}

interface Sums {
  readonly schedules: number
  readonly owned: number
  readonly paused: number
  readonly failing: number
  readonly deliveriesADay: number
  readonly deadLetters: number
  readonly planLimit: number
}

function print(each: readonly { readonly schedule: Schedule; readonly aDay: number | undefined }[], sums: Sums): void {
  printTable(
    ['schedule', 'a day', 'last due (UTC)', 'last', 'next due (UTC)', 'paused'],
    each.map(({ aDay, schedule: { id, lastDueAt, lastState, nextDueAt, paused } }) => [
      id,
      aDay === undefined ? '-' : Math.round(aDay * 10) / 10,
      toUtc(lastDueAt),
      lastState === undefined ? '-' : { text: lastState, style: stateStyles[lastState] },
      toUtc(nextDueAt),
      showPaused(paused),
    ]),
  )
  const { deadLetters, deliveriesADay, failing, owned, paused, planLimit, schedules } = sums
  printFacts([
    ['schedules', `${schedules} of ${planLimit}, ${owned} ours, ${paused} paused, ${failing} failed last`],
    ['deliveries', `${deliveriesADay} a day, without retries`],
    ['dead letters', deadLetters >= 100 ? '100 or more' : deadLetters],
  ])
  if (schedules > freePlanLimit && planLimit === freePlanLimit)
    printFacts([['the plan', 'more than the free one has: --plan-limit says how many yours allows']])
}

const stateStyles: Readonly<Record<NonNullable<Schedule['lastState']>, Style>> = {
  succeeded: 'green',
  running: 'yellow',
  failed: 'red',
}

function toListRow({ cron, destination, id, nextDueAt, paused, timeZone }: Schedule): Cell[] {
  return [
    isOwned({ id }) ? id : { text: `${id} (not ours)`, style: 'dim' },
    cleanCron(cron),
    redact(timeZone),
    toUtc(nextDueAt),
    showPaused(paused),
    showAddress(destination, { id }),
  ]
}

function showPaused(paused: boolean): Cell {
  return paused ? { text: 'yes', style: 'yellow' } : 'no'
}

function sortOurs(schedules: readonly Schedule[]): Schedule[] {
  const rank = (schedule: Schedule): number => (isOwned(schedule) ? 0 : 1)
  return schedules.toSorted((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id))
}

function isOwned({ id }: Pick<Schedule, 'id'>): boolean {
  return id.startsWith(ownedPrefix)
}
