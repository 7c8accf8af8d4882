import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { MarketplaceNeed, TypeFamily } from './marketplace-needs.ts'

export interface MarketplaceProblems {
  /** Without these a job cannot run: the process must not start. */
  readonly missing: readonly string[]
  /** Without these a job does less. */
  readonly degraded: readonly string[]
}

interface Relation {
  readonly columns: Readonly<Record<string, string>>
  /** The columns of each unique index, sorted. */
  readonly uniques: readonly (readonly string[])[]
}

/**
 * Compares the live marketplace with what the jobs need, in one query, and returns a line per problem: where, what was
 * expected, what was found, which jobs need it and what to do. The site's migrations do not equal its schema file, so
 * neither can be trusted.
 */
export async function checkMarketplace(db: Db, needs: readonly MarketplaceNeed[]): Promise<MarketplaceProblems> {
  const relations = await readRelations(db, [...new Set(needs.map(need => need.table))])
  const findLines = (some: readonly MarketplaceNeed[]): string[] => [
    ...new Set(some.flatMap(need => findProblems(need, relations.get(need.table)))),
  ]
  return {
    missing: findLines(needs.filter(need => need.lost === undefined)),
    degraded: findLines(needs.filter(need => need.lost !== undefined)),
  }
}

// Keyed by what format_type() gives without length or precision.
const families: Readonly<Record<TypeFamily, readonly string[]>> = {
  boolean: ['boolean'],
  date: ['date'],
  // Not bigint: the driver reads that as text.
  integer: ['integer', 'smallint'],
  text: ['text', 'character varying', 'character'],
  timestamp: ['timestamp without time zone'],
  transfer_status: ['payment_transfer_status_enum'],
  uuid: ['uuid'],
}

/** Names are looked up along the search path, exactly as the queries of the jobs do. */
async function readRelations(db: Db, tables: readonly string[]): Promise<Map<string, Relation>> {
  const { rows } = await sql<Relation & { name: string }>`
    select wanted.name,
      (select jsonb_object_agg(a.attname, format_type(a.atttypid, null)) from pg_attribute a
        where a.attrelid = wanted.oid and a.attnum > 0) as columns,
      coalesce((select jsonb_agg((select jsonb_agg(a.attname order by a.attname) from pg_attribute a
          where a.attrelid = i.indrelid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])))
        from pg_index i
        where i.indrelid = wanted.oid and i.indisunique and i.indisvalid and i.indpred is null
          and i.indexprs is null), '[]') as uniques
    from (select name, to_regclass(quote_ident(name)) as oid from unnest(${tables}::text[]) as name) as wanted
    where wanted.oid is not null`.execute(db)
  return new Map(rows.map(({ columns, name, uniques }) => [name, { columns: columns ?? {}, uniques }]))
}

function findProblems(need: MarketplaceNeed, relation: Relation | undefined): string[] {
  const { job, lost, table } = need
  const describe = (where: string, expected: string, found: string): string =>
    `${where}: expected ${expected}, found ${found}; ${job} needs it` +
    (lost === undefined ? '' : `, and without it ${lost}`) +
    "; bring the site's schema to where the site's own code has it, or adapt the job and src/database/marketplace-needs.ts"
  if (relation === undefined) return [describe(table, 'a table', 'none of that name')]
  const columns = Object.entries(need.columns).flatMap(([column, family]) => {
    const found = relation.columns[column]
    if (found !== undefined && families[family].includes(found)) return []
    return [describe(`${table}.${column}`, families[family].join(' or '), found ?? 'no such column')]
  })
  const uniques = (need.uniques ?? []).flatMap(wanted => {
    const isThere = relation.uniques.some(found => found.join() === wanted.toSorted().join())
    return isThere ? [] : [describe(table, `(${wanted.join(', ')}) to be unique`, 'no such constraint')]
  })
  return [...columns, ...uniques]
}
