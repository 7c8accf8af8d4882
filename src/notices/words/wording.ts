import type { Reader } from '../facts.ts'

/** Every sentence that a person gets to read, by the language they read. What varies inside them is worded by phrases.ts. */

/** Two kinds of Portuguese are two languages here. */
export type Wording = {
  /** For a field that greets its reader by name, where there is no name: it completes the template's "Hello …,". */
  readonly unnamedReader: string
  /** For a field that names somebody, where there is no name. */
  readonly unnamedGuest: string
  readonly unnamedExpert: string
  /** What an appointment is called that has no name of its own. */
  readonly appointment: string
  /** `time` as in "at 10:00"; `one` is for the hour that is singular. */
  readonly at: (time: string, one: boolean) => string
  /** `day` as in "today" or "tomorrow". */
  readonly isOnDay: (told: Told, day: string, at: string) => string
  readonly startsIn: (told: Told, timeUntil: string, at: string) => string
  readonly startsSoon: (told: Told, timeUntil: string, at: string) => string
  /** A time until then. */
  readonly inAboutAnHour: string
  /** What money is for: one appointment, or several. */
  readonly ofAppointment: (day: string, service: string | undefined) => string
  readonly ofAppointments: (count: number) => string
  readonly appointments: (count: number) => string
  readonly transferRecorded: (money: string, of: string) => string
  readonly payoutUpcoming: (money: string, of: string, day: string) => string
  readonly payoutFailed: (money: string, of: string) => string
  readonly failureReasons: Readonly<Record<FailureReason, string>>
  readonly viewEarnings: string
  readonly checkBankDetails: string
}

export interface Told {
  /** The other party. */
  readonly counterpart: string
  /** Undefined where it has no name of its own. */
  readonly service: string | undefined
  readonly day: string
}

/** Why a payout came back, as far as its expert can do something about it; `other` is for us. */
export type FailureReason = 'closed' | 'details' | 'refused' | 'currency' | 'other'

/** How this reader is spoken to. */
export function wordingFor({ language, locale }: Reader): Wording {
  if (language !== 'pt') return language === 'es' ? es : en
  return locale === 'pt-BR' ? ptBR : ptPT
}

const en: Wording = {
  unnamedReader: 'there',
  unnamedGuest: 'your client',
  unnamedExpert: 'your expert',
  appointment: 'Appointment',
  at: time => `at ${time}`,
  isOnDay: (told, day, at) => `Your appointment with ${who(told)} is ${day}, ${told.day}, ${at}.`,
  startsIn: (told, timeUntil, at) => `Your appointment with ${who(told)} starts ${timeUntil}: ${told.day}, ${at}.`,
  startsSoon: (told, timeUntil, at) => `Your appointment with ${who(told)} starts ${timeUntil}, ${at}.`,
  inAboutAnHour: 'in about an hour',
  ofAppointment: (day, service) => `for your appointment on ${day}${bracketed(service)}`,
  ofAppointments: count => `for ${count} appointments`,
  appointments: count => `${count} appointments`,
  transferRecorded: (money, of) =>
    `Your earnings of ${money} ${of} are in your Stripe balance. They have not been sent to your bank yet: we will tell you when the payout is on its way.`,
  payoutUpcoming: (money, of, day) =>
    `Your earnings of ${money} ${of} can be paid out from ${day}. We will tell you when the payout to your bank is on its way.`,
  payoutFailed: (money, of) =>
    `Your payout of ${money} ${of} did not reach your bank account. The money is not lost: it goes back to your Stripe balance, and we will send it again.`,
  failureReasons: {
    closed: 'The bank says that the account is closed or does not exist: please enter your bank details again.',
    details: 'The bank says that the account details are not right: please check them.',
    refused: 'The bank does not accept payments to this account: please ask your bank, or enter another account.',
    currency: 'The bank account does not accept this currency: please enter another account.',
    other: 'There is nothing you need to do.',
  },
  viewEarnings: 'View your earnings',
  checkBankDetails: 'Check your bank details',
}

const es: Wording = {
  unnamedReader: 'muy buenas',
  unnamedGuest: 'su cliente',
  unnamedExpert: 'su especialista',
  appointment: 'Cita',
  at: (time, one) => (one ? `a la ${time}` : `a las ${time}`),
  isOnDay: (told, day, at) => `Su cita con ${who(told)} es ${day}, ${told.day}, ${at}.`,
  startsIn: (told, timeUntil, at) => `Su cita con ${who(told)} empieza ${timeUntil}: ${told.day}, ${at}.`,
  startsSoon: (told, timeUntil, at) => `Su cita con ${who(told)} empieza ${timeUntil}, ${at}.`,
  inAboutAnHour: 'dentro de aproximadamente una hora',
  ofAppointment: (day, service) => `de la cita del ${day}${bracketed(service)}`,
  ofAppointments: count => `de ${count} citas`,
  appointments: count => `${count} citas`,
  transferRecorded: (money, of) =>
    `Sus ingresos de ${money} ${of} están en su saldo de Stripe. Todavía no se han enviado a su banco: le avisaremos cuando el pago esté en camino.`,
  payoutUpcoming: (money, of, day) =>
    `Sus ingresos de ${money} ${of} podrán abonarse a partir del ${day}. Le avisaremos cuando el pago a su banco esté en camino.`,
  payoutFailed: (money, of) =>
    `El pago de ${money} ${of} no ha llegado a su cuenta bancaria. El dinero no se ha perdido: vuelve a su saldo de Stripe y volveremos a enviárselo.`,
  failureReasons: {
    closed: 'El banco indica que la cuenta está cerrada o no existe: introduzca de nuevo sus datos bancarios.',
    details: 'El banco indica que los datos de la cuenta no son correctos: compruébelos, por favor.',
    refused: 'El banco no acepta pagos en esta cuenta: consulte con su banco o indique otra cuenta.',
    currency: 'La cuenta bancaria no admite esta moneda: indique otra cuenta, por favor.',
    other: 'No tiene que hacer nada.',
  },
  viewEarnings: 'Ver sus ingresos',
  checkBankDetails: 'Comprobar sus datos bancarios',
}

