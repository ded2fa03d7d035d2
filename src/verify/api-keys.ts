import { createHash } from 'node:crypto'
import { VerificationError, type VerifiedIdentity } from './options.js'
import { membersOf, unavailable, type TesseraClient } from './tessera-client.js'

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

const cachedKeys = 10_000
const timeoutMs = 2000

export function createApiKeyCheck(client: TesseraClient, options: { cacheMs: number; now: () => number; isFresh: () => boolean }): ApiKeyCheck {
  const known = new Map<string, Known>()
  let changes = 0

  async function ask(key: string, digest: string): Promise<VerifiedIdentity> {
    const changesBefore = changes
    const answer = membersOf(await client.postForm('/oauth/introspect', { token: key }, timeoutMs).catch((error: unknown) => Promise.reject(unavailable(error))))
    const { active, sub, key_id: keyId, scope, username, email } = answer
    if (active !== true || typeof sub !== 'string' || typeof keyId !== 'string') throw new VerificationError('invalid', 'the API key is invalid')
    const identity: VerifiedIdentity = {
      kind: 'api_key',
      subject: sub,
      username: typeof username === 'string' ? username : null,
      email: typeof email === 'string' ? email : null,
      sessionId: null,
      scopes: typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [],
      expiresAt: null,
    }
    // What was asked before a change became known is used once, and not kept.
    if (changes === changesBefore) keep(digest, { identity, keyId, askAgainAt: options.now() + options.cacheMs })
    return identity
  }

  function keep(digest: string, entry: Known): void {
    const [oldest] = known.size >= cachedKeys ? known.keys() : []
    if (oldest !== undefined) known.delete(oldest)
    known.set(digest, entry)
  }

  return {
    async verify(key) {
      const digest = createHash('sha256').update(key).digest('base64')
      const entry = known.get(digest)
      return entry && options.isFresh() && options.now() < entry.askAgainAt ? entry.identity : ask(key, digest)
    },
    forget(subject) {
      changes += 1
      for (const [digest, entry] of known) if (entry.keyId === subject || entry.identity.subject === subject) known.delete(digest)
    },
  }
}
