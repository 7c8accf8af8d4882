import { sql } from 'kysely'
import { toError } from '../errors.ts'
import type { Db } from './connection.ts'

/** An index that our queries need on a table of the site; an additive index is all that we may change there. */
interface WantedIndex {
  readonly name: string
  readonly table: string
  readonly column: string
}

const wanted: readonly WantedIndex[] = [{ name: 'meetings_startTime_idx', table: 'meetings', column: 'startTime' }]

export interface BuiltIndexes {
  readonly built: readonly string[]
  /** What is still missing, and why; the jobs run without it, and read more. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[]
}

/** The names of the indexes that are not there, or that a build that failed has left unusable. */
export async function listMissingIndexes(db: Db): Promise<readonly string[]> {
  return (await listMissing(db)).map(({ name }) => name)
}

/**
 * Builds what is missing while the site goes on writing: concurrently, and so outside of any transaction. What an earlier
 * build left unusable is removed first, unless somebody is at it right now. Never throws for an index that cannot be built.
 */
export async function buildIndexes(db: Db): Promise<BuiltIndexes> {
  const built: string[] = []
  const missing: { name: string; reason: string }[] = []
  for (const index of await listMissing(db)) {
    const { name } = index
    try {
      const reason = await build(db, index)
      if (reason === undefined) built.push(name)
      else missing.push({ name, reason })
    } catch (thrown) {
      missing.push({ name, reason: toError(thrown).message })
    }
  }
  return { built, missing }
}

interface MissingIndex extends WantedIndex {
  /** One of its name is there that nobody can use. */
  readonly is_broken: boolean
  /** Somebody builds an index on its table right now. */
  readonly is_being_built: boolean
}

/** Why it was not built; undefined when it was. */
async function build(db: Db, { column, is_being_built, is_broken, name, table }: MissingIndex) {
  if (is_being_built) return 'another process is building an index on its table'
  if (is_broken) await sql`drop index concurrently if exists ${sql.id(name)}`.execute(db)
  await sql`create index concurrently if not exists ${sql.id(name)} on ${sql.id(table)} (${sql.id(column)})`.execute(db)
  const missing = await listMissingIndexes(db)
  return missing.includes(name) ? 'another process has begun to build it' : undefined
}

/** Any usable index over the whole table that begins with the column will do; a table that is not there needs none. */
async function listMissing(db: Db): Promise<readonly MissingIndex[]> {
  const { rows } = await sql<MissingIndex>`
    select w.name, w."table", w."column",
      exists (select from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = a.attrelid and c.relname = w.name) as is_broken,
      exists (select from pg_stat_progress_create_index p where p.relid = a.attrelid) as is_being_built
    from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as w (name text, "table" text, "column" text)
    join pg_attribute a on a.attrelid = to_regclass(quote_ident(w."table")) and a.attname = w."column"
    where not exists (select from pg_index i
      where i.indrelid = a.attrelid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null)`.execute(db)
  return rows
}