const ptPT: Wording = {
  unnamedReader: 'de novo',
  unnamedGuest: 'o seu cliente',
  unnamedExpert: 'o seu especialista',
  appointment: 'Consulta',
  at: (time, one) => (one ? `à ${time}` : `às ${time}`),
  isOnDay: (told, day, at) => `A sua consulta com ${who(told)} é ${day}, ${told.day}, ${at}.`,
  startsIn: (told, timeUntil, at) => `A sua consulta com ${who(told)} começa ${timeUntil}: ${told.day}, ${at}.`,
  startsSoon: (told, timeUntil, at) => `A sua consulta com ${who(told)} começa ${timeUntil}, ${at}.`,
  inAboutAnHour: 'dentro de cerca de uma hora',
  ofAppointment: (day, service) => `da consulta de ${day}${bracketed(service)}`,
  ofAppointments: count => `de ${count} consultas`,
  appointments: count => `${count} consultas`,
  transferRecorded: (money, of) =>
    `Os seus ganhos de ${money} ${of} estão no seu saldo da Stripe. Ainda não foram enviados para o seu banco: avisaremos quando o pagamento estiver a caminho.`,
  payoutUpcoming: (money, of, day) =>
    `Os seus ganhos de ${money} ${of} poderão ser pagos a partir de ${day}. Avisaremos quando o pagamento para o seu banco estiver a caminho.`,
  payoutFailed: (money, of) =>
    `O pagamento de ${money} ${of} não chegou à sua conta bancária. O dinheiro não se perdeu: volta ao seu saldo da Stripe e voltaremos a enviá-lo.`,
  failureReasons: {
    closed: 'O banco indica que a conta está encerrada ou não existe: introduza novamente os seus dados bancários.',
    details: 'O banco indica que os dados da conta não estão corretos: verifique-os, por favor.',
    refused: 'O banco não aceita pagamentos nesta conta: contacte o seu banco ou indique outra conta.',
    currency: 'A conta bancária não aceita esta moeda: indique outra conta, por favor.',
    other: 'Não precisa de fazer nada.',
  },
  viewEarnings: 'Ver os seus ganhos',
  checkBankDetails: 'Verificar os seus dados bancários',
}

const ptBR: Wording = {
  ...ptPT,
  unnamedGuest: 'seu cliente',
  unnamedExpert: 'seu especialista',
  isOnDay: (told, day, at) => `Sua consulta com ${who(told)} é ${day}, ${told.day}, ${at}.`,
  startsIn: (told, timeUntil, at) => `Sua consulta com ${who(told)} começa ${timeUntil}: ${told.day}, ${at}.`,
  startsSoon: (told, timeUntil, at) => `Sua consulta com ${who(told)} começa ${timeUntil}, ${at}.`,
  inAboutAnHour: 'em cerca de uma hora',
  transferRecorded: (money, of) =>
    `Seus ganhos de ${money} ${of} estão no seu saldo da Stripe. Ainda não foram enviados ao seu banco: avisaremos quando o pagamento estiver a caminho.`,
  payoutUpcoming: (money, of, day) =>
    `Seus ganhos de ${money} ${of} poderão ser pagos a partir de ${day}. Avisaremos quando o pagamento ao seu banco estiver a caminho.`,
  payoutFailed: (money, of) =>
    `O pagamento de ${money} ${of} não chegou à sua conta bancária. O dinheiro não se perdeu: ele volta ao seu saldo da Stripe e vamos enviá-lo novamente.`,
  failureReasons: {
    closed: 'O banco informa que a conta está encerrada ou não existe: informe novamente seus dados bancários.',
    details: 'O banco informa que os dados da conta não estão corretos: verifique-os, por favor.',
    refused: 'O banco não aceita pagamentos nesta conta: fale com seu banco ou informe outra conta.',
    currency: 'A conta bancária não aceita esta moeda: informe outra conta, por favor.',
    other: 'Você não precisa fazer nada.',
  },
  viewEarnings: 'Ver seus ganhos',
  checkBankDetails: 'Verificar seus dados bancários',
}

function who({ counterpart, service }: Told): string {
  return `${counterpart}${bracketed(service)}`
}

function bracketed(service: string | undefined): string {
  return service === undefined ? '' : ` (${service})`
}
