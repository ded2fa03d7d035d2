import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { AliveAnswer, NotReadyAnswer, ReadyAnswer } from '../../schemas/health.js'
import { problems } from '../../schemas/problem.js'

const tags = ['health']
const failures = { 400: problems[400], 500: problems[500] }

const schemas = {
  live: { summary: 'Whether the process should be left running', tags, operationId: 'live', response: { 200: AliveAnswer, ...failures } },
  ready: { summary: 'Whether the node should be sent requests', tags, operationId: 'ready', response: { 200: ReadyAnswer, 503: NotReadyAnswer, ...failures } },
}

/** Probes come every few seconds for ever: they have a limit that only a flood reaches, and make no noise in the log. */
const config = { rateClass: 'health' } as const
const logLevel = 'warn'

export const healthRoutes: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get('/health/live', { schema: schemas.live, config, logLevel }, () => ({ status: 'ok' as const }))

  app.get('/health/ready', { schema: schemas.ready, config, logLevel }, async (_request, reply) => {
    const { status, checks } = await app.readiness()
    if (status === 'ok') return { status, checks }
    return reply.code(503).header('retry-after', '1').send({ status, checks })
  })
  done()
}
