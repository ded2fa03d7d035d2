import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { startCursor } from '../../src/domain/revocation-log.js'
import { Problem, problems } from '../../schemas/problem.js'
import { RevocationsAnswer, RevocationsQuery } from '../../schemas/revocations.js'

/** The feed for verifiers in other services: what ended since they last asked, by long poll, from memory. */
export const revocationRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  fastify.get(
    '/revocations',
    {
      config: { rateClass: 'feed', callers: 'feed' },
      preHandler: fastify.requireScope('revocations'),
      schema: {
        tags: ['fleet'],
        summary: 'What was revoked since the cursor; scope revocations',
        operationId: 'listRevocations',
        security: [{ bearer: [] }, { apiKey: [] }],
        querystring: RevocationsQuery,
        response: { 200: RevocationsAnswer, ...problems, 401: Problem('No credential, or a bad one. See `WWW-Authenticate`.'), 403: Problem('The scope `revocations` is needed.') },
      },
    },
    async (request) => {
      const { cursor = startCursor, wait = 0 } = request.query
      const askedAt = performance.now()
      if (wait > 0) await fastify.revocationLog.waitForNews(cursor, wait)
      const waitedMs = Math.floor(performance.now() - askedAt)
      const page = fastify.revocationLog.read(cursor)
      const keys = fastify.signingKeys.published().map(({ kid }) => kid)
      const revocations = page.revocations.map(({ kind, subject, epoch, survivor, expiresAt }) => ({ kind, subject, epoch, survivor, expires_at: expiresAt.toISOString() }))
      return { cursor: page.cursor, resync: page.resync, lag_ms: lagMs(fastify.revocationFeed.lagMs()), waited_ms: waitedMs, keys, longest_token_seconds: fastify.tokenBound.seconds(), revocations }
    },
  )
  return Promise.resolve()
}

const longestLagMs = 86_400_000

const lagMs = (lag: number): number => Math.ceil(Math.min(lag, longestLagMs))
