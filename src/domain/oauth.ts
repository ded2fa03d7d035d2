import { v7 as uuidv7 } from 'uuid'
import { isWellFormedKey, type ApiKeyVerifier } from './api-keys.js'
import { identityOf } from './authenticate.js'
import { change } from './authority.js'
import { AuthError } from './errors.js'
import type { Actor, Authority, Client, Origin, Principal } from './model.js'
import { holdIfThere } from './operators.js'
import type { AccessClaims, Repository } from './ports.js'
import { decodeRefreshToken } from './refresh-token.js'
import type { Service } from './service.js'
import { endSessionRow } from './sessions.js'

/** What the OAuth endpoints do, once it is known who calls. */

/** A client, or a user by a token or an API key. */
export interface Caller {
  readonly actor: Actor
  /** null: a user. */
  readonly clientId: string | null
  readonly scopes: readonly string[]
  readonly holder: Authority['holder']
}

export const callerOfClient = ({ id, scopes, epoch }: Pick<Client, 'id' | 'scopes' | 'epoch'>): Caller =>
  ({ actor: { kind: 'client', id }, clientId: id, scopes, holder: { kind: 'authenticated_client', clientId: id, epoch } })

export const callerOf = (principal: Principal): Caller =>
  principal.kind === 'client'
    ? { actor: { kind: 'client', id: principal.clientId }, clientId: principal.clientId, scopes: principal.scopes, holder: principal }
    : { actor: { kind: 'user', id: principal.userId }, clientId: null, scopes: principal.scopes, holder: principal }

export interface ClientToken {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly scopes: readonly string[]
}

/**
 * A token in the client's own name: `sub` and `sid` are its id.
 * @param requested null: all scopes of the client
 * @throws AuthError malformed (invalid_scope)
 * @see RFC 6749 §4.4
 */
export function issueClientToken(service: Service, client: Client, requested: readonly string[] | null, ownSeconds: number): ClientToken {
  const scopes = requested ?? client.scopes
  if (!scopes.every((scope) => client.scopes.includes(scope))) {
    throw new AuthError('malformed', { oauth: 'invalid_scope', reason: 'the client does not have a scope that was asked for' })
  }
  const expiresInSeconds = client.accessSeconds ?? ownSeconds
  const iat = Math.floor(service.clock.now().getTime() / 1000)
  const { issuer, audience } = service.settings
  const claims = { iss: issuer, aud: audience, sub: client.id, sid: client.id, client_id: client.id, ep: client.epoch, jti: uuidv7(), iat, exp: iat + expiresInSeconds, scope: scopes.join(' ') }
  return { accessToken: service.accessTokens.sign(claims, 'at+jwt'), expiresInSeconds, scopes }
}

/** RFC 7662 §2.2; without `active` there is nothing else. */
export type Introspection = { readonly active: false } | ActiveToken

export interface ActiveToken {
  readonly active: true
  readonly token_type: 'Bearer' | 'api_key'
  readonly sub: string
  readonly scope?: string
  readonly username?: string
  readonly email?: string
  readonly client_id?: string
  readonly iat?: number
  readonly exp?: number
  readonly iss?: string
  readonly aud?: string
  readonly jti?: string
  readonly sid?: string
  readonly key_id?: string
}

const inactive: Introspection = { active: false }

/**
 * What may be shown to a resource server: an access token or an API key. Everything else is inactive, whatever the hint says, for a
 * server lets in whatever is active: a refresh token lives for weeks, and an id token is for its client (RFC 7662 §4).
 * @throws AuthError unavailable
 */
export async function introspect(service: Service, apiKeys: ApiKeyVerifier, token: string): Promise<Introspection> {
  if (isWellFormedKey(token)) return introspectKey(apiKeys, token)
  const claims = await liveClaims(service, token)
  return claims ? describeClaims(service, claims) : inactive
}

async function introspectKey(apiKeys: ApiKeyVerifier, key: string): Promise<Introspection> {
  const principal = await apiKeys.verify(key).catch(onlyRefusals)
  if (!principal) return inactive
  const end = principal.expiresAt === null ? {} : { exp: Math.floor(principal.expiresAt.getTime() / 1000) }
  return { active: true, token_type: 'api_key', sub: principal.userId, scope: principal.scopes.join(' '), key_id: principal.apiKeyId, ...end, ...named(principal) }
}

async function liveClaims(service: Service, token: string): Promise<AccessClaims | null> {
  const claims = await service.accessTokens.verify(token).catch(onlyRefusals)
  return claims && !(await service.revocations.isTokenDead(identityOf(claims))) ? claims : null
}

/** A refused token is no error here; a database that does not answer is. */
function onlyRefusals(error: unknown): null {
  if (error instanceof AuthError && error.code !== 'unavailable') return null
  throw error
}

