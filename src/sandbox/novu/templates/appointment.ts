import { clock, line, type Template, type Word } from './template.ts'

/** Whom the message is about, seen from who reads it. */
function otherOf(word: Word): string {
  return word(word('userSegment') === 'expert' ? 'customerName' : 'expertName')
}

function readerOf(word: Word): string {
  return word(word('userSegment') === 'expert' ? 'expertName' : 'customerName')
}

const events: Readonly<Record<string, readonly [pt: string, es: string, en: string]>> = {
  reminder: ['Lembrete', 'Recordatorio', 'Reminder'],
  confirmed: ['Confirmada', 'Confirmada', 'Confirmed'],
  cancelled: ['Cancelada', 'Cancelada', 'Cancelled'],
  rescheduled: ['Remarcada', 'Reprogramada', 'Rescheduled'],
  updated: ['Alterada', 'Actualizada', 'Updated'],
}

function eventOf(word: Word, language: 0 | 1 | 2): string {
  return events[word('eventType')]?.[language] ?? word('eventType')
}

export const appointment: Template = {
  pt: word => ({
    subject: `${eventOf(word, 0)}: consulta com ${otherOf(word)}, ${word('appointmentDate')}, ${word('appointmentTime')}`,
    lines: [
      `Olá ${readerOf(word)},`,
      '',
      word('message') ||
        `A sua consulta com ${otherOf(word)} é ${word('timeUntilAppointment') || word('appointmentDate')}.`,
      '',
      line('Consulta', word('serviceName')),
      line('Data', word('appointmentDate')),
      line('Hora', clock(word)),
      line('Duração', word('appointmentDuration')),
      line('Ligação', word('meetingUrl')),
      line('Notas', word('notes')),
    ],
  }),
  es: word => ({
    subject: `${eventOf(word, 1)}: cita con ${otherOf(word)}, ${word('appointmentDate')}, ${word('appointmentTime')}`,
    lines: [
      `Hola, ${readerOf(word)}:`,
      '',
      word('message') || `Su cita con ${otherOf(word)} es ${word('timeUntilAppointment') || word('appointmentDate')}.`,
      '',
      line('Cita', word('serviceName')),
      line('Fecha', word('appointmentDate')),
      line('Hora', clock(word)),
      line('Duración', word('appointmentDuration')),
      line('Enlace', word('meetingUrl')),
      line('Notas', word('notes')),
    ],
  }),
  en: word => ({
    subject: `${eventOf(word, 2)}: appointment with ${otherOf(word)}, ${word('appointmentDate')}, ${word('appointmentTime')}`,
    lines: [
      `Hello ${readerOf(word)},`,
      '',
      word('message') ||
        `Your appointment with ${otherOf(word)} is ${word('timeUntilAppointment') || word('appointmentDate')}.`,
      '',
      line('Appointment', word('serviceName')),
      line('Date', word('appointmentDate')),
      line('Time', clock(word)),
      line('Duration', word('appointmentDuration')),
      line('Link', word('meetingUrl')),
      line('Notes', word('notes')),
    ],
  }),
}
