import { sql } from 'kysely'

/**
 * What notices of a booking are about, by any id of it: of its meeting, hold, payment, row of payment_transfers or
 * operation. An operation of several bookings is found by each of them.
 */
export function subjectsAbout(id: string) {
  const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)
  const isUs = (column: string) => (isUuid ? sql`${sql.ref(column)} = ${id}::uuid` : sql`false`)
  const transfer = /^\d{1,9}$/.test(id) ? sql`t.id = ${id}::integer` : sql`false`
  return sql<string>`(
    with payments as (
      select m."stripePaymentIntentId" as id from meetings m where ${isUs('m.id')}
      union select r.stripe_payment_intent_id from slot_reservations r where ${isUs('r.id')}
      union select split_part(o.occurrence, ' ', 1) from jobs.outbox o where o.facts ->> 'reservationId' = ${id}
      union select t.payment_intent_id from payment_transfers t where ${transfer}
      union select t.payment_intent_id from jobs.money_operation_items i
        join payment_transfers t on t.id = i.payment_transfer_id where ${isUs('i.operation_id')}
      union select ${id}::text
    ),
    meeting_ids as (
      select m.id::text as id from meetings m join payments p on p.id = m."stripePaymentIntentId"
      union select ${id}::text
    ),
    transfers as (select t.id from payment_transfers t join payments p on p.id = t.payment_intent_id)
    select ${id}::text
    union select 'meetings ' || m.id || party from meeting_ids m, (values (' guest'), (' expert')) parties (party)
    union select 'payment_intents ' || p.id from payments p where p.id is not null
    union select 'payment_transfers ' || t.id from transfers t
    union select i.operation_id::text from jobs.money_operation_items i join transfers t on t.id = i.payment_transfer_id
  )`
}

/** Who a person is at the vendor, by that id or by an address (notices/recipients.ts makes these ids). */
export function recipientsOf(person: string) {
  const address = sql`lower(btrim(${person}::text))`
  return sql<string>`(
    select ${person}::text union select 'guest_' || ${address}
    union select u."clerkUserId" from users u where lower(btrim(u.email)) = ${address})`
}
