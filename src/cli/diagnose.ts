import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { createApp } from '../app.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { type ComponentName, componentNames } from '../diagnostics/component.ts'
import type { Diagnosis } from '../diagnostics/diagnose.ts'
import { printJson, printLine, type Style } from './print.ts'

export interface DiagnoseOptions {
  readonly json?: boolean
  /** Figures, too; the JSON has them in any case. */
  readonly details?: boolean
}

// A database that hangs would hold whoever has read the answer.
const closeMs = 1_000

/**
 * Looks at everything that the jobs need, as `GET /diagnostics` does, from this machine; of the service's own process it
 * knows nothing. Gives 1 when a component fails; a warning alone is no failure. A configuration that does not fit is what is
 * told then, and nothing else is asked.
 */
export async function diagnose(component: ComponentName | 'all' | undefined, options: DiagnoseOptions) {
  const names = component === undefined || component === 'all' ? componentNames : [component]
  const config = readConfig()
  if (config instanceof ConfigError) return show(toDiagnosis(config), options)
  const app = await createApp(config, pino({ level: 'silent' }))
  try {
    return show(await app.diagnostics.diagnoseFromOutside(names), options)
  } finally {
    await Promise.race([app.close(), sleep(closeMs, undefined, { ref: false })])
  }
}

function readConfig(): Config | ConfigError {
  try {
    return loadConfig()
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown
    throw thrown
  }
}

function toDiagnosis({ problems }: ConfigError): Diagnosis {
  const recommendations = ['.env.example describes each variable; the other components are looked at once these fit']
  const environment = { status: 'fail' as const, issues: problems, recommendations, details: {} }
  return { status: 'fail', checkedAt: new Date().toISOString(), tookMs: 0, components: { environment } }
}

function show(diagnosis: Diagnosis, { details = false, json = false }: DiagnoseOptions): number {
  if (json) printJson(diagnosis)
  else print(diagnosis, details)
  return diagnosis.status === 'fail' ? 1 : 0
}

const styles = { pass: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<string, Style>

function print({ components }: Diagnosis, withDetails: boolean): void {
  const width = Math.max(...componentNames.map(name => name.length))
  for (const [name, { details, issues, recommendations, status }] of Object.entries(components)) {
    printLine({ text: name.padEnd(width), style: 'bold' }, { text: status, style: styles[status] })
    for (const issue of issues) printLine('  -', issue)
    for (const advice of recommendations) printLine('  >', advice)
    if (!withDetails) continue
    for (const [key, value] of Object.entries(details)) printLine(`    ${key}:`, tell(value))
  }
}

function tell(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
