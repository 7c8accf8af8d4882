/** A recipient as an operator may see it: an id as it is, an address by its first letter and where it ends. */
export function maskRecipient(recipient: string): string {
  const at = recipient.lastIndexOf('@')
  if (at < 0) return recipient
  const prefix = recipient.startsWith(guest) ? guest : ''
  const end =
    recipient
      .slice(at + 1)
      .split('.')
      .at(-1) ?? ''
  return `${prefix}${recipient.slice(prefix.length, prefix.length + 1)}…@….${end}`
}

const guest = 'guest_'
