import type { Attributes } from '../providers/monitoring.ts'
import type { Wanted } from './wanted.ts'

/** How often a monitor may check, in seconds; what else the vendor offers is not published. */
export const checkFrequencies: readonly number[] = [30, 45, 60, 120, 180, 300, 600, 900, 1800, 3600]

const days = [null, 1, 2, 3, 7, 14, 30, 60]

/** Of the types that we use: others have other timeouts, in milliseconds. Source: reference/monitoring.md section 1.5. */
const choices: Readonly<Record<string, readonly unknown[]>> = {
  monitor_type: ['status', 'expected_status_code', 'keyword', 'keyword_absence'],
  http_method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH'],
  check_frequency: checkFrequencies,
  request_timeout: [2, 3, 5, 10, 15, 30, 45, 60],
  ssl_expiration: days,
  domain_expiration: days,
}
const regions = ['us', 'eu', 'as', 'au']
const least: Readonly<Record<string, number>> = { period: 30, grace: 0, confirmation_period: 0, recovery_period: 0 }

/** What Better Stack would refuse, known before anything is asked for. Pure. */
export function listMistakes(wanted: readonly Wanted[]): string[] {
  return wanted.flatMap(({ attributes, name }) => findMistakes(attributes).map(mistake => `${name}: ${mistake}`))
}

function findMistakes(attributes: Attributes): string[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const allowed = choices[name]
    if (allowed !== undefined && !allowed.includes(value)) return [`${name} may not be ${String(value)}`]
    const low = least[name]
    if (low !== undefined && !(Number.isInteger(value) && Number(value) >= low)) {
      return [`${name} must be a whole number from ${low}`]
    }
    if (name !== 'regions') return []
    const isFine = Array.isArray(value) && value.length > 0 && value.every(one => regions.includes(String(one)))
    return isFine ? [] : [`regions must be some of ${regions.join(', ')}`]
  })
}
