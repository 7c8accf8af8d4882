import { pino } from 'pino'
import type { Test } from 'tap'
import { createRenderer } from '../../src/notices/render.ts'
import { createNoticeSender } from '../../src/notices/sender.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createNovu } from '../../src/providers/novu.ts'
import type { PaymentReads } from '../../src/providers/payments.ts'
import type { Job } from '../../src/runner/define-job.ts'
import type { Runner } from '../../src/runner/run-job.ts'
import { type NovuStandIn, startNovu } from '../../src/sandbox/novu.ts'
import { createDice, type Dice } from './dice.ts'
import { neverAsked, noPayments } from './no-money.ts'
import { planCases } from './people-cases.ts'
import { openSite, type Site } from './people-site.ts'
import {
  calmMs,
  createTimetable,
  dayMs,
  minuteMs,
  periods,
  planDeliveries,
  planFaults,
  planHappenings,
  planOutages,
  startMs,
} from './people-timetable.ts'
import { delivery, testRunner } from './runner.ts'

/** What happened, for the referee. */
export interface Month {
  readonly site: Site
  readonly novu: NovuStandIn
  readonly db: Awaited<ReturnType<typeof testRunner>>['db']
  readonly endMs: number
  /** When runs of each job were complete, in order. */
  readonly runs: ReadonlyMap<string, readonly number[]>
  /** When Stripe did not tell of a payment, as `<payment> <ms>`. */
  readonly unanswered: ReadonlySet<string>
  /** When Novu, or all of the scheduler, was away for long. */
  readonly outages: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly counts: Readonly<Record<string, number>>
}

/**
 * Lives through so many days: two processes with the real jobs and the real sender, a scheduler that is late, doubles and
 * drops, a site that goes on, and a Novu that fails, hangs and loses answers. Duplicates are not told by Novu.
 */
export async function liveThrough(t: Test, seed: number, days: number): Promise<Month> {
  const dice = createDice(seed)
  const endMs = startMs + days * dayMs
  const world = await openWorld(t, dice)
  const outages = planOutages(dice, days)
  const timetable = createTimetable()
  for (const event of planDeliveries(dice, world, endMs, outages)) timetable.add(event)
  for (const event of planHappenings(dice, world, endMs)) timetable.add(event)
  for (const event of planCases(world)) timetable.add(event)
  for (const event of planFaults(dice, world, endMs, outages)) timetable.add(event)
  let atMs = startMs
  let passMs = 0
  for (let event = timetable.next(); event !== undefined; event = timetable.next()) {
    // No two things happen at the same moment.
    atMs = Math.max(atMs + 1, event[0])
    world.clock.set(new Date(atMs).toISOString())
    await event[1](atMs)
    if (atMs < endMs - calmMs && dice.happens(0.4)) {
      // Between decision and sending.
      atMs += 1
      world.clock.set(new Date(atMs).toISOString())
      await world.actAtSite(atMs)
    }
    // The pass after a run may not come about; the one of the next minutes does, and the site goes on meanwhile.
    const isOwed = dice.happens(0.3) ? await world.sendDue() : await world.isOwed()
    if (!isOwed || passMs > atMs) continue
    passMs = atMs + dice.between(1, 2) * minuteMs
    timetable.add([passMs, async () => void (await world.sendDue())])
  }
  const { counts, db, novu, runs, site, unanswered } = world
  return { site, novu, db, endMs: atMs, runs, unanswered, counts, outages: outages.all }
}

/** Everybody who has a part in it. */
export type World = Awaited<ReturnType<typeof openWorld>>

async function openWorld(t: Test, dice: Dice) {
  const sites: Site[] = []
  const unanswered = new Set<string>()
  const times: (() => Date)[] = []
  const readBooking: PaymentReads['readBooking'] = async paymentIntentId => {
    if (dice.happens(0.1)) {
      unanswered.add(`${paymentIntentId} ${times[0]?.().getTime()}`)
      throw new Error('Stripe is away')
    }
    const rest = { amountCents: 7_000, currency: 'eur', voucher: undefined, guestName: null, timeZone: null }
    return { paymentIntentId, status: 'paid', locale: sites[0]?.localeOf(paymentIntentId) ?? null, ...rest }
  }
  const payments = { ...noPayments, readBooking }
  const providers = { site: { check: neverAsked }, qstash: undefined, payments, calendarTokens: undefined }
  // A month of lines would fill the memory.
  const log = pino({ level: 'silent' })
  const { another, clock, db, runner } = await testRunner(t, { log, providers, jobsWithHeartbeat: new Set() })
  clock.set(new Date(startMs).toISOString())
  times.push(clock)
  const novu = await startNovu({ clock })
  const http = createHttp()
  const second = another()
  t.teardown(async () => {
    await second.drain(0)
    await http.close()
    await novu.close()
  })
  novu.setDedupe({ transactionId: false, idempotencyKey: false })
  const { secretKey, url } = novu
  const notifications = createNovu({ url, secretKey, fetch: http.fetch, timeoutMs: 400, requestsPerSecond: 100_000 })
  const render = createRenderer({ appUrl: 'https://site.example', environment: 'test' })
  const senders = ['one', 'two'].map(owner =>
    createNoticeSender({ db, notifications, payments, render, clock, owner, log, random: () => dice.next() }),
  )
  const site = await openSite(db, dice)
  sites.push(site)
  const runs = new Map<string, number[]>([...periods.keys()].map(({ name }) => [name, []]))
  const counts: Record<string, number> = {}
  const count = (name: string, by = 1): void => {
    counts[name] = (counts[name] ?? 0) + by
  }
  const run = async (by: Runner, job: Job, messageId: string, atMs: number): Promise<void> => {
    const wanted = delivery(job, { messageId, trigger: 'schedule', scheduled: true, lastAttempt: true })
    const result = await by.run(wanted)
    const outcome = result.kind === 'answered' ? result.answer.body.outcome : result.reason
    count(`run ${outcome}`)
    if (outcome === 'succeeded') runs.get(job.name)?.push(atMs)
  }
  /** Both processes at once; whether anything is still owed. */
  const sendDue = async (): Promise<boolean> => {
    const owed = await isOwed(db)
    if (!owed) return false
    const tallies = await Promise.all(senders.map(async sender => await sender.sendDue()))
    count('passes')
    // A call that was given up, on a machine that is busy, may still be on its way to the vendor: it arrives now, or never.
    for (let times = 0; times < 2 && tallies.some(({ unknown }) => unknown > 0); times += 1) {
      await (await http.fetch(`${novu.url}/_inbox?person=nobody`)).text()
    }
    for (const tally of tallies) for (const [name, by] of Object.entries(tally)) count(`notices ${name}`, by)
    return await isOwed(db)
  }
  const actAtSite = async (atMs: number): Promise<void> => {
    await site.act(atMs)
    count('changes at the site')
  }
  const runners = [runner, second] as const
  const ask = async (): Promise<boolean> => await isOwed(db)
  return { actAtSite, clock, counts, count, db, isOwed: ask, novu, run, runners, runs, sendDue, site, unanswered }
}

async function isOwed(db: World['db']): Promise<boolean> {
  const row = await db
    .selectFrom('jobs.outbox')
    .select('id')
    .where('state', 'in', ['pending', 'sending', 'unknown'])
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
