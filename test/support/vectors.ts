import { existsSync, readFileSync } from 'node:fs'

/** A signed request with its clock, its keys and what must come of it. */
export interface Vector {
  readonly name: string
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly bodyBase64: string
  readonly currentSigningKey: string
  readonly nextSigningKey: string
  readonly nowEpochSeconds: number
  readonly expect: 'accept' | 'reject'
}

const file = new URL('../../../shared/data/qstash-vectors.json', import.meta.url)

/** Why a test of the vectors is skipped; false when they are there. */
export const vectorsMissing = existsSync(file)
  ? false
  : 'there is no ../shared/data/qstash-vectors.json beside this checkout'

export function readVectors(): Vector[] {
  return JSON.parse(readFileSync(file, 'utf8')) as Vector[]
}

/** The headers line by line: a list of values is a header that is sent so many times. */
export function headerLines({ headers }: Pick<Vector, 'headers'>): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  )
}
