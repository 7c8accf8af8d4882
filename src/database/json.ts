/** JSON as Postgres takes it: without U+0000 and halves of characters, which neither text nor jsonb can hold. Null stays null. */
export function toJson(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'string' ? part.replaceAll('\0', '').toWellFormed() : part,
  )
}
