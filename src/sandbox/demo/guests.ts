/** A client of the demo, as bookings know them: by an address, and by what they gave at checkout. */
export interface DemoGuest {
  readonly name: string
  readonly email: string
  readonly timezone: string
  /** What the site put into the payment's metadata; nothing where it had none. */
  readonly locale?: 'en' | 'pt' | 'es' | 'br'
}

export const guests = {
  beatriz: guest('Beatriz Marques', 'Europe/Lisbon', 'pt'),
  tomas: guest('Tomás Vieira', 'Atlantic/Madeira', 'pt'),
  joao: guest('João Batista', 'America/Sao_Paulo', 'br'),
  lucia: guest('Lucía Ortega', 'Europe/Madrid', 'es'),
  valentina: guest('Valentina Rojas', 'America/Bogota'),
  emily: guest('Emily Carter', 'America/New_York', 'en'),
  kiri: guest('Kiri Tamati', 'Pacific/Auckland'),
  // A zone that no calendar knows: times are told in UTC.
  rui: guest('Rui Faria', 'Lisbon', 'pt'),
  nadia: guest('Nadia Haddad', 'Europe/Paris'),
} as const

export type GuestName = keyof typeof guests

function guest(name: string, timezone: string, locale?: DemoGuest['locale']): DemoGuest {
  const plain = name.normalize('NFD').replaceAll(/[^ a-z]/gi, '')
  const email = `${plain.replaceAll(' ', '.')}@Example.com`
  return { name, email, timezone, ...(locale === undefined ? {} : { locale }) }
}
