import { createHash, randomInt } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { change } from './authority.js'
import { AuthError, malformed } from './errors.js'
import { codePoints } from './identifiers.js'
import { requireLoginForKeys } from './login-for-keys.js'
import type { Actor, ApiKey, ApiKeyPrincipal, Authority, Origin, Revocation, SessionPrincipal, User } from './model.js'
import type { ApiKeyState, NewApiKey, Repository } from './ports.js'
import { isScope, scopesOfEverybody, scopesOfKey, scopesOfRole } from './scopes.js'
import type { CoreService, Service, ServiceSettings } from './service.js'

const prefix = 'sk_live_'
const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const randomLetters = 32
const checksumLetters = 6
const shape = new RegExp(`^${prefix}[0-9A-Za-z]{${randomLetters + checksumLetters}}$`)

const longestKeyName = 100
export const keysPerUser = 100
/** A rolled key lives on for a day unless told otherwise, so that its holders can be given the new one. */
export const defaultOverlapSeconds = 86_400

function checksum(body: string): string {
  let number = createHash('sha256').update(body).digest().readUIntBE(0, 6)
  let text = ''
  for (let i = 0; i < checksumLetters; i += 1) {
    text += letters.charAt(number % letters.length)
    number = Math.floor(number / letters.length)
  }
  return text
}

/** `sk_live_`, 32 random letters (190 bits), 6 of checksum. */
export function newApiKeySecret(): string {
  const body = prefix + Array.from({ length: randomLetters }, () => letters.charAt(randomInt(letters.length))).join('')
  return body + checksum(body)
}

/** Refuses a mistyped key without asking anybody. */
export const isWellFormedKey = (key: string): boolean => shape.test(key) && checksum(key.slice(0, -checksumLetters)) === key.slice(-checksumLetters)

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

/** What a list may show: enough to tell two keys apart, nothing to guess with. */
const hintOf = (key: string): string => `${prefix}…${key.slice(-4)}`

export interface CreatedApiKey {
  readonly key: ApiKey
  /** Shown once. */
  readonly secret: string
}

export interface ApiKeyRequest {
  readonly name: string
  /** null: the owner's ordinary rights. */
  readonly scopes: readonly string[] | null
  readonly expiresAt: Date | null
}

type KeyStore = Pick<CoreService, 'repository' | 'clock'>

/** A key is made by its owner through a session, or by an operator of the machine. */
export interface KeyMaker {
  readonly origin: Origin | null
  readonly operator?: string
  readonly session?: SessionPrincipal
}

interface KeyMint extends KeyStore {
  readonly settings?: Pick<ServiceSettings, 'apiKeyMaxAgeSeconds'>
}

const mintingAuthority = ({ settings }: KeyMint, holder: SessionPrincipal): Authority =>
  ({ holder, scope: null, demand: ({ login }) => { requireLoginForKeys(login, settings?.apiKeyMaxAgeSeconds ?? null) } })

/**
 * @throws AuthError malformed (unknown scope, end in the past) | forbidden (a scope that the owner lacks) | conflict (quota)
 */
export async function createApiKey(service: KeyMint, userId: string, request: ApiKeyRequest, by: KeyMaker): Promise<CreatedApiKey> {
  requireName(request.name)
  requireExpectable(request.expiresAt, service.clock.now())
  const secret = newApiKeySecret()
  const key = await change(service, by.session ? mintingAuthority(service, by.session) : null, async (tx) => {
    // Held from here on: keys are counted one after the other, and whoever ends all of them finds this one.
    const owner = await tx.users.hold(userId)
    if (owner === null) throw by.session ? new AuthError('access_token_invalid', { cause: 'the user is gone' }) : new AuthError('not_found', { reason: 'there is no such user' })
    requireScopes(owner, request.scopes)
    const stored = await insertKey(tx, { id: uuidv7(), userId, ...request, hash: hashOf(secret), hint: hintOf(secret) })
    const detail = { key: stored.id, scopes: stored.scopes }
    return { result: stored, events: [{ type: 'api_key_created', actor: actorOf(userId, by.operator), userId, origin: by.origin, detail }] }
  })
  return { key, secret }
}

const actorOf = (userId: string, operator: string | undefined) =>
  operator === undefined ? ({ kind: 'user', id: userId } as const) : ({ kind: 'operator', id: operator } as const)

async function insertKey(tx: Repository, key: NewApiKey): Promise<ApiKey> {
  const stored = await tx.apiKeys.insert(key, keysPerUser)
  if (stored === null) throw new AuthError('conflict', { reason: `you have ${keysPerUser} API keys already: delete one first` })
  return stored
}

function requireName(name: string): void {
  const length = codePoints(name)
  if (length === 0 || length > longestKeyName) throw malformed(`name must have 1 to ${longestKeyName} characters`)
}

/** RFC 3339 has years of four digits: a later one could be stored, and not be told again. */
const latestEnd = new Date('9999-12-31T23:59:59.999Z')

function requireExpectable(expiresAt: Date | null, now: Date): void {
  if (expiresAt === null) return
  if (!(expiresAt > now)) throw malformed('expiresAt must be in the future')
  if (expiresAt > latestEnd) throw malformed('expiresAt must be before the year 10000: leave it out for a key that never ends')
}

const hasEnded = ({ expiresAt }: ApiKey, now: Date): boolean => expiresAt !== null && expiresAt <= now

