/** A call that Stripe may well answer, and the stand-in does not: 501, with the name of the call. */
export class NotModelled extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'NotModelled'
  }
}
