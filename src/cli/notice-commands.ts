import { type Command, Option } from 'commander'
import { outboxStates } from '../database/tables.ts'
import { noticeKinds } from '../notices/notice.ts'
import { addCommand, finish, parseNoticeId, parseRemark, parseWhole } from './command.ts'
import type { NoticeChangeOptions, NoticeRetryOptions, NoticesOptions } from './notices.ts'

const asDescription = 'who does it, for the audit; your user name unless given'

/** What people look at and decide about notices. */
export function addNoticeCommands(program: Command): void {
  const notices = addCommand(program, 'notices', 'list what people were told or wait for, newest first, or mend it')
    .enablePositionalOptions()
    .addOption(new Option('--state <state>', 'only notices in this state').choices(outboxStates))
    .addOption(new Option('--kind <kind>', 'only notices of this kind').choices(noticeKinds))
    .option(
      '--about <id>',
      'only notices of a booking: a meeting, hold, payment, row of payment_transfers or operation',
    )
    .option('--to <person>', 'only notices to this address, or to this id at Novu')
    .option('--before <notice>', 'only notices older than this one', parseNoticeId)
    .option('--limit <n>', 'at most so many, 1 to 200', parseWhole(1, 200), 50)
    .action(async (options: NoticesOptions) => await finish((await import('./notices.ts')).showNotices(options)))
  addCommand(notices, 'show', 'show one with why it is where it is; never what it says, nor a whole address')
    .argument('<notice>', 'its number', parseNoticeId)
    .action(
      async (id: string, options: { json?: boolean }) =>
        await finish((await import('./notices.ts')).showNotice(id, options)),
    )
  addCommand(
    notices,
    'retry',
    'try one again that was set aside (poison), waits, or was dropped by an operator; within a minute, if it is still true; ' +
      'or with --kind and --state all of a kind that were set aside',
  )
    .argument('[notice]', 'its number', parseNoticeId)
    .addOption(new Option('--kind <kind>', 'all of this kind').choices(noticeKinds))
    .addOption(new Option('--state <state>', 'of a kind, those that were set aside').choices(['poison']))
    .option('--yes', 'do not ask')
    .option('--note <text>', 'what was mended, for the audit', parseRemark)
    .option('--as <name>', asDescription)
    .action(
      async (id: string | undefined, options: NoticeRetryOptions) =>
        await finish((await import('./notices.ts')).retry(id, options)),
    )
  addCommand(notices, 'drop', 'give one up, so that nobody tries it again; `retry` takes it back')
    .argument('<notice>', 'its number', parseNoticeId)
    .requiredOption('--note <text>', 'why, for the audit', parseRemark)
    .option('--as <name>', asDescription)
    .action(
      async (id: string, options: NoticeChangeOptions) =>
        await finish((await import('./notices.ts')).drop(id, options)),
    )
}
