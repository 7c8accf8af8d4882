const most = 500

/**
 * Remembers what was made for some names, the newest few hundred of them. Intl's objects are slow to make and hold memory
 * outside of the heap, so that a thousand new ones are hundreds of megabytes before they are collected.
 */
export function remember<Names extends readonly string[], Made>(
  make: (...names: Names) => Made,
): (...names: Names) => Made {
  const known = new Map<string, { readonly made: Made }>()
  return (...names) => {
    const key = names.join('\n')
    const found = known.get(key)
    if (found !== undefined) return found.made
    const made = make(...names)
    const [oldest] = known.keys()
    if (known.size >= most && oldest !== undefined) known.delete(oldest)
    known.set(key, { made })
    return made
  }
}
