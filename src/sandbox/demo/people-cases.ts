import type { ExpertName } from './experts.ts'
import type { GuestName } from './guests.ts'

/** An appointment of the next days, in hours from now. */
export interface DemoAppointment {
  readonly guest: GuestName
  readonly expert: ExpertName
  readonly startsInHours: number
  /** Five days unless given. */
  readonly bookedHoursAgo?: number
  /** `free`: of an event without a price, which never touched Stripe. */
  readonly payment: 'paid' | 'waiting' | 'refunded' | 'free'
  readonly meetingUrl?: string
}

/** A hold of a slot, in days from now. */
export interface DemoHold {
  readonly guest: GuestName
  readonly expert: ExpertName
  readonly startsInDays: number
  readonly issuedDaysAgo: number
  /** Of the hold; of the voucher too unless told otherwise. */
  readonly expiresInDays: number
  readonly voucherExpiresInDays?: number
  /** What became of the payment; `none`: a hold of ten minutes during checkout. */
  readonly payment: 'waiting' | 'canceled' | 'paid' | 'none'
}

const meetingUrl = 'https://meet.google.com/abc-defg-hij'

/** Each party of the paid ones is reminded, a day or an hour before; of the others nobody hears. */
export const demoAppointments: readonly DemoAppointment[] = [
  { guest: 'beatriz', expert: 'ines', startsInHours: 22, payment: 'paid', meetingUrl },
  { guest: 'joao', expert: 'bruno', startsInHours: 23.5, payment: 'paid' },
  { guest: 'lucia', expert: 'hugo', startsInHours: 21, payment: 'paid', meetingUrl },
  { guest: 'valentina', expert: 'hugo', startsInHours: 24, payment: 'paid' },
  { guest: 'emily', expert: 'grace', startsInHours: 23, payment: 'paid', meetingUrl },
  { guest: 'kiri', expert: 'aroha', startsInHours: 22.5, payment: 'paid' },
  { guest: 'rui', expert: 'marta', startsInHours: 21.5, payment: 'paid' },
  { guest: 'nadia', expert: 'vera', startsInHours: 23, payment: 'free' },
  { guest: 'tomas', expert: 'ines', startsInHours: 0.75, payment: 'paid', meetingUrl },
  { guest: 'lucia', expert: 'vera', startsInHours: 0.5, payment: 'paid', meetingUrl },
  { guest: 'emily', expert: 'sam', startsInHours: 1, payment: 'paid' },
  // An hour before the start there is still time for whoever booked this morning, and the day before is over.
  { guest: 'beatriz', expert: 'otto', startsInHours: 1.1, bookedHoursAgo: 6, payment: 'paid' },
  { guest: 'kiri', expert: 'ravi', startsInHours: 23, bookedHoursAgo: 0.5, payment: 'paid' },
  { guest: 'nadia', expert: 'ines', startsInHours: 23, payment: 'waiting' },
  { guest: 'emily', expert: 'vera', startsInHours: 22, payment: 'refunded' },
]

/** The first three are reminded of their vouchers; two whose vouchers ran out are told that the slot is free again. */
export const demoHolds: readonly DemoHold[] = [
  { guest: 'beatriz', expert: 'ines', startsInDays: 9, issuedDaysAgo: 3, expiresInDays: 4, payment: 'waiting' },
  { guest: 'lucia', expert: 'hugo', startsInDays: 10, issuedDaysAgo: 2.8, expiresInDays: 4.2, payment: 'waiting' },
  { guest: 'emily', expert: 'ines', startsInDays: 5, issuedDaysAgo: 6, expiresInDays: 1, payment: 'waiting' },
  { guest: 'tomas', expert: 'marta', startsInDays: 12, issuedDaysAgo: 1, expiresInDays: 6, payment: 'waiting' },
  { guest: 'tomas', expert: 'ines', startsInDays: 4, issuedDaysAgo: 8, expiresInDays: -1, payment: 'canceled' },
  {
    guest: 'valentina',
    expert: 'vera',
    startsInDays: 3,
    issuedDaysAgo: 12,
    expiresInDays: -0.9,
    voucherExpiresInDays: -5,
    payment: 'waiting',
  },
  // The bank may still have the money: the hold stays.
  { guest: 'joao', expert: 'bruno', startsInDays: 2, issuedDaysAgo: 9, expiresInDays: -0.5, payment: 'waiting' },
  { guest: 'nadia', expert: 'vera', startsInDays: 6, issuedDaysAgo: 8, expiresInDays: -1, payment: 'paid' },
  { guest: 'kiri', expert: 'aroha', startsInDays: 8, issuedDaysAgo: 0.05, expiresInDays: -0.04, payment: 'none' },
]
