import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { problems } from '../../schemas/problem.js'

const schema = {
  summary: 'Sums for Prometheus; nothing in them tells of anybody',
  tags: ['health'],
  operationId: 'metrics',
  produces: ['text/plain'],
  response: { 200: Type.String({ description: 'The text format of Prometheus.' }), ...problems },
}

/** No credential, as for health. A gateway does not pass it on (docs/gateways.md). */
export const metricsRoutes: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get('/metrics', { schema, logLevel: 'warn' }, async (_request, reply) => {
    const text = await app.metrics.text()
    return reply.type(app.metrics.contentType).header('cache-control', 'no-store').send(text)
  })
  done()
}
