import type { Answer, Request } from '../stand-in.ts'
import { refuse } from './refusal.ts'
import type { State } from './state.ts'
import type { NovuWorkflow } from './types.ts'
import { runDue } from './worker.ts'

const maxPage = 100
const organization = '65f0a1b2c3d4e5f601234567'
const environment = '65f0a1b2c3d4e5f601234568'
const since = '2026-01-01T00:00:00.000Z'

/** GET /v1/notifications: newest first, by transaction id and subscriber where asked. */
export function listNotifications(state: State, { query }: Request): Answer {
  runDue(state)
  const page = readNumber(query.get('page'), 0)
  const limit = Math.min(readNumber(query.get('limit'), 10), maxPage)
  const transactionId = query.get('transactionId')
  const subscriberIds = query.getAll('subscriberIds')
  const found = state.events
    .toReversed()
    .filter(event => transactionId === null || event.transactionId === transactionId)
    .filter(event => subscriberIds.length === 0 || subscriberIds.includes(event.subscriberId))
  const data = found.slice(page * limit, (page + 1) * limit).map(event => ({
    _id: event.id,
    _environmentId: environment,
    _organizationId: organization,
    _subscriberId: event.id,
    transactionId: event.transactionId,
    createdAt: event.at.toISOString(),
    channels: ['email', 'in_app'],
    subscriber: { _id: event.id, ...state.subscribers.get(event.subscriberId), subscriberId: event.subscriberId },
    jobs: [],
  }))
  return { status: 200, body: { page, pageSize: limit, hasMore: found.length > (page + 1) * limit, data } }
}

/** GET /v2/workflows */
export function listWorkflows({ workflows }: State, { query }: Request): Answer {
  const offset = readNumber(query.get('offset'), 0)
  const limit = Math.min(readNumber(query.get('limit'), 10), maxPage)
  const all = [...workflows.values()]
  const shown = all.slice(offset, offset + limit).map(workflow => ({
    ...describe(workflow),
    stepTypeOverviews: stepsOf(workflow).map(({ type }) => type),
    steps: stepsOf(workflow).map(({ slug, type }) => ({ slug, type })),
  }))
  return { status: 200, body: { data: { workflows: shown, totalCount: all.length } } }
}

/** GET /v2/workflows/:id */
export function getWorkflow(state: State, request: Request, id: string): Answer {
  const workflow = state.workflows.get(id)
  if (workflow === undefined) return refuse(request, 404, 'Workflow cannot be found', { workflowId: id })
  const all = { all: { enabled: true, readOnly: false }, channels: {} }
  const body = {
    ...describe(workflow),
    active: workflow.active,
    validatePayload: workflow.validatePayload,
    payloadSchema: workflow.payloadSchema ?? null,
    isTranslationEnabled: false,
    severity: 'none',
    preferences: { user: null, default: all },
    steps: stepsOf(workflow),
  }
  return { status: 200, body: { data: body } }
}

function describe({ active, id, name }: NovuWorkflow): object {
  const status = active ? 'ACTIVE' : 'INACTIVE'
  // Of workflows that are written in code, as the site's are.
  const origin = 'external'
  return {
    _id: `wf_${id}`,
    workflowId: id,
    slug: `${id}_wf_1`,
    name,
    status,
    origin,
    createdAt: since,
    updatedAt: since,
  }
}

function stepsOf({ id, steps }: NovuWorkflow) {
  return Array.from({ length: steps }, (_, index) => ({
    _id: `${id}-${index}`,
    slug: `step-${index}_st_1`,
    stepId: `step-${index}`,
    name: `Step ${index + 1}`,
    type: 'custom',
    origin: 'external',
    workflowId: id,
    workflowDatabaseId: `wf_${id}`,
    controls: { values: {} },
    variables: {},
  }))
}

function readNumber(text: string | null, fallback: number): number {
  return /^\d{1,6}$/.test(text ?? '') ? Number(text) : fallback
}
