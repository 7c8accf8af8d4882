import { line, type Rendered, type Template, type Word } from './template.ts'

/** Operators read English. */
function render(word: Word): Rendered {
  const isWell = word('status') === 'healthy'
  return {
    subject: `${isWell ? 'Recovered' : 'Failing'}: ${word('environment')}`,
    lines: [line('Status', word('status')), line('Since', word('timestamp')), '', word('error') || undefined],
  }
}

export const health: Template = { pt: render, es: render, en: render }
