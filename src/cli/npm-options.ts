import type { Option } from 'commander'
import { readNpmOption } from '../config.ts'

/**
 * Refuses a command whose options npm has taken for itself: `npm run cli run <job> --dry-run` would really run the job.
 * Without the `--` before them they come in the environment alone. Throws an Error that says what to type.
 */
export function refuseSwallowedOptions(options: readonly Option[], args: readonly string[]): void {
  const swallowed = options.filter(option => isSwallowed(option, args)).map(({ long }) => long ?? '')
  if (swallowed.length === 0) return
  throw new Error(
    `nothing was done, because npm kept ${swallowed.join(' and ')} for itself: put -- before all options, ` +
      `as in \`npm run <name> -- ${swallowed.join(' ')}\``,
  )
}

function isSwallowed({ long, negate, short }: Option, args: readonly string[]): boolean {
  if (long === undefined) return false
  const arrived = args.some(arg => arg === long || arg === short || arg.startsWith(`${long}=`))
  if (arrived) return false
  const kept = readNpmOption(long.replace(/^--(?:no-)?/, ''))
  // npm writes false as nothing at all.
  return negate ? kept === '' : kept !== undefined && kept !== ''
}
