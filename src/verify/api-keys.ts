import { createHash } from 'node:crypto'
import { isWellFormedKey } from './api-key-form.js'
import { createIntrospection } from './introspection.js'
import { VerificationError, type VerifiedIdentity } from './options.js'
import { unavailable, type TesseraClient } from './tessera-client.js'

/** API keys are not signed: tessera is asked about each, once in a while. */
export interface ApiKeyCheck {
  /** @throws VerificationError */
  verify(key: string): Promise<VerifiedIdentity>
  /** @param subject the id of a key, or of its owner */
  forget(subject: string): void
}

interface Known {
  readonly identity: VerifiedIdentity
  readonly keyId: string
  readonly askAgainAt: number
}

export interface ApiKeyCheckOptions {
  readonly cacheMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly isFresh: () => boolean
}

const cachedKeys = 10_000
/** No key becomes good that was bad, except one whose owner may use it again. */
const refusedMs = 5000
/** Strangers can make up keys with a good checksum: keys that were never good take the smaller part of the questions. */
const strangers = { inFlight: 8, waiting: 64 }
const acquaintances = { inFlight: 16, waiting: 256 }
/** So many keys may turn out bad at once, and then so many a second, before no other unknown one is asked about. */
const badKeys = { atOnce: 100, aSecond: 10 }

const badKey = (): VerificationError => new VerificationError('invalid', 'the API key is invalid')

export function createApiKeyCheck(client: TesseraClient, { cacheMs, now, isFresh }: ApiKeyCheckOptions): ApiKeyCheck {
  const known = new Map<string, Known>()
  /** Digest → until when. */
  const refused = new Map<string, number>()
  /** One question, however many show the key. */
  const underWay = new Map<string, Promise<VerifiedIdentity>>()
  const aboutUnknown = createIntrospection(client, strangers)
  const aboutKnown = createIntrospection(client, acquaintances)
  const allowance = createAllowance(now)
  let changes = 0

  async function ask(key: string, digest: string): Promise<VerifiedIdentity> {
    const wasKnown = known.has(digest)
    if (!wasKnown && !allowance.hasAny()) throw unavailable(new Error('too many API keys were bad'))
    const changesBefore = changes
    const answer = await (wasKnown ? aboutKnown : aboutUnknown).ask(key)
    // Do not cache an answer that raced with a change.
    const isCurrent = changes === changesBefore
    const found = answer.active === true ? readAnswer(answer, now() + cacheMs) : null
    if (found === null || (found.identity.expiresAt?.getTime() ?? Infinity) <= now()) {
      known.delete(digest)
      if (!wasKnown) allowance.spend()
      if (isCurrent) keep(refused, digest, now() + refusedMs)
      throw badKey()
    }
    if (isCurrent) keep(known, digest, found)
    return found.identity
  }

  function askOnce(key: string, digest: string): Promise<VerifiedIdentity> {
    const asking = underWay.get(digest) ?? ask(key, digest).finally(() => {
      if (underWay.get(digest) === asking) underWay.delete(digest)
    })
    underWay.set(digest, asking)
    return asking
  }

  return {
    async verify(key) {
      if (!isWellFormedKey(key)) throw badKey()
      const digest = createHash('sha256').update(key).digest('base64')
      if (now() < (refused.get(digest) ?? 0)) throw badKey()
      const entry = known.get(digest)
      return entry && isFresh() && now() < entry.askAgainAt ? entry.identity : askOnce(key, digest)
    },
    forget(subject) {
      changes += 1
      refused.clear()
      underWay.clear()
      aboutUnknown.forget()
      aboutKnown.forget()
      for (const [digest, entry] of known) if (entry.keyId === subject || entry.identity.subject === subject) known.delete(digest)
    },
  }
}

function readAnswer({ sub, key_id: keyId, scope, username, email, exp }: Readonly<Record<string, unknown>>, believedUntil: number): Known | null {
  if (typeof sub !== 'string' || typeof keyId !== 'string') return null
  const endsAt = typeof exp === 'number' ? exp * 1000 : null
  const identity: VerifiedIdentity = {
    kind: 'api_key',
    subject: sub,
    username: typeof username === 'string' ? username : null,
    email: typeof email === 'string' ? email : null,
    sessionId: null,
    scopes: typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [],
    expiresAt: endsAt === null ? null : new Date(endsAt),
  }
  return { identity, keyId, askAgainAt: Math.min(believedUntil, endsAt ?? Infinity) }
}

/** The newest stay. */
function keep<T>(cache: Map<string, T>, digest: string, entry: T): void {
  cache.delete(digest)
  const [oldest] = cache.size >= cachedKeys ? cache.keys() : []
  if (oldest !== undefined) cache.delete(oldest)
  cache.set(digest, entry)
}

/** How many more keys may turn out bad; it fills up with time. */
function createAllowance(now: () => number): { hasAny(): boolean; spend(): void } {
  let left = badKeys.atOnce
  let countedAt = now()
  const fill = (): void => {
    const elapsed = Math.max(0, now() - countedAt)
    countedAt = now()
    left = Math.min(badKeys.atOnce, left + (elapsed / 1000) * badKeys.aSecond)
  }
  return {
    hasAny() {
      fill()
      return left >= 1
    },
    spend() {
      left -= 1
    },
  }
}
