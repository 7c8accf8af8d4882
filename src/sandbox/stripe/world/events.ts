import type { Happening, Thing } from '../records.ts'
import { put } from '../shelf.ts'
import { getBook, type State, stamp } from '../state.ts'

/** Records what happened on `account`, with the thing as it is now, and the request that caused it. */
export function announce(state: State, account: string, type: string, thing: Thing, atMs: number): void {
  const happening: Happening = {
    ...stamp(state, 'evt', atMs),
    account: account === state.platform.id ? undefined : account,
    type,
    thing: { ...thing, record: { ...thing.record } } as Thing,
    requestId: state.current?.requestId ?? null,
    key: state.current?.key ?? null,
    isDelivered: true,
  }
  put(getBook(state, account).events, happening)
}
