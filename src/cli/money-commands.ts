import { type Command, Option } from 'commander'
import { findingChoices, operationStates } from '../database/tables.ts'
import type { ApproveOptions, DeclineOptions } from './approve.ts'
import {
  addCommand,
  finish,
  parseFindingId,
  parseObjectId,
  parseOperationId,
  parseRemark,
  parseRunId,
  parseWhole,
} from './command.ts'
import type { CorrectOptions } from './correct.ts'
import type { FindingsOptions, ResolveOptions } from './findings.ts'
import type { OperationsOptions } from './operations.ts'

const asDescription = 'who does it, for the audit; your user name unless given'

/** What people look at and decide about money: findings, operations, and what becomes of held ones. */
export function addMoneyCommands(program: Command): void {
  addFindings(program)
  addOperations(program)
  addCorrections(program)
  addCommand(program, 'approve', 'let a held money operation go; shows it first, and asks')
    .argument('<operation>', 'its id, as `operations --state held` shows it', parseOperationId)
    .option('--note <text>', 'why, for the audit', parseRemark)
    .option('--yes', 'do not ask')
    .option('--as <name>', asDescription)
    .action(
      async (id: string, options: ApproveOptions) => await finish((await import('./approve.ts')).approve(id, options)),
    )
  addCommand(
    program,
    'decline',
    'give a held money operation up; its rows wait until a person resolves the finding of that',
  )
    .argument('<operation>', 'its id, as `operations --state held` shows it', parseOperationId)
    .requiredOption('--note <text>', 'why, for the audit', parseRemark)
    .option('--yes', 'do not ask')
    .option('--as <name>', asDescription)
    .action(
      async (id: string, options: DeclineOptions) => await finish((await import('./approve.ts')).decline(id, options)),
    )
}

function addCorrections(program: Command): void {
  const adopt = addCommand(
    program,
    'adopt',
    'take an object at Stripe as the receipt of an operation that is unknown; verifies it there, shows it, and asks',
  )
    .argument('<operation>', 'its id, as `operations --state unknown` shows it', parseOperationId)
    .argument('<object>', 'the transfer (tr_…) or payout (po_…) that it made', parseObjectId)
    .action(
      async (id: string, object: string, options: CorrectOptions) =>
        await finish((await import('./correct.ts')).adopt(id, object, options)),
    )
  const unmoved = addCommand(
    program,
    'unmoved',
    'give an operation that is unknown up because nothing moved; its rows are planned again; shows it, and asks',
  )
    .argument('<operation>', 'its id, as `operations --state unknown` shows it', parseOperationId)
    .action(
      async (id: string, options: CorrectOptions) => await finish((await import('./correct.ts')).unmoved(id, options)),
    )
  for (const command of [adopt, unmoved]) {
    command
      .requiredOption('--note <text>', 'what was found out, for the audit', parseRemark)
      .option(
        '--except <object...>',
        'other objects at Stripe that carry its id and are not of it; each has been looked at',
        (value: string, all: readonly string[]) => [...all, parseObjectId(value)],
        [] as readonly string[],
      )
      .option('--yes', 'do not ask')
      .option('--as <name>', asDescription)
  }
}

function addFindings(program: Command): void {
  const findings = addCommand(program, 'findings', 'list what a person must look at, newest first, or settle it')
    .enablePositionalOptions()
    .addOption(
      new Option('--state <state>', 'open is also what is acknowledged').choices(findingChoices).default('open'),
    )
    .option('--kind <kind>', 'only findings of this kind')
    .option('--job <name>', 'only findings of this job')
    .option('--before <finding>', 'only findings older than this one', parseFindingId)
    .option('--limit <n>', 'at most so many, 1 to 200', parseWhole(1, 200), 50)
    .action(async (options: FindingsOptions) => await finish((await import('./findings.ts')).showFindings(options)))
  addCommand(findings, 'show', 'show one with its evidence')
    .argument('<finding>', 'its number', parseFindingId)
    .action(
      async (id: string, options: { json?: boolean }) =>
        await finish((await import('./findings.ts')).showFinding(id, options)),
    )
  const changes = [
    ['acknowledge', 'say that somebody is looking after it; it stays open'],
    [
      'resolve',
      'close it; shows it first. That of a frozen account (payout-unexplained) and of what was declined ' +
        '(operation-declined) lets money go again, and asks; any other ' +
        'comes back with the next run as long as its cause is there',
    ],
  ] as const
  for (const [name, description] of changes) {
    const command = addCommand(findings, name, description)
      .argument('<finding>', 'its number', parseFindingId)
      .requiredOption('--note <text>', 'what was found or done, for the audit', parseRemark)
      .option('--as <name>', asDescription)
    if (name === 'resolve') command.option('--yes', 'do not ask')
    command.action(
      async (id: string, options: ResolveOptions) => await finish((await import('./findings.ts'))[name](id, options)),
    )
  }
}

function addOperations(program: Command): void {
  const operations = addCommand(program, 'operations', 'list movements of money, newest first, or show one')
    .enablePositionalOptions()
    .addOption(new Option('--state <state>', 'only operations in this state').choices(operationStates))
    .addOption(new Option('--kind <kind>', 'only transfers or only payouts').choices(['transfer', 'payout']))
    .option('--account <account>', 'only operations of this Connect account')
    .option('--run <run>', 'only operations that this run began or moved', parseRunId)
    .option('--before <operation>', 'only operations older than this one', parseOperationId)
    .option('--limit <n>', 'at most so many, 1 to 200', parseWhole(1, 200), 50)
    .action(
      async (options: OperationsOptions) => await finish((await import('./operations.ts')).showOperations(options)),
    )
  addCommand(operations, 'show', 'show one with the rows it pays, its request and who did what')
    .argument('<operation>', 'its id', parseOperationId)
    .action(
      async (id: string, options: { json?: boolean }) =>
        await finish((await import('./operations.ts')).showOperation(id, options)),
    )
}
