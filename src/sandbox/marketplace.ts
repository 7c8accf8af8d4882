import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

/**
 * The forms that the live database may have where the site's schema file and its migrations disagree. Without a choice
 * every pushed column and constraint is there.
 */
export interface MarketplaceVariant {
  /** What makes a held slot unique; with the guest in it two guests can hold one slot. */
  readonly slotUnique?: 'event-start' | 'event-start-guest'
  /** False leaves out the two unique constraints of `payment_transfers`. */
  readonly paymentTransferUniques?: boolean
  /** False leaves out guest_name, guest_email and service_name of `payment_transfers`. */
  readonly guestColumns?: boolean
  /** False leaves out `payment_transfers.guest_phone`. */
  readonly guestPhone?: boolean
  /** False leaves out the earnings snapshots of `pack_purchases`. */
  readonly packSnapshots?: boolean
  /** False leaves out `stripe_processed_events`. */
  readonly processedEvents?: boolean
}

const file = path.join(import.meta.dirname, 'marketplace.sql')

/** Creates the marketplace's tables in an empty schema `public`: all of them, or none when a statement fails. */
export async function applyMarketplace(db: Db, variant: MarketplaceVariant = {}): Promise<void> {
  const schema = await readFile(file, 'utf8')
  // Without parameters Postgres takes many statements in one message, and treats them as one transaction.
  await sql.raw([schema, ...listChanges(variant)].join('\n')).execute(db)
}

function listChanges(variant: MarketplaceVariant): string[] {
  const changes: string[] = []
  if (variant.slotUnique === 'event-start-guest') {
    changes.push(
      `alter table slot_reservations drop constraint slot_reservations_active_slot_unique,
        add constraint slot_reservations_active_slot_unique unique (event_id, start_time, guest_email);`,
    )
  }
  if (variant.paymentTransferUniques === false) {
    changes.push(
      `alter table payment_transfers drop constraint payment_transfers_checkout_session_unique,
        drop constraint payment_transfers_payment_intent_unique;`,
    )
  }
  if (variant.guestColumns === false) {
    changes.push(
      'alter table payment_transfers drop column guest_name, drop column guest_email, drop column service_name;',
    )
  }
  if (variant.guestPhone === false) changes.push('alter table payment_transfers drop column guest_phone;')
  if (variant.packSnapshots === false) {
    changes.push(
      `alter table pack_purchases drop column expert_clerk_user_id, drop column gross_amount,
        drop column platform_fee_amount, drop column net_amount;`,
    )
  }
  if (variant.processedEvents === false) changes.push('drop table stripe_processed_events;')
  return changes
}
