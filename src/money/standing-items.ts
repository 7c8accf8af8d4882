/** Why an item needs a person, where every run tries it again until that is mended. */
const standingCodes = ['resource_missing', 'account_invalid', 'outcome_undecided']

/**
 * The findings of a job about such items, as the runner names them. Not among them are refusals for good and keys that
 * were used for something else: they are met once, and what is sent next is another thing.
 */
export function listStandingItems(job: string): string[] {
  return standingCodes.map(code => `${job}/${code}`)
}
