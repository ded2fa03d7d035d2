import type { FastifyInstance } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import type { Principal } from '../../src/domain/model.js'

const lifetimeSeconds = 60

/**
 * A signed minute of identity for the upstream, which need not trust the network between. Its `typ` is that of no other token, so
 * that it is taken neither for an access token nor for an id token (RFC 8725 §3.11).
 * @param audience whom it is for
 */
export function identityToken(fastify: FastifyInstance, principal: Principal, audience: string, now: Date): string {
  const iat = Math.floor(now.getTime() / 1000)
  const isClient = principal.kind === 'client'
  return fastify.accessTokens.sign(
    {
      iss: fastify.config.publicUrl.href,
      aud: audience,
      sub: isClient ? principal.clientId : principal.userId,
      token_use: 'identity',
      scope: principal.scopes.join(' '),
      iat,
      exp: iat + lifetimeSeconds,
      jti: uuidv7(),
      ...(principal.kind === 'session' ? { sid: principal.sessionId, amr: principal.amr } : {}),
      ...(isClient || principal.username === null ? {} : { username: principal.username }),
      ...(isClient || principal.email === null ? {} : { email: principal.email }),
    },
    'identity+jwt',
  )
}
