import type { Recheck } from './notice.ts'

/** Whether what an expert is to hear about their money is still so. */
export const recheckMoney: Recheck = async () => await Promise.reject(new Error('not built yet'))