const named = ({ username, email }: { username: string | null; email: string | null }) => ({
  ...(username === null ? {} : { username }),
  ...(email === null ? {} : { email }),
})

function describeClaims(service: Service, claims: AccessClaims): ActiveToken {
  const { issuer: iss, audience: aud } = service.settings
  const { sub, scope, iat, exp, jti, sid, clientId } = claims
  return { active: true, token_type: 'Bearer', sub, scope, iat, exp, iss, aud, jti, sid, ...(clientId === null ? {} : { client_id: clientId }), ...named(claims) }
}

/**
 * Ends a token: an access token alone, a refresh token with its whole session, an API key. One that is dead, forged or foreign is
 * no error.
 * @param caller a client ends its own tokens; with the scope `revoke`, any
 * @throws AuthError forbidden (unauthorized_client); or the caller's own authority has ended
 * @see RFC 7009 §2.1
 */
export async function revokeToken(service: Service, apiKeys: ApiKeyVerifier, caller: Caller, token: string, origin: Origin): Promise<void> {
  if (isWellFormedKey(token)) return revokeKey(service, apiKeys, caller, token, origin)
  const presented = decodeRefreshToken(token, service.keyring)
  if (presented) return revokeSession(service, caller, presented.sessionId, origin)
  const claims = await liveClaims(service, token)
  if (claims) await revokeAccessToken(service, caller, claims, origin)
}

const mayRevokeAny = ({ scopes }: Caller): boolean => scopes.includes('revoke')

const mayRevokeOthers = ({ holder }: Caller): Authority => ({ holder, scope: 'revoke' })

/** Two users with the scope may end each other's at once: see `holdIfThere`. The owner comes before what is the owner's. */
const holdOwner = async (tx: Repository, { actor, holder }: Caller, userId: string): Promise<void> => {
  await holdIfThere(tx, userId, holder.kind === 'client' || holder.kind === 'authenticated_client' ? actor : { ...actor, authority: { holder, scope: 'revoke' } })
}

async function revokeKey(service: Service, apiKeys: ApiKeyVerifier, caller: Caller, token: string, origin: Origin): Promise<void> {
  const key = await apiKeys.verify(token).catch(onlyRefusals)
  if (!key) return
  requireRight(mayRevokeAny(caller))
  // A key that ends itself has no authority left to check.
  const isItself = caller.holder.kind === 'api_key' && caller.holder.apiKeyId === key.apiKeyId
  await change(service, isItself ? null : mayRevokeOthers(caller), async (tx) => {
    await holdOwner(tx, caller, key.userId)
    // Somebody else may have been faster.
    if (!(await tx.apiKeys.delete(key.apiKeyId, key.userId))) return { result: undefined }
    const event = { type: 'api_key_deleted', actor: caller.actor, userId: key.userId, origin, detail: { key: key.apiKeyId } } as const
    return { result: undefined, ends: [{ kind: 'api_key', subject: key.apiKeyId }], events: [event] }
  })
}

async function revokeSession(service: Service, caller: Caller, sessionId: string, origin: Origin): Promise<void> {
  requireRight(mayRevokeAny(caller))
  const isItself = caller.holder.kind === 'session' && caller.holder.sessionId === sessionId
  await change(service, isItself ? null : mayRevokeOthers(caller), async (tx) => {
    const owner = (await tx.sessions.find(sessionId))?.user
    if (owner) await holdOwner(tx, caller, owner.id)
    return endSessionRow(tx, { sessionId, because: 'token_revoked', origin, actor: caller.actor })
  })
}

async function revokeAccessToken(service: Service, caller: Caller, claims: AccessClaims, origin: Origin): Promise<void> {
  requireRight(mayRevokeAny(caller) || isOwn(caller, claims))
  const ofClient = claims.sub === claims.sid
  await change(service, isOwn(caller, claims) ? { holder: caller.holder, scope: null } : mayRevokeOthers(caller), async (tx) => {
    // What is done on the authority of this token holds the same row: it is either over, or finds the token dead.
    if (ofClient) await tx.clients.hold(claims.sub)
    else await holdOwner(tx, caller, claims.sub)
    const event = { type: 'token_revoked', actor: caller.actor, userId: ofClient ? null : claims.sub, sessionId: claims.sid, origin, detail: { token: claims.jti } } as const
    return { result: undefined, ends: [{ kind: 'token', subject: claims.jti }], events: [event] }
  })
}

const isOwn = ({ clientId }: Caller, claims: AccessClaims): boolean => clientId !== null && (claims.sub === clientId || claims.clientId === clientId)

function requireRight(held: boolean): void {
  if (!held) throw new AuthError('forbidden', { oauth: 'unauthorized_client', reason: 'the token was not issued to you: that takes the scope revoke' })
}
