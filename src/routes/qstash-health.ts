import type { FastifyPluginAsync } from 'fastify'
import type { Answer } from '../health/answers.ts'
import { renderAnswer } from './health.ts'

export interface QstashHealthOptions {
  readonly answer: () => Promise<Answer>
}

/** For operators: whether the schedules at QStash are those that the jobs ask for. */
const qstashHealth: FastifyPluginAsync<QstashHealthOptions> = async (app, { answer }) => {
  for (const url of ['/admin/qstash-health', '/api/admin/qstash-health']) {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      onRequest: [app.limitCalls, app.requireOperator],
      handler: async (request, reply) => {
        // Strict, as the other health routes are.
        if (Object.keys(request.query as object).length > 0)
          throw app.httpErrors.badRequest('there are no parameters here')
        return renderAnswer(request, reply, await answer())
      },
    })
  }
}

export default qstashHealth
