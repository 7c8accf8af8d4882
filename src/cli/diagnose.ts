import { pino } from 'pino'
import { createApp } from '../app.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { type ComponentName, componentNames } from '../diagnostics/component.ts'
import type { Diagnosis } from '../diagnostics/diagnose.ts'
import { printJson, printLine, type Style } from './print.ts'

/**
 * Looks at everything that the jobs need, as `GET /diagnostics` does, from this machine. Gives 1 when a component fails;
 * a warning alone is no failure. A configuration that does not fit is what is told then, and nothing else is asked.
 */
export async function diagnose(component: ComponentName | undefined, options: { readonly json?: boolean }) {
  const { json = false } = options
  const diagnosis = await read(component === undefined ? componentNames : [component])
  if (json) printJson(diagnosis)
  else print(diagnosis)
  return diagnosis.status === 'fail' ? 1 : 0
}

async function read(names: readonly ComponentName[]): Promise<Diagnosis> {
  let config: Config
  try {
    config = loadConfig()
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    return toDiagnosis(thrown)
  }
  const app = await createApp(config, pino({ level: 'silent' }))
  try {
    return await app.diagnostics.diagnose(names)
  } finally {
    await app.close()
  }
}

function toDiagnosis({ problems }: ConfigError): Diagnosis {
  const recommendations = ['.env.example describes each variable; the other components are looked at once these fit']
  const environment = { status: 'fail' as const, issues: problems, recommendations, details: {} }
  return { status: 'fail', checkedAt: new Date().toISOString(), tookMs: 0, components: { environment } }
}

const styles = { pass: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<string, Style>

function print({ components }: Diagnosis): void {
  const width = Math.max(...componentNames.map(name => name.length))
  for (const [name, { issues, recommendations, status }] of Object.entries(components)) {
    printLine({ text: name.padEnd(width), style: 'bold' }, { text: status, style: styles[status] })
    for (const issue of issues) printLine('  -', issue)
    for (const advice of recommendations) printLine('  >', advice)
  }
}
