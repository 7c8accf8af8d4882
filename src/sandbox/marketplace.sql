-- The marketplace's own tables in schema public, as the site has them, in the form in
-- which every pushed column and constraint is present. For the sandbox and the tests; production never runs it.
-- Times are without zone and mean UTC, money is integer cents, durations are integer minutes.

create type payment_transfer_status_enum as enum
  ('PENDING', 'APPROVED', 'READY', 'COMPLETED', 'FAILED', 'REFUNDED', 'DISPUTED', 'PAID_OUT');
create type pack_purchase_status as enum ('active', 'fully_redeemed', 'expired', 'cancelled');
create type day as enum ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday');
create type subscription_status as enum
  ('active', 'canceled', 'incomplete', 'incomplete_expired', 'past_due', 'trialing', 'unpaid');

create table users (
  id uuid primary key default gen_random_uuid(),
  "clerkUserId" text not null constraint "users_clerkUserId_unique" unique,
  "stripeCustomerId" text constraint "users_stripeCustomerId_unique" unique,
  "subscriptionId" text,
  "subscriptionStatus" subscription_status,
  "subscriptionPriceId" text,
  "subscriptionCurrentPeriodEnd" timestamp,
  "subscriptionCanceledAt" timestamp,
  "hasHadSubscription" boolean default false,
  email text not null,
  first_name text,
  last_name text,
  image_url text,
  stripe_connect_account_id text,
  stripe_connect_details_submitted boolean default false,
  stripe_connect_charges_enabled boolean default false,
  stripe_connect_payouts_enabled boolean default false,
  stripe_connect_onboarding_complete boolean default false,
  stripe_bank_account_last4 text,
  stripe_bank_name text,
  stripe_identity_verification_id text,
  stripe_identity_verified boolean default false,
  stripe_identity_verification_status text,
  stripe_identity_verification_last_checked timestamp,
  country text default 'PT',
  welcome_email_sent_at timestamp,
  onboarding_completed_at timestamp,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index users_clerk_user_id_idx on users ("clerkUserId");
create index users_stripe_customer_id_idx on users ("stripeCustomerId");
create index users_stripe_identity_verification_id_idx on users (stripe_identity_verification_id);

create table categories (
  id uuid primary key default gen_random_uuid(),
  name text not null constraint categories_name_unique unique,
  description text,
  image text,
  "parentId" uuid,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);

create table profiles (
  id uuid primary key default gen_random_uuid(),
  "clerkUserId" text not null constraint "profiles_clerkUserId_unique" unique,
  "profilePicture" text,
  "firstName" text not null,
  "lastName" text not null,
  headline text,
  "shortBio" text,
  "longBio" text,
  "primaryCategoryId" uuid constraint "profiles_primaryCategoryId_categories_id_fk" references categories (id),
  "secondaryCategoryId" uuid constraint "profiles_secondaryCategoryId_categories_id_fk" references categories (id),
  "socialLinks" json,
  "isVerified" boolean not null default false,
  "isTopExpert" boolean not null default false,
  published boolean not null default false,
  practitioner_agreement_accepted_at timestamp,
  practitioner_agreement_version text,
  practitioner_agreement_ip_address text,
  "order" integer not null default 0,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index "profiles_clerkUserId_idx" on profiles ("clerkUserId");

create table schedules (
  id uuid primary key default gen_random_uuid(),
  timezone text not null,
  "clerkUserId" text not null constraint "schedules_clerkUserId_unique" unique,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);

create table "scheduleAvailabilities" (
  id uuid primary key default gen_random_uuid(),
  "scheduleId" uuid not null
    constraint "scheduleAvailabilities_scheduleId_schedules_id_fk" references schedules (id) on delete cascade,
  "startTime" text not null,
  "endTime" text not null,
  "dayOfWeek" day not null
);
create index "scheduleIdIndex" on "scheduleAvailabilities" ("scheduleId");

create table scheduling_settings (
  id serial primary key,
  user_id text not null,
  before_event_buffer integer not null default 0,
  after_event_buffer integer not null default 0,
  minimum_notice integer not null default 0,
  time_slot_interval integer not null default 15,
  booking_window_days integer not null default 60,
  created_at timestamp default now(),
  updated_at timestamp default now()
);

create table blocked_dates (
  id serial primary key,
  clerk_user_id text not null,
  date date not null,
  timezone text not null default 'UTC',
  reason text,
  created_at timestamp not null default now(),
  updated_at timestamp not null default now()
);

create table events (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  slug text not null,
  description text,
  "durationInMinutes" integer not null,
  "clerkUserId" text not null,
  "isActive" boolean not null default true,
  "order" integer not null default 0,
  price integer not null default 0,
  currency text not null default 'eur',
  "stripeProductId" text,
  "stripePriceId" text,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index events_clerk_user_id_idx on events ("clerkUserId");

create table meetings (
  id uuid primary key default gen_random_uuid(),
  "eventId" uuid not null constraint "meetings_eventId_events_id_fk" references events (id) on delete cascade,
  "clerkUserId" text not null,
  "guestEmail" text not null,
  "guestName" text not null,
  "guestNotes" text,
  "guestPhone" text,
  "startTime" timestamp not null,
  "endTime" timestamp not null,
  timezone text not null,
  "meetingUrl" text,
  "stripePaymentIntentId" text constraint "meetings_stripePaymentIntentId_unique" unique,
  "stripeSessionId" text constraint "meetings_stripeSessionId_unique" unique,
  "stripePaymentStatus" text default 'pending',
  "stripeAmount" integer,
  "stripeApplicationFeeAmount" integer,
  "stripeApplicationFeeId" text constraint "meetings_stripeApplicationFeeId_unique" unique,
  "stripeRefundId" text constraint "meetings_stripeRefundId_unique" unique,
  "stripeMetadata" json,
  "stripeTransferId" text constraint "meetings_stripeTransferId_unique" unique,
  "stripeTransferAmount" integer,
  "stripeTransferStatus" text default 'pending',
  "stripeTransferScheduledAt" timestamp,
  stripe_payout_id text constraint meetings_stripe_payout_id_unique unique,
  stripe_payout_amount integer,
  stripe_payout_failure_code text,
  stripe_payout_failure_message text,
  stripe_payout_paid_at timestamp,
  "lastProcessedAt" timestamp,
  calendar_creation_claimed boolean not null default false,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index "meetings_clerkUserId_idx" on meetings ("clerkUserId");
create index "meetings_eventId_idx" on meetings ("eventId");
create index "meetings_paymentIntentId_idx" on meetings ("stripePaymentIntentId");
create index "meetings_sessionId_idx" on meetings ("stripeSessionId");
create index "meetings_transferId_idx" on meetings ("stripeTransferId");
create index "meetings_payoutId_idx" on meetings (stripe_payout_id);

create table slot_reservations (
  id uuid primary key default gen_random_uuid(),
  event_id uuid not null constraint slot_reservations_event_id_events_id_fk references events (id) on delete cascade,
  clerk_user_id text not null,
  guest_email text not null,
  start_time timestamp not null,
  end_time timestamp not null,
  expires_at timestamp not null,
  stripe_payment_intent_id text constraint slot_reservations_stripe_payment_intent_id_unique unique,
  stripe_session_id text constraint slot_reservations_stripe_session_id_unique unique,
  gentle_reminder_sent_at timestamp,
  urgent_reminder_sent_at timestamp,
  created_at timestamp not null default now(),
  updated_at timestamp not null default now(),
  constraint slot_reservations_active_slot_unique unique (event_id, start_time)
);
create index slot_reservations_clerk_user_id_idx on slot_reservations (clerk_user_id);
create index slot_reservations_event_id_idx on slot_reservations (event_id);
create index slot_reservations_expires_at_idx on slot_reservations (expires_at);
create index slot_reservations_payment_intent_id_idx on slot_reservations (stripe_payment_intent_id);
create index slot_reservations_session_id_idx on slot_reservations (stripe_session_id);

create table payment_transfers (
  id serial primary key,
  payment_intent_id text not null,
  checkout_session_id text not null,
  event_id text not null,
  expert_connect_account_id text not null,
  expert_clerk_user_id text not null,
  amount integer not null,
  currency text not null default 'eur',
  platform_fee integer not null,
  session_start_time timestamp not null,
  scheduled_transfer_time timestamp not null,
  status payment_transfer_status_enum not null default 'PENDING',
  transfer_id text,
  payout_id text,
  stripe_error_code text,
  stripe_error_message text,
  retry_count integer default 0,
  requires_approval boolean default false,
  admin_user_id text,
  admin_notes text,
  notified_at timestamp,
  guest_name text,
  guest_email text,
  guest_phone text,
  service_name text,
  created timestamp not null default now(),
  updated timestamp not null default now(),
  constraint payment_transfers_checkout_session_unique unique (checkout_session_id),
  constraint payment_transfers_payment_intent_unique unique (payment_intent_id)
);

create table session_packs (
  id uuid primary key default gen_random_uuid(),
  event_id uuid not null constraint session_packs_event_id_events_id_fk references events (id) on delete cascade,
  clerk_user_id text not null,
  name text not null,
  description text,
  sessions_count integer not null,
  price integer not null,
  currency text not null default 'eur',
  stripe_product_id text,
  stripe_price_id text,
  is_active boolean not null default true,
  expiration_days integer default 180,
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index session_packs_clerk_user_id_idx on session_packs (clerk_user_id);
create index session_packs_event_id_idx on session_packs (event_id);

create table pack_purchases (
  id uuid primary key default gen_random_uuid(),
  pack_id uuid not null constraint pack_purchases_pack_id_session_packs_id_fk references session_packs (id),
  expert_clerk_user_id text,
  buyer_email text not null,
  buyer_name text,
  buyer_phone text,
  pack_name_snapshot text,
  event_name_snapshot text,
  stripe_customer_id text,
  stripe_session_id text constraint pack_purchases_stripe_session_id_unique unique,
  stripe_payment_intent_id text constraint pack_purchases_stripe_payment_intent_id_unique unique,
  stripe_coupon_id text,
  stripe_promotion_code_id text,
  currency text,
  gross_amount integer,
  platform_fee_amount integer,
  net_amount integer,
  promotion_code text not null constraint pack_purchases_promotion_code_unique unique,
  max_redemptions integer not null,
  redemptions_used integer not null default 0,
  expires_at timestamp,
  status pack_purchase_status not null default 'active',
  "createdAt" timestamp not null default now(),
  "updatedAt" timestamp not null default now()
);
create index pack_purchases_pack_id_idx on pack_purchases (pack_id);
create index pack_purchases_expert_clerk_user_id_idx on pack_purchases (expert_clerk_user_id);
create index pack_purchases_buyer_email_idx on pack_purchases (buyer_email);
create index pack_purchases_promotion_code_idx on pack_purchases (promotion_code);
create index pack_purchases_stripe_session_id_idx on pack_purchases (stripe_session_id);

create table stripe_processed_events (
  event_id text primary key,
  event_type text not null,
  processed_at timestamp not null default now()
);

-- The site keeps this table in a database of its own.
create table audit_logs (
  id serial primary key,
  "clerkUserId" text not null,
  action varchar(50) not null,
  resource_type varchar(50) not null,
  resource_id varchar(255),
  old_values jsonb,
  new_values jsonb,
  ip_address varchar(45),
  user_agent text,
  created_at timestamp default now()
);
