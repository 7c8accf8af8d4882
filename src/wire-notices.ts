import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import type { Db } from './database/connection.ts'
import { createRenderer } from './notices/render.ts'
import { createNoticeSender, type NoticeSender, type NoticeSenderOptions } from './notices/sender.ts'
import type { Fetch } from './providers/http.ts'
import type { Notifications } from './providers/notifications.ts'
import { createNovu } from './providers/novu.ts'
import type { PaymentReads } from './providers/payments.ts'

export interface NoticesParts {
  readonly config: Pick<Config, 'appUrl' | 'mode' | 'novu' | 'preview'>
  readonly db: Db
  readonly fetch: Fetch
  readonly payments: PaymentReads
  readonly clock: () => Date
  readonly owner: string
  readonly log: FastifyBaseLogger
  readonly onStep: NoticeSenderOptions['onStep'] | undefined
  readonly times: NoticeSenderOptions['times'] | undefined
}

export interface Notices {
  readonly notifications: Notifications
  readonly notices: NoticeSender
}

/** Novu, and what sends notices through it. */
export function wireNotices({ config, fetch, onStep, times, ...shared }: NoticesParts): Notices {
  const notifications = createNovu({ ...config.novu, fetch })
  const notices = createNoticeSender({
    ...shared,
    notifications,
    render: createRenderer({ appUrl: config.appUrl, environment: config.mode }),
    // A preview shares the database of a place where people are told.
    isSilent: config.preview,
    ...(onStep === undefined ? {} : { onStep }),
    ...(times === undefined ? {} : { times }),
  })
  return { notifications, notices }
}
