/** What asking a vendor about one thing came to: an answer, none this time, none ever, or there was no time left to ask. */
export type Asked<T> =
  | { readonly kind: 'known'; readonly value: T }
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'left' }
