import type { Item, Kind } from './state.ts'

type Attributes = Readonly<Record<string, unknown>>

const alerting = { call: true, sms: true, email: true, push: true, critical_alert: false, team_wait: null }
const common = {
  paused: undefined,
  policy_id: null,
  maintenance_from: null,
  maintenance_to: null,
  maintenance_timezone: 'UTC',
  maintenance_days: [],
}
const group = { name: null, sort_index: null, paused: undefined }

/** What may be written, and what stands there where nobody has. */
export const defaults: Readonly<Record<Kind, Attributes>> = {
  policies: { name: null, repeat_count: 3, repeat_delay: 60, steps: [] },
  'heartbeat-groups': group,
  'monitor-groups': group,
  heartbeats: {
    name: null,
    period: undefined,
    grace: undefined,
    server_timezone: null,
    heartbeat_group_id: null,
    sort_index: null,
    ...alerting,
    ...common,
  },
  monitors: {
    monitor_type: undefined,
    url: undefined,
    pronounceable_name: null,
    http_method: 'get',
    check_frequency: 180,
    request_timeout: 30,
    confirmation_period: 0,
    recovery_period: 180,
    regions: ['us', 'eu', 'as', 'au'],
    follow_redirects: true,
    remember_cookies: true,
    verify_ssl: true,
    ssl_expiration: null,
    domain_expiration: null,
    expiration_policy_id: null,
    expected_status_codes: [],
    required_keyword: null,
    request_headers: [],
    request_body: '',
    monitor_group_id: null,
    ...alerting,
    ...common,
  },
}

const days = [null, 1, 2, 3, 7, 14, 30, 60]
const choices: Readonly<Record<string, readonly unknown[]>> = {
  monitor_type: ['status', 'expected_status_code', 'keyword', 'keyword_absence', 'ping', 'tcp', 'udp', 'dns'],
  check_frequency: [30, 45, 60, 120, 180, 300, 600, 900, 1800, 3600],
  request_timeout: [2, 3, 5, 10, 15, 30, 45, 60],
  http_method: ['get', 'head', 'post', 'put', 'patch'],
  ssl_expiration: days,
  domain_expiration: days,
}
const regions = ['us', 'eu', 'as', 'au']
const needed: Readonly<Record<Kind, readonly string[]>> = {
  policies: ['name'],
  'heartbeat-groups': ['name'],
  'monitor-groups': ['name'],
  heartbeats: ['name', 'period', 'grace'],
  monitors: ['monitor_type', 'url'],
}
const references = {
  policy_id: 'policies',
  heartbeat_group_id: 'heartbeat-groups',
  monitor_group_id: 'monitor-groups',
} as const

/** What is wrong, by attribute, as a 422 says it; undefined when nothing is. */
export function findErrors(
  kind: Kind,
  attributes: Attributes,
  items: readonly Item[],
): Record<string, string[]> | undefined {
  const errors: Record<string, string[]> = {}
  const note = (name: string, message: string): void => {
    errors[name] = [...(errors[name] ?? []), message]
  }
  for (const name of needed[kind]) if ((attributes[name] ?? '') === '') note(name, "can't be blank")
  for (const [name, allowed] of Object.entries(choices)) {
    if (Object.hasOwn(attributes, name) && !allowed.includes(attributes[name]))
      note(name, 'is not included in the list')
  }
  for (const [name, target] of Object.entries(references)) {
    const id = attributes[name] ?? null
    if (id !== null && !items.some(item => item.kind === target && item.id === `${id as string | number}`)) {
      note(name, 'does not exist')
    }
  }
  if (kind === 'heartbeats') {
    if (!(Number(attributes['period']) >= 30)) note('period', 'must be greater than or equal to 30')
    if (!(Number(attributes['grace']) >= 0)) note('grace', 'must be greater than or equal to 0')
  }
  const wanted = attributes['regions']
  if (Array.isArray(wanted) && !wanted.every(one => regions.includes(one as string))) note('regions', 'is invalid')
  const url = attributes['url']
  if (kind === 'monitors' && !(typeof url === 'string' && URL.canParse(url))) note('base', 'URL is invalid.')
  return Object.keys(errors).length === 0 ? undefined : errors
}
