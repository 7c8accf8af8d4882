import { type Command, InvalidArgumentError } from 'commander'

/** A command that, like all of them, takes --json. */
export function addCommand(program: Command, name: string, description: string): Command {
  return program.command(name).description(description).option('--json', 'one JSON document on stdout')
}

/** Makes what a command comes to the exit code. */
export async function finish(command: Promise<number>): Promise<void> {
  process.exitCode = await command
}

export function parseRunId(value: string): string {
  return parseUuid(value, 'A run id')
}

export function parseOperationId(value: string): string {
  return parseUuid(value, 'An operation id')
}

export function parseFindingId(value: string): string {
  if (/^[1-9]\d{0,17}$/.test(value)) return value
  throw new InvalidArgumentError('A finding has a number; `findings` lists them.')
}

export function parseNoticeId(value: string): string {
  if (/^[1-9]\d{0,17}$/.test(value)) return value
  throw new InvalidArgumentError('A notice has a number; `notices` lists them.')
}

export function parsePlanHash(value: string): string {
  if (/^[0-9a-f]{64}$/.test(value)) return value
  throw new InvalidArgumentError('A plan hash has 64 hexadecimal digits; a dry run prints it.')
}

/** A transfer or a payout at Stripe. */
export function parseObjectId(value: string): string {
  if (/^(?:po|tr)_\w{1,100}$/.test(value)) return value
  throw new InvalidArgumentError('A payout looks like po_1abc, and a transfer like tr_1abc.')
}

/** What a person writes for the audit. */
export function parseRemark(value: string): string {
  if (/\S/.test(value) && value.length <= 500) return value
  throw new InvalidArgumentError('Give 1 to 500 characters.')
}

export function parseWhole(min: number, max: number): (value: string) => number {
  return value => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

function parseUuid(value: string, what: string): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value
  throw new InvalidArgumentError(`${what} looks like 0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b.`)
}
