import type { Recheck } from './notice.ts'

/** Whether a notice of this kind is still true. */
export const recheckAppointment: Recheck = async () => {
  throw new Error('not built yet')
}
