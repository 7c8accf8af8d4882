import { ownedPrefix, type Wanted } from './wanted.ts'

export const policyKey = 'escalation'

/** Waits before each step, each after the step before: 0, 5, 15 and 30 minutes into the incident. */
const steps = [
  { wait_before: 0, member: 'current_on_call' },
  { wait_before: 300, member: 'current_on_call' },
  { wait_before: 600, member: 'entire_team' },
  { wait_before: 900, member: 'entire_team' },
]

/**
 * The one escalation policy: on-call at once, the lead after 5 minutes, the team after 15, management after 30. Who is lead
 * and who is management is known at Better Stack only, so whoever is put into a step there stays in it.
 */
export const wantedPolicy: Wanted = {
  kind: 'policy',
  key: policyKey,
  name: `${ownedPrefix}escalation`,
  priority: 'critical',
  attributes: {
    name: `${ownedPrefix}escalation`,
    steps: steps.map(({ member, wait_before }) => ({
      type: 'escalation',
      wait_before,
      step_members: [{ type: member }],
    })),
  },
}
