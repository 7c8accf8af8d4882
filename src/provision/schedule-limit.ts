/** How many schedules the vendor's free plan allows. Source: upstash.com/pricing/qstash. */
export const freePlanLimit = 10
