import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { type ComponentName, componentNames } from '../diagnostics/component.ts'
import type { Diagnosis, Diagnostics } from '../diagnostics/diagnose.ts'
import operatorRoutes from '../plugins/operator-routes.ts'

export interface DiagnosticsRoutesOptions {
  readonly diagnostics: Pick<Diagnostics, 'diagnose'>
}

const querystring = Type.Object(
  {
    component: Type.Optional(Type.String({ enum: ['all', ...componentNames] })),
    details: Type.Optional(Type.String({ enum: ['true', 'false'] })),
  },
  { additionalProperties: false },
)

/** How everything is and what to do about it, for a person. Always 200: the answer is what was asked for, good or bad. */
const diagnosticsRoutes: FastifyPluginAsyncTypebox<DiagnosticsRoutesOptions> = async (app, { diagnostics }) => {
  // Also before the database was reached: that is when somebody asks.
  await app.register(operatorRoutes, { isBooted: () => true })
  for (const url of ['/diagnostics', '/api/diagnostics']) {
    app.get(url, { schema: { querystring } }, async (request, reply) => {
      const { component = 'all', details = 'false' } = request.query
      const names = component === 'all' ? componentNames : [component as ComponentName]
      const diagnosis = await diagnostics.diagnose(names)
      void reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
      // With line breaks: somebody reads it in a terminal.
      return `${JSON.stringify(details === 'true' ? diagnosis : withoutDetails(diagnosis), null, 2)}\n`
    })
  }
}

export default diagnosticsRoutes

function withoutDetails({ components, ...rest }: Diagnosis) {
  const bare = Object.entries(components).map(([name, { issues, recommendations, status }]) => {
    return [name, { status, issues, recommendations }] as const
  })
  return { ...rest, components: Object.fromEntries(bare) }
}
