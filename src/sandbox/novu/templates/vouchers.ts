import { clock, line, type Template, type Word } from './template.ts'

function isUrgent(word: Word): boolean {
  return word('reminderType') === 'urgent'
}

/** Vouchers are in euros, and the amount comes as a bare number. */
function euros(word: Word): string {
  const amount = word('multibancoAmount')
  return /^[\d.,]+$/.test(amount) ? `${amount} EUR` : amount
}

export const paymentReminder: Template = {
  pt: word => ({
    subject: isUrgent(word)
      ? `Último aviso: pague a sua consulta com ${word('expertName')}`
      : `Lembrete: pague a sua consulta com ${word('expertName')}`,
    lines: [
      `Olá ${word('customerName')},`,
      '',
      `A sua reserva com ${word('expertName')} ainda não está paga.`,
      '',
      line('Entidade', word('multibancoEntity')),
      line('Referência', word('multibancoReference')),
      line('Valor', euros(word)),
      line('Pagar até', word('voucherExpiresAt')),
      line('Dias que faltam', word('daysRemaining')),
      line('Ver os dados de pagamento', word('hostedVoucherUrl')),
      '',
      line('Consulta', word('serviceName')),
      line('Data', word('appointmentDate')),
      line('Hora', clock(word)),
      line('Duração em minutos', word('duration')),
      line('Notas', word('customerNotes')),
    ],
  }),
  es: word => ({
    subject: isUrgent(word)
      ? `Último aviso: pague su cita con ${word('expertName')}`
      : `Recordatorio: pague su cita con ${word('expertName')}`,
    lines: [
      `Hola, ${word('customerName')}:`,
      '',
      `Su reserva con ${word('expertName')} todavía no está pagada.`,
      '',
      line('Entidad', word('multibancoEntity')),
      line('Referencia', word('multibancoReference')),
      line('Importe', euros(word)),
      line('Pagar hasta', word('voucherExpiresAt')),
      line('Días restantes', word('daysRemaining')),
      line('Ver los datos de pago', word('hostedVoucherUrl')),
      '',
      line('Cita', word('serviceName')),
      line('Fecha', word('appointmentDate')),
      line('Hora', clock(word)),
      line('Duración en minutos', word('duration')),
      line('Notas', word('customerNotes')),
    ],
  }),
  en: word => ({
    subject: isUrgent(word)
      ? `Last reminder: pay for your appointment with ${word('expertName')}`
      : `Reminder: pay for your appointment with ${word('expertName')}`,
    lines: [
      `Hello ${word('customerName')},`,
      '',
      `Your booking with ${word('expertName')} is not paid yet.`,
      '',
      line('Entity', word('multibancoEntity')),
      line('Reference', word('multibancoReference')),
      line('Amount', euros(word)),
      line('Pay by', word('voucherExpiresAt')),
      line('Days left', word('daysRemaining')),
      line('See the payment details', word('hostedVoucherUrl')),
      '',
      line('Appointment', word('serviceName')),
      line('Date', word('appointmentDate')),
      line('Time', clock(word)),
      line('Duration in minutes', word('duration')),
      line('Notes', word('customerNotes')),
    ],
  }),
}

export const reservationExpired: Template = {
  pt: word => ({
    subject: `A sua reserva com ${word('expertName')} expirou`,
    lines: [
      `Olá ${word('clientName')},`,
      '',
      'O pagamento não chegou a tempo, e o horário voltou a ficar livre. Pode fazer uma nova reserva quando quiser.',
      '',
      line('Consulta', word('serviceName')),
      line('Data', word('appointmentDate')),
      line('Hora', clock(word)),
    ],
  }),
  es: word => ({
    subject: `Su reserva con ${word('expertName')} ha caducado`,
    lines: [
      `Hola, ${word('clientName')}:`,
      '',
      'El pago no llegó a tiempo y el horario vuelve a estar libre. Puede hacer una nueva reserva cuando quiera.',
      '',
      line('Cita', word('serviceName')),
      line('Fecha', word('appointmentDate')),
      line('Hora', clock(word)),
    ],
  }),
  en: word => ({
    subject: `Your booking with ${word('expertName')} has expired`,
    lines: [
      `Hello ${word('clientName')},`,
      '',
      'The payment did not arrive in time, and the slot is free again. You can book again whenever you like.',
      '',
      line('Appointment', word('serviceName')),
      line('Date', word('appointmentDate')),
      line('Time', clock(word)),
    ],
  }),
}
