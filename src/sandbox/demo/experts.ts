import { sql } from 'kysely'
import type { Db } from '../../database/connection.ts'

export interface DemoExpert {
  readonly clerkUserId: string
  readonly firstName: string
  readonly lastName: string
  /** As the site has it: any letter case, and null where nobody asked. */
  readonly country: string | null
  readonly timezone: string
}

/** The demo's experts, the first six from the first zone on Earth to begin a day to one of the last. */
export const experts = {
  tia: expert('tia', 'Tia', 'Tebano', 'KI', 'Pacific/Kiritimati'),
  aroha: expert('aroha', 'Aroha', 'Ngata', 'NZ', 'Pacific/Auckland'),
  ravi: expert('ravi', 'Ravi', 'Menon', 'IN', 'Asia/Kolkata'),
  ines: expert('ines', 'Inês', 'Carvalho', 'PT', 'Europe/Lisbon'),
  bruno: expert('bruno', 'Bruno', 'Azevedo', 'BR', 'America/Sao_Paulo'),
  grace: expert('grace', 'Grace', 'Okafor', 'US', 'America/Los_Angeles'),
  noa: expert('noa', 'Noa', 'Peretz', null, 'Asia/Jerusalem'),
  sam: expert('sam', 'Sam', 'Whitaker', 'us', 'America/Chicago'),
  lena: expert('lena', 'Lena', 'Duarte', 'pt', 'Europe/Lisbon'),
  hugo: expert('hugo', 'Hugo', 'Serrano', 'ES', 'Europe/Madrid'),
  marta: expert('marta', 'Marta', 'Pinheiro', 'PT', 'Atlantic/Azores'),
  otto: expert('otto', 'Otto', 'Brandt', 'DE', 'Europe/Berlin'),
  vera: expert('vera', 'Véra', 'Lambert', 'FR', 'Europe/Paris'),
} as const

export type ExpertName = keyof typeof experts

export const demoExperts: readonly DemoExpert[] = Object.values(experts)

/** Writes users, public profiles and schedules; Connect accounts come with the money. */
export async function insertExperts(db: Db): Promise<void> {
  const rows = sql`jsonb_to_recordset(${JSON.stringify(demoExperts)})
    as e ("clerkUserId" text, "firstName" text, "lastName" text, country text, timezone text)`
  await sql`
    insert into users ("clerkUserId", email, first_name, last_name, country)
    select "clerkUserId", lower("clerkUserId") || '@example.com', "firstName", "lastName", country from ${rows}`.execute(
    db,
  )
  await sql`
    insert into profiles ("clerkUserId", "firstName", "lastName", "isVerified", published)
    select "clerkUserId", "firstName", "lastName", true, true from ${rows}`.execute(db)
  await sql`
    insert into schedules ("clerkUserId", timezone) select "clerkUserId", timezone from ${rows}`.execute(db)
}

function expert(
  name: string,
  firstName: string,
  lastName: string,
  country: string | null,
  timezone: string,
): DemoExpert {
  return { clerkUserId: `user_demo_${name}`, firstName, lastName, country, timezone }
}
