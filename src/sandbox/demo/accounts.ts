import type { StripeStandIn } from '../stripe.ts'
import type { ExpertName } from './experts.ts'

/** The Connect accounts of the demo; most belong to the expert of that name. */
export const accountNames = [
  'tia',
  'aroha',
  'ravi',
  'ines',
  'bruno',
  'grace',
  'noa',
  'sam',
  'lena',
  'hugo',
  'hugoBefore',
  'marta',
  'vera',
] as const

export type AccountName = (typeof accountNames)[number]

/** Where an expert's account of today is not the one of the same name: shared with another, or gone with the connection. */
const others: Partial<Readonly<Record<ExpertName, AccountName | null>>> = { otto: 'aroha', lena: null }

/** The account that the marketplace has for an expert today. */
export function accountOf(expert: ExpertName): AccountName | null {
  const other = others[expert]
  return other === undefined ? (expert as AccountName) : other
}

export function accountId(name: AccountName): string {
  return `acct_1Demo${name[0]?.toUpperCase()}${name.slice(1)}`
}

/** Opens every account, whole and able to be paid; what is wrong with some comes with `closeAccounts`. */
export function openAccounts(stripe: StripeStandIn, createdAt: Date): void {
  const countries: Partial<Record<AccountName, string>> = { grace: 'US', sam: 'US', hugo: 'ES', vera: 'FR' }
  for (const name of accountNames) {
    stripe.addAccount({
      id: accountId(name),
      country: countries[name] ?? 'PT',
      bankCurrencies: name === 'grace' ? ['eur', 'usd'] : ['eur'],
      createdAt,
    })
  }
}

/** What Stripe and its owners did to some accounts, after all payments. */
export function closeAccounts(stripe: StripeStandIn): void {
  stripe.setAccount(accountId('ravi'), {
    payoutsEnabled: false,
    disabledReason: 'requirements.past_due',
    pastDue: ['individual.verification.document'],
  })
  stripe.setAccount(accountId('lena'), { isDeauthorized: true })
}
