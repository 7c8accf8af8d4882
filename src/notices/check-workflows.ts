import type { Workflow } from '../providers/notifications.ts'
import { workflows } from './catalogue.ts'
import { compareSamples } from './compare-samples.ts'
import { compareWorkflows, type WorkflowCheck } from './compare-workflows.ts'
import { listSamplePayloads } from './sample-payloads.ts'

/**
 * Compares the workflows of the catalogue with those of the vendor, by their fields, and lets the vendor's schemas judge
 * samples of what is really sent: a limit or a format that only a few notices break is found too.
 */
export function checkWorkflows(real: readonly Workflow[]): WorkflowCheck[] {
  const samples = Map.groupBy(listSamplePayloads(), ({ workflow }) => workflow as string)
  const schemas = new Map(real.map(({ id, payloadSchema }) => [id, payloadSchema]))
  return compareWorkflows(workflows, real).map(check => {
    const schema = schemas.get(check.id)
    if (schema === undefined) return check
    const { notes, refused } = compareSamples(schema, samples.get(check.id) ?? [])
    const isNews = ({ field }: (typeof refused)[number]): boolean =>
      !check.differences.some(told => told.split(/[\s,:]+/).includes(field))
    const news = refused.filter(isNews).map(({ difference }) => difference)
    return { ...check, differences: [...check.differences, ...news], notes: [...check.notes, ...notes] }
  })
}
