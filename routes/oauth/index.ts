import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { acceptForms } from '../../plugins/form-body.js'
import { originOf } from '../../plugins/origin.js'
import { failures, IntrospectAnswer, IntrospectBody, RevokeBody, TokenAnswer, TokenBody } from '../../schemas/oauth.js'
import { AuthError } from '../../src/domain/errors.js'
import { authenticateCaller } from './client-authentication.js'
import { answerTokenRequest } from './token.js'

const tags = ['oauth']
const consumes = ['application/x-www-form-urlencoded', 'application/json']
const security: readonly Readonly<Record<string, readonly string[]>>[] = [{ client: [] }, { bearer: [] }, { apiKey: [] }]

/** RFC 6749, 7662, 7009: for other services, which call in their own name. There is no password grant (RFC 9700 §2.4). */
export const oauthRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  acceptForms(fastify)
  // Beside Cache-Control: no-store, which every answer has (RFC 6749 §5.1).
  fastify.addHook('onRequest', (_request, reply, next) => {
    reply.header('pragma', 'no-cache')
    next()
  })

  fastify.post(
    '/oauth/token',
    // Services log in here, and sessions are refreshed.
    { config: { rateClass: 'refresh', callers: 'client' }, schema: { tags, consumes, summary: 'Get a token: client_credentials or refresh_token', operationId: 'oauthToken', body: TokenBody, response: { 200: TokenAnswer, ...failures } } },
    (request) => answerTokenRequest(fastify, request, request.body),
  )

  fastify.post(
    '/oauth/introspect',
    { config: { callers: 'client' }, schema: { tags, security, consumes, summary: 'Ask about a token (RFC 7662); scope introspect', operationId: 'oauthIntrospect', body: IntrospectBody, response: { 200: IntrospectAnswer, ...failures } } },
    async (request) => {
      const caller = await authenticateCaller(fastify, request, request.body)
      if (!caller.scopes.includes('introspect')) throw new AuthError('forbidden', { reason: 'this takes the scope introspect' })
      return fastify.oauth.introspect(request.body.token)
    },
  )

  fastify.post(
    '/oauth/revoke',
    { config: { callers: 'client' }, schema: { tags, security, consumes, summary: 'End a token (RFC 7009)', operationId: 'oauthRevoke', body: RevokeBody, response: { 200: Type.Object({}, { title: 'Revoked', description: 'It is over, or never was.' }), ...failures } } },
    async (request) => {
      const caller = await authenticateCaller(fastify, request, request.body)
      await fastify.oauth.revoke(caller, request.body.token, originOf(request))
      return {}
    },
  )
  return Promise.resolve()
}
