/** What the network stack calls a failure; its messages carry addresses, and sometimes headers. */
export function networkCodeOf(err: Error): string {
  const cause = err.cause ?? err
  const code = typeof cause === 'object' && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : 'no error code'
}

/** The whole body, which lets the connection be used again. One longer than `mostBytes` is cut off, and is undefined. */
export async function readText(body: AsyncIterable<Uint8Array> | null, mostBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the body.
    if (bytes > mostBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