function requireScopes(owner: User, requested: readonly string[] | null): void {
  if (requested === null) return
  if (!requested.every(isScope)) throw malformed('scopes has an unknown scope')
  const held: readonly string[] = scopesOfRole(owner.role)
  if (!requested.every((scope) => held.includes(scope))) throw lacksScope()
}

/** A token that was narrowed opens no wider key. @param scopes null: the ordinary rights @throws AuthError forbidden */
export function requireScopesOf(principal: Pick<SessionPrincipal, 'scopes'>, scopes: readonly string[] | null): void {
  if (!(scopes ?? scopesOfEverybody).every((scope) => !isScope(scope) || principal.scopes.includes(scope))) throw lacksScope()
}

const lacksScope = (): AuthError => new AuthError('forbidden', { reason: 'you do not hold a scope that was asked for' })

export const listApiKeys = (service: KeyStore, userId: string): Promise<ApiKey[]> => service.repository.apiKeys.list(userId)

/** @param userId null: whosever key it is. @param by without an actor it is the user @throws AuthError api_key_not_found, for another user's key too */
export async function deleteApiKey(service: KeyStore, keyId: string, userId: string | null, by: { origin: Origin | null; actor?: Actor; authority?: Authority | null }): Promise<void> {
  const actor = by.actor ?? { kind: 'user', id: userId ?? '' }
  await change(service, by.authority ?? null, async (tx) => {
    if (userId !== null) await tx.users.hold(userId)
    if (!(await tx.apiKeys.delete(keyId, userId))) throw new AuthError('api_key_not_found')
    return { result: undefined, ends: [{ kind: 'api_key', subject: keyId }], events: [{ type: 'api_key_deleted', actor, userId, origin: by.origin, detail: { key: keyId } }] }
  })
}

/**
 * A new key of the same name, scopes and end; the old one lives on for the overlap. Who lost the answer rolls again.
 * @throws AuthError api_key_not_found | forbidden (a key of scopes that the caller's token lacks; a login that makes no keys) | conflict
 */
export async function rollApiKey(service: KeyMint, keyId: string, principal: SessionPrincipal, overlapSeconds: number, origin: Origin): Promise<CreatedApiKey> {
  const { userId } = principal
  const secret = newApiKeySecret()
  const key = await change(service, mintingAuthority(service, principal), async (tx) => {
    // The user before the key, as whoever deletes all of a user's keys takes them.
    await tx.users.hold(userId)
    const old = await tx.apiKeys.retire(keyId, userId, overlapSeconds)
    if (old === null) throw new AuthError('api_key_not_found')
    const { name, scopes, expiresAt } = old
    requireScopesOf(principal, scopes)
    const stored = await insertKey(tx, { id: uuidv7(), userId, name, scopes, expiresAt, hash: hashOf(secret), hint: hintOf(secret) })
    const detail = { key: keyId, successor: stored.id, overlap_seconds: overlapSeconds }
    return { result: stored, ends: [{ kind: 'api_key', subject: keyId }], events: [{ type: 'api_key_rolled', actor: { kind: 'user', id: userId }, userId, origin, detail }] }
  })
  return { key, secret }
}

const cachedKeys = 10_000

/** Verifies API keys; keeps those it has seen in memory until the word comes that something about them changed. */
export interface ApiKeyVerifier {
  /** @throws AuthError api_key_invalid | unavailable */
  verify(key: string): Promise<ApiKeyPrincipal>
  forget(revocation: Revocation): void
  /** Key id → last use, since the last call. */
  takeLastUsed(): ReadonlyMap<string, Date>
}

export function createApiKeyVerifier(service: Pick<Service, 'repository' | 'clock' | 'revocations'>): ApiKeyVerifier {
  const cache = new Map<string, ApiKeyState>()
  let lastUsed = new Map<string, Date>()
  let changes = 0

  /** What was read before a change became known is used once, and not kept. */
  async function load(key: string): Promise<ApiKeyState | null> {
    const changesBefore = changes
    const hash = hashOf(key)
    const state = await service.repository.apiKeys.findByHash(hash)
    if (state && changes === changesBefore) keep(hash.toString('base64'), state)
    return state
  }

  function keep(hash: string, state: ApiKeyState): void {
    const [oldest] = cache.size >= cachedKeys ? cache.keys() : []
    if (oldest !== undefined) cache.delete(oldest)
    cache.set(hash, state)
  }

  const remembered = (key: string): ApiKeyState | undefined => (service.revocations.isFresh() ? cache.get(hashOf(key).toString('base64')) : undefined)

  return {
    async verify(key) {
      if (!isWellFormedKey(key)) throw new AuthError('api_key_invalid')
      const state = remembered(key) ?? (await load(key))
      const now = service.clock.now()
      if (state === null || hasEnded(state.key, now)) throw new AuthError('api_key_invalid')
      lastUsed.set(state.key.id, now)
      return principalOf(state)
    },
    forget({ kind, subject }) {
      if (kind !== 'api_key' && kind !== 'user') return
      changes += 1
      for (const [hash, { key }] of cache) if (key.id === subject || key.userId === subject) cache.delete(hash)
    },
    takeLastUsed() {
      const taken = lastUsed
      lastUsed = new Map()
      return taken
    },
  }
}

const principalOf = ({ key, owner }: ApiKeyState): ApiKeyPrincipal => ({
  kind: 'api_key',
  userId: owner.id,
  username: owner.username,
  email: owner.email,
  apiKeyId: key.id,
  scopes: scopesOfKey(key.scopes, owner.role),
  expiresAt: key.expiresAt,
})
