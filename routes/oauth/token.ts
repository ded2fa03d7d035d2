import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static } from '@sinclair/typebox'
import type { TokenAnswer, TokenBody } from '../../schemas/oauth.js'
import { AuthError, malformed } from '../../src/domain/errors.js'
import { authenticateClient, invalidClient } from './client-authentication.js'

type Request = Static<typeof TokenBody>
type Answer = Static<typeof TokenAnswer>
type Grant = (fastify: FastifyInstance, request: FastifyRequest, body: Request) => Promise<Answer>

const grants: Readonly<Record<string, Grant>> = { client_credentials: clientCredentials, refresh_token: refreshToken }

export const grantTypes = Object.keys(grants)

/** RFC 6749 §5. @throws AuthError */
export function answerTokenRequest(fastify: FastifyInstance, request: FastifyRequest, body: Request): Promise<Answer> {
  const grant = Object.hasOwn(grants, body.grant_type) ? grants[body.grant_type] : undefined
  if (!grant) throw new AuthError('malformed', { oauth: 'unsupported_grant_type', reason: `grant_type must be ${grantTypes.join(' or ')}` })
  return grant(fastify, request, body)
}

async function clientCredentials(fastify: FastifyInstance, request: FastifyRequest, body: Request): Promise<Answer> {
  const client = await authenticateClient(fastify, request, body)
  if (client === null) {
    await fastify.countStranger(request)
    throw invalidClient('none')
  }
  const { accessToken, expiresInSeconds, scopes } = fastify.oauth.issueClientToken(client, scopesIn(body.scope))
  return { access_token: accessToken, token_type: 'Bearer', expires_in: expiresInSeconds, scope: scopes.join(' ') }
}

/** RFC 6749 §3.3. @returns null: everything @throws AuthError malformed (invalid_scope): blanks ask for nothing, and must not get everything */
function scopesIn(scope: string | undefined): string[] | null {
  if (scope === undefined || scope === '') return null
  const names = scope.split(' ').filter((name) => name !== '')
  if (names.length === 0) throw new AuthError('malformed', { oauth: 'invalid_scope', reason: 'scope must name scopes, separated by spaces' })
  return [...new Set(names)]
}

/**
 * The refresh token of a session, whatever dialect opened it: rotated by that dialect's rules. Users' sessions belong to no
 * confidential client, so a public client may refresh them; a client that says who it is must be right. `scope` narrows the access
 * token of this answer and nothing else: the next refresh gives everything again, unless it narrows too (RFC 6749 §6).
 */
async function refreshToken(fastify: FastifyInstance, request: FastifyRequest, body: Request): Promise<Answer> {
  const client = await authenticateClient(fastify, request, body)
  if (client === null) await fastify.countStranger(request)
  if (client === null && body.client_id !== undefined && body.client_id !== fastify.config.tokensetClientId) throw invalidClient('unknown public client')
  if (body.refresh_token === undefined || body.refresh_token === '') throw malformed('refresh_token is required')
  const dialect = fastify.oauth.dialectOfRefreshToken(body.refresh_token)
  if (dialect === null || !fastify.config.dialects.includes(dialect)) throw new AuthError('refresh_invalid')
  const grant = await fastify.rotateRefreshToken(request, dialect, body.refresh_token, {
    ...(client === null ? {} : { clientId: client.id }),
    scopes: scopesIn(body.scope),
  })
  return {
    access_token: grant.accessToken,
    token_type: 'Bearer',
    expires_in: grant.accessSeconds,
    refresh_token: grant.refreshToken,
    scope: grant.scopes.join(' '),
  }
}
