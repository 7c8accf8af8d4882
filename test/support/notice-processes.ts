import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type NovuStandIn, startNovu } from '../../src/sandbox/novu.ts'
import type { Db } from '../../src/database/connection.ts'
import { testDatabase } from './database.ts'
import { type MoneyChild, startMoneyChild } from './money-processes.ts'
import { send } from './processes.ts'

const startsAt = Date.parse('2026-11-21T12:00:00Z')

export interface NoticeWorld {
  readonly db: Db
  readonly novu: NovuStandIn
  readonly start: (env?: Readonly<Record<string, string>>) => Promise<MoneyChild>
  /** Asks a process for the job; what is due is sent afterwards. */
  readonly deliver: (child: MoneyChild, messageId?: string) => Promise<number>
  /** Minutes pass, with a delivery in each, until nothing is on its way. */
  readonly settle: (child: MoneyChild) => Promise<void>
  /** Minutes pass, with a delivery in each, until the vendor has taken something. */
  readonly untilTaken: (child: MoneyChild) => Promise<void>
  readonly wait: (ms: number) => void
  readonly inbox: () => string[]
}

/** A database, a vendor that does not tell duplicates, and processes with one clock. */
export async function noticeWorld(t: Test): Promise<NoticeWorld> {
  const { db, url } = await testDatabase(t)
  const folder = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-clock-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const clockFile = path.join(folder, 'clock')
  let now = startsAt
  const wait = (ms: number): void => {
    now += ms
    // At one stroke: a process may read it at any moment.
    writeFileSync(`${clockFile}.next`, new Date(now).toISOString())
    renameSync(`${clockFile}.next`, clockFile)
  }
  wait(0)
  const novu = await startNovu({ clock: () => new Date(now) })
  t.teardown(async () => await novu.close())
  novu.setDedupe({ transactionId: false })
  const vendors = { stripeUrl: 'http://127.0.0.1:9', stripeKey: 'sk_test_ofTheTests' }
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<MoneyChild> => {
    const settings = { NOVU_BASE_URL: novu.url, NOVU_SECRET_KEY: novu.secretKey, LEASE_SECONDS: '2', ...env }
    const child = { databaseUrl: url, clockFile, script: 'notice-child.ts', env: settings, ...vendors }
    return await startMoneyChild(t, child)
  }
  let messages = 0
  const deliver = async (child: MoneyChild, messageId?: string): Promise<number> => {
    messages += 1
    const message = { job: 'tell', messageId: messageId ?? `msg_${messages}`, now: new Date(now) }
    return (await send(child, message)).statusCode
  }
  const settle = async (child: MoneyChild): Promise<void> => {
    for (;;) {
      await deliver(child)
      const rows = await db.selectFrom('jobs.outbox').select('state').execute()
      if (rows.length > 0 && rows.every(({ state }) => state === 'sent')) return
      wait(60_000)
      await sleep(50)
    }
  }
  const inbox = (): string[] => novu.inbox().map(({ transactionId }) => transactionId)
  const untilTaken = async (child: MoneyChild): Promise<void> => {
    for (;;) {
      await deliver(child)
      // Loading the SDK may take longer than its first call is given here.
      for (let look = 0; look < 20; look += 1) {
        if (inbox().length > 0) return
        await sleep(50)
      }
      wait(60_000)
    }
  }
  return { db, novu, start, deliver, settle, untilTaken, wait, inbox }
}
