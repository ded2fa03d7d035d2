import type { ApiKeyVerifier } from './api-keys.js'
import type { PresentedCredential } from './credential.js'
import { AuthError } from './errors.js'
import type { ClientPrincipal, Principal, SessionPrincipal } from './model.js'
import type { AccessClaims, TokenIdentity } from './ports.js'
import type { Service } from './service.js'

/**
 * Who presents this credential. In the ordinary case the database is not asked.
 * @throws AuthError authentication_required | access_token_invalid | access_token_expired | api_key_invalid | unavailable
 */
export async function authenticate(service: Pick<Service, 'accessTokens' | 'revocations'>, apiKeys: ApiKeyVerifier, presented: PresentedCredential): Promise<Principal> {
  switch (presented.kind) {
    case 'none':
      throw new AuthError('authentication_required')
    case 'unusable':
      throw new AuthError('access_token_invalid')
    case 'api_key':
      return apiKeys.verify(presented.key)
    case 'access_token':
      return verifyAccessToken(service, presented.token)
  }
}

async function verifyAccessToken(service: Pick<Service, 'accessTokens' | 'revocations'>, token: string): Promise<Principal> {
  const claims = await service.accessTokens.verify(token)
  if (await service.revocations.isTokenDead(identityOf(claims))) throw new AuthError('access_token_invalid', { cause: 'revoked' })
  return isClient(claims) ? clientPrincipal(claims) : sessionPrincipal(claims)
}

const isClient = (claims: AccessClaims): boolean => claims.sub === claims.sid

export const identityOf = (claims: AccessClaims): TokenIdentity => ({
  kind: isClient(claims) ? 'client' : 'session',
  subject: claims.sub,
  sessionId: claims.sid,
  epoch: claims.ep,
  tokenId: claims.jti,
})

const scopesOf = (claims: AccessClaims): string[] => claims.scope.split(' ').filter((scope) => scope !== '')

const sessionPrincipal = (claims: AccessClaims): SessionPrincipal => ({
  kind: 'session',
  userId: claims.sub,
  username: claims.username,
  email: claims.email,
  sessionId: claims.sid,
  epoch: claims.ep,
  amr: claims.amr,
  tokenId: claims.jti,
  expiresAt: new Date(claims.exp * 1000),
  scopes: scopesOf(claims),
})

const clientPrincipal = (claims: AccessClaims): ClientPrincipal => ({
  kind: 'client',
  clientId: claims.sub,
  epoch: claims.ep,
  tokenId: claims.jti,
  expiresAt: new Date(claims.exp * 1000),
  scopes: scopesOf(claims),
})
