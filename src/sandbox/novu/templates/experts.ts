import { clock, line, type Template, type Word } from './template.ts'

function money(word: Word, name: string): string {
  const amount = word(name)
  const currency = word('currency')
  // An amount that is written out has its currency in it.
  return /^[\d.,]+$/.test(amount) ? `${amount} ${currency.toUpperCase()}` : amount
}

function dateAndTime(word: Word): string {
  return [word('appointmentDate'), clock(word)].filter(part => part !== '').join(', ')
}

export const managementOfExperts: Template = {
  pt: word => ({
    subject: 'Sobre os seus pagamentos na Eleva Care',
    lines: [
      `Olá ${word('expertName')},`,
      '',
      word('message') || undefined,
      '',
      line('Valor', money(word, 'amount')),
      line('Data', word('payoutDate')),
      line('Forma', word('payoutMethod')),
      line('Referência', word('transactionId')),
      line(word('actionText') || 'Ver', word('actionUrl')),
    ],
  }),
  es: word => ({
    subject: 'Sobre sus pagos en Eleva Care',
    lines: [
      `Hola, ${word('expertName')}:`,
      '',
      word('message') || undefined,
      '',
      line('Importe', money(word, 'amount')),
      line('Fecha', word('payoutDate')),
      line('Forma', word('payoutMethod')),
      line('Referencia', word('transactionId')),
      line(word('actionText') || 'Ver', word('actionUrl')),
    ],
  }),
  en: word => ({
    subject: 'About your payments at Eleva Care',
    lines: [
      `Hello ${word('expertName')},`,
      '',
      word('message') || undefined,
      '',
      line('Amount', money(word, 'amount')),
      line('Date', word('payoutDate')),
      line('Method', word('payoutMethod')),
      line('Reference', word('transactionId')),
      line(word('actionText') || 'See', word('actionUrl')),
    ],
  }),
}

export const payout: Template = {
  pt: word => ({
    subject: `Pagamento de ${money(word, 'payoutAmount')} a caminho`,
    lines: [
      `Olá ${word('expertName')},`,
      '',
      `Enviámos ${money(word, 'payoutAmount')} para a sua conta.`,
      '',
      line('Chegada prevista', word('expectedArrivalDate')),
      line('Conta terminada em', word('bankLastFour')),
      line('Consulta', word('serviceName')),
      line('Cliente', word('clientName')),
      line('Data', dateAndTime(word)),
      line('Referência', word('payoutId')),
      line('Painel', word('dashboardUrl')),
      line('Ajuda', word('supportUrl')),
    ],
  }),
  es: word => ({
    subject: `Pago de ${money(word, 'payoutAmount')} en camino`,
    lines: [
      `Hola, ${word('expertName')}:`,
      '',
      `Hemos enviado ${money(word, 'payoutAmount')} a su cuenta.`,
      '',
      line('Llega el', word('expectedArrivalDate')),
      line('Cuenta terminada en', word('bankLastFour')),
      line('Cita', word('serviceName')),
      line('Cliente', word('clientName')),
      line('Fecha', dateAndTime(word)),
      line('Referencia', word('payoutId')),
      line('Panel', word('dashboardUrl')),
      line('Ayuda', word('supportUrl')),
    ],
  }),
  en: word => ({
    subject: `Payout of ${money(word, 'payoutAmount')} on its way`,
    lines: [
      `Hello ${word('expertName')},`,
      '',
      `We have sent ${money(word, 'payoutAmount')} to your account.`,
      '',
      line('Arrives on', word('expectedArrivalDate')),
      line('Account ending in', word('bankLastFour')),
      line('Appointment', word('serviceName')),
      line('Client', word('clientName')),
      line('Date', dateAndTime(word)),
      line('Reference', word('payoutId')),
      line('Dashboard', word('dashboardUrl')),
      line('Help', word('supportUrl')),
    ],
  }),
}
