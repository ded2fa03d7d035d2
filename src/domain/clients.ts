import { createHash, randomBytes } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { requireSaneKeys } from './client-keys.js'
import { AuthError, malformed } from './errors.js'
import { codePoints } from './identifiers.js'
import type { Actor, Client, PublicKeySet } from './model.js'
import type { Repository } from './ports.js'
import type { CoreService } from './service.js'

/** Other services that call in their own name: how they are made, and how their tokens end. */

export interface ClientRequest {
  readonly name: string
  /** What its tokens may carry: scopes of tessera, or of the fleet. */
  readonly scopes: readonly string[]
  /** null: the service's own figure. */
  readonly accessSeconds: number | null
  /** For private_key_jwt; then there is no secret. */
  readonly jwks: PublicKeySet | null
}

export interface CreatedClient {
  readonly client: Client
  /** Shown once; null for a client that signs with a key of its own. */
  readonly secret: string | null
}

const longestName = 100
const secretBytes = 32

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/

export const clientSecretHash = (secret: string): Buffer => createHash('sha256').update(secret).digest()

const newSecret = (): string => randomBytes(secretBytes).toString('base64url')

/** @param longestSeconds no token lives longer than the longest that the service issues @throws AuthError malformed */
export async function createClient(service: CoreService, request: ClientRequest, actor: Actor, longestSeconds: number): Promise<CreatedClient> {
  requireSane(request, longestSeconds)
  const secret = request.jwks === null ? newSecret() : null
  const client = await service.repository.transaction(async (tx) => {
    const stored = await tx.clients.insert({ id: uuidv7(), ...request, secretHash: secret === null ? null : clientSecretHash(secret) })
    await tx.audit.append({ type: 'client_created', actor, detail: { client: stored.id, name: stored.name, scopes: stored.scopes } })
    return stored
  })
  return { client, secret }
}

function requireSane({ name, scopes, accessSeconds, jwks }: ClientRequest, longestSeconds: number): void {
  if (codePoints(name) === 0 || codePoints(name) > longestName) throw malformed(`name must have 1 to ${longestName} characters`)
  if (!scopes.every((scope) => scopeToken.test(scope))) throw malformed('a scope has printable ASCII characters, without spaces, " and \\')
  if (accessSeconds !== null && (accessSeconds < 1 || accessSeconds > longestSeconds)) throw malformed(`the lifetime must be from 1 to ${longestSeconds} seconds`)
  if (jwks !== null) requireSaneKeys(jwks)
}

const notFound = (): AuthError => new AuthError('not_found', { reason: 'there is no such client' })

async function endTokens(tx: Repository, clientId: string): Promise<void> {
  const epoch = await tx.clients.raiseEpoch(clientId)
  if (epoch === null) throw notFound()
  await tx.revocations.announce({ kind: 'client', subject: clientId, epoch })
}

/**
 * A new secret. Without an overlap the old one and every token got with it are dead at once, as after a leak.
 * @throws AuthError not_found, also for a client that has no secret to be replaced
 */
export async function rotateClient(service: CoreService, clientId: string, overlapSeconds: number, actor: Actor): Promise<string> {
  const secret = newSecret()
  await service.repository.transaction(async (tx) => {
    if (!(await tx.clients.replaceSecret(clientId, clientSecretHash(secret), overlapSeconds))) throw notFound()
    if (overlapSeconds === 0) await endTokens(tx, clientId)
    await tx.audit.append({ type: 'client_rotated', actor, detail: { client: clientId, overlap_seconds: overlapSeconds } })
  })
  return secret
}

/**
 * Other keys, in place of the old ones or of a secret: what those opened, and every token got with them, is dead at once. Keys that
 * are to overlap stand in one set.
 * @throws AuthError malformed | not_found
 */
export async function replaceClientKeys(service: CoreService, clientId: string, jwks: PublicKeySet, actor: Actor): Promise<void> {
  requireSaneKeys(jwks)
  await service.repository.transaction(async (tx) => {
    if (!(await tx.clients.replaceKeys(clientId, jwks))) throw notFound()
    await endTokens(tx, clientId)
    await tx.audit.append({ type: 'client_rotated', actor, detail: { client: clientId, keys: jwks.keys.length } })
  })
}

/** @throws AuthError not_found */
export async function deleteClient(service: CoreService, clientId: string, actor: Actor): Promise<void> {
  await service.repository.transaction(async (tx) => {
    await endTokens(tx, clientId)
    await tx.clients.delete(clientId)
    await tx.audit.append({ type: 'client_deleted', actor, detail: { client: clientId } })
  })
}

export const listClients = (service: CoreService): Promise<Client[]> => service.repository.clients.list()
