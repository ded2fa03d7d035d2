import type { AuditEvent } from './audit.js'
import { AuthError } from './errors.js'
import type { Authority, NewRevocation, Standing } from './model.js'
import type { Repository, TokenIdentity } from './ports.js'
import { scopesOfKey, scopesOfRole } from './scopes.js'

/**
 * A request is authenticated before it waits: for a hash, a connection, a row. Meanwhile a revocation may be acknowledged. So
 * every change on somebody's behalf goes through `change`, which checks the authority again where nothing can come between the
 * check and the effect.
 */

/** What a change leaves for the end of its transaction, once it is known to be allowed. */
export interface Changed<T> {
  readonly result: T
  /** What ends with it: told to all nodes. */
  readonly ends?: readonly NewRevocation[]
  readonly events?: readonly AuditEvent[]
}

/**
 * One transaction on somebody's authority. Locks are taken in one order: what the change is about, then the holder of the
 * authority, then the lock of the revocations. The holder comes late on purpose: a change that waits for something else keeps
 * no revocation of its own authority waiting.
 * @param authority null: the machine's own operator, or whoever ends a credential by showing it
 * @throws AuthError access_token_invalid | api_key_invalid | invalid_credentials | forbidden: the authority has ended; nothing is changed
 */
export async function change<T>(service: { readonly repository: Repository }, authority: Authority | null, work: (tx: Repository) => Promise<Changed<T>>): Promise<T> {
  return service.repository.transaction(async (tx) => {
    // An early look without a lock: a dead session must not get as far as taking the locks of others.
    if (authority !== null) await requireStanding(tx, authority)
    const { result, ends = [], events = [] } = await work(tx).catch((error: unknown) => explain(tx, authority, error))
    if (authority !== null) await requireAuthority(tx, authority)
    for (const revocation of ends) await tx.revocations.announce(revocation)
    for (const event of events) await tx.audit.append(event)
    return result
  })
}

/** Why a change is refused is of no concern to somebody who may not ask any more. */
async function explain(tx: Repository, authority: Authority | null, error: unknown): Promise<never> {
  if (authority === null || !(error instanceof AuthError) || error.code === 'unavailable') throw error
  const verdict = await requireStanding(tx, authority).catch((refusal: unknown) => refusal)
  // A transaction in which a statement has failed (a name was taken) answers no more: then the first reason stands.
  throw verdict instanceof AuthError && verdict.code !== 'unavailable' ? verdict : error
}

/** Behind the rows that a revocation writes: whatever ends the authority is either seen here, or waits for this transaction. */
async function requireAuthority(tx: Repository, authority: Authority): Promise<void> {
  await tx.authorities.hold(authority.holder)
  // Statements of their own: only what begins after the wait sees what was committed during it.
  await requireStanding(tx, authority)
}

async function requireStanding(tx: Repository, authority: Authority): Promise<void> {
  const { holder, scope, demand } = authority
  const standing = await tx.authorities.find(holder)
  if (scope !== null && isOfUser(holder) && !mayStill(standing.user, scope)) throw lacks(scope)
  if (!standing.stands || (await isTokenDead(tx, holder))) throw ended(holder)
  if (scope !== null && !scopesOf(holder, standing).includes(scope)) throw lacks(scope)
  demand?.(standing)
}

const isOfUser = ({ kind }: Authority['holder']): boolean => kind === 'session' || kind === 'api_key'

const mayStill = (user: Standing['user'], scope: string): boolean =>
  user?.status === 'active' && scopesOfRole(user.role).some((held) => held === scope)

function scopesOf(holder: Authority['holder'], { user, scopes }: Standing): readonly string[] {
  switch (holder.kind) {
    case 'session':
      return user === null ? [] : scopesOfRole(user.role).filter((scope) => holder.scopes.includes(scope))
    case 'api_key':
      return user === null ? [] : scopesOfKey(scopes, user.role)
    case 'client':
      return holder.scopes.filter((scope) => scopes?.includes(scope))
    case 'authenticated_client':
      return scopes ?? []
  }
}

/** A token can end where its session lives on: by itself, or with a change of names or role. */
async function isTokenDead(tx: Repository, holder: Authority['holder']): Promise<boolean> {
  const token = tokenOf(holder)
  return token !== null && tx.revocations.isTokenDead(token)
}

function tokenOf(holder: Authority['holder']): TokenIdentity | null {
  switch (holder.kind) {
    case 'session':
      return { kind: 'session', subject: holder.userId, sessionId: holder.sessionId, epoch: holder.epoch, tokenId: holder.tokenId }
    case 'client':
      return { kind: 'client', subject: holder.clientId, sessionId: holder.clientId, epoch: holder.epoch, tokenId: holder.tokenId }
    case 'api_key':
    case 'authenticated_client':
      return null
  }
}

function ended(holder: Authority['holder']): AuthError {
  const cause = 'the authority has ended meanwhile'
  switch (holder.kind) {
    case 'session':
    case 'client':
      return new AuthError('access_token_invalid', { cause })
    case 'api_key':
      return new AuthError('api_key_invalid', { cause })
    case 'authenticated_client':
      return new AuthError('invalid_credentials', { oauth: 'invalid_client', cause })
  }
}

const lacks = (scope: string): AuthError =>
  scope === 'admin'
    ? new AuthError('forbidden', { reason: 'you are no administrator any more' })
    : new AuthError('forbidden', { oauth: 'unauthorized_client', reason: `you do not hold the scope ${scope} any more` })
