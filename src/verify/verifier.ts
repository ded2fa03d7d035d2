import { verifyAccessToken } from './access-token.js'
import { apiKeyPrefix } from './api-key-form.js'
import { createApiKeyCheck } from './api-keys.js'
import { createIntrospection } from './introspection.js'
import { followPublishedKeys } from './keys.js'
import { readUrl, VerificationError, type ReadyOptions, type VerifiedIdentity, type VerifierCredential, type VerifierOptions } from './options.js'
import { followRevocations, type RevocationFollower } from './revocations.js'
import { createTesseraClient } from './tessera-client.js'

/** Verifies what tessera issues, in another service. */
export interface Verifier {
  /**
   * @param credential an access token or an API key, without `Bearer`
   * @throws VerificationError
   */
  verify(credential: string): Promise<VerifiedIdentity>
  /**
   * Resolves once the revocations have been read. Why that takes long is told once, as every failure in the background is.
   * @throws VerificationError unavailable, with the reason, when the time is over; Error when the verifier is closed before
   */
  ready(options?: ReadyOptions): Promise<void>
  /** How old the news of revocations may be. Milliseconds. */
  lagMs(): number
  close(): void
}

/** Of tokens whose signature is good, so strangers take no part in it. */
const tokenQuestions = { inFlight: 32, waiting: 512 }

/**
 * Offline by the JWKS, with the revocations that tessera's feed tells of.
 * @throws TypeError for options with which nothing would ever be verified
 * @see RFC 9068 §4, RFC 8725
 */
export function createVerifier(options: VerifierOptions): Verifier {
  requireCredential(options.credential)
  const issuer = readUrl('issuer', options.issuer)
  const baseUrl = readUrl('baseUrl', options.baseUrl ?? options.issuer)
  const { audience = issuer, maxLagMs = 2000, whenStale = 'closed', now = Date.now, onError = warn, fetch: call = fetch } = options
  const client = createTesseraClient({ credential: options.credential, baseUrl, fetch: call, now })
  const keys = followPublishedKeys({ url: `${baseUrl}/.well-known/jwks.json`, fetch: call, onError })
  const apiKeys = createApiKeyCheck(client, { cacheMs: options.apiKeyCacheMs ?? 30_000, now, isFresh: () => follower.lagMs() <= maxLagMs })
  const questions = createIntrospection(client, tokenQuestions)
  const follower = followRevocations({
    client,
    maxLagMs,
    now,
    onError,
    onApiKeyChanged: (subject) => {
      apiKeys.forget(subject)
    },
    onKeysTold: (kids) => {
      keys.compare(kids)
    },
  })

  async function verifyToken(token: string): Promise<VerifiedIdentity> {
    const { marks, identity, lifetimeSeconds } = await verifyAccessToken(token, { issuer, audience, keys, now })
    if (isTooLong(lifetimeSeconds)) await requireAllowed(lifetimeSeconds)
    if (follower.isRevoked(marks)) throw new VerificationError('revoked', 'the token was revoked: log in again')
    if (follower.lagMs() > maxLagMs) await whenTooOld[whenStale](token)
    return identity
  }

  const isTooLong = (lifetimeSeconds: number): boolean => lifetimeSeconds > (follower.longestTokenSeconds() ?? Infinity)

  /** Its signature is good: a node with a longer lifetime may have started since the last news. */
  async function requireAllowed(lifetimeSeconds: number): Promise<void> {
    await follower.nextNews(maxLagMs)
    if (isTooLong(lifetimeSeconds)) throw new VerificationError('invalid', 'the token is invalid')
  }

  const whenTooOld = {
    closed: () => Promise.reject(new VerificationError('stale', 'the news of revocations is too old: try again')),
    open: () => Promise.resolve(),
    introspect: async (token: string) => {
      const answer = await questions.ask(token)
      if (answer.active !== true) throw new VerificationError('revoked', 'the token was revoked: log in again')
    },
  }

  return {
    async verify(credential) {
      if (credential === '') throw new VerificationError('missing', 'a Bearer token is required')
      return credential.startsWith(apiKeyPrefix) ? apiKeys.verify(credential) : verifyToken(credential)
    },
    ready: ({ timeoutMs } = {}) => (timeoutMs === undefined ? follower.ready : readyWithin(follower, timeoutMs)),
    lagMs: () => follower.lagMs(),
    close() {
      keys.stop()
      follower.stop()
      client.stop()
    },
  }
}

async function readyWithin({ ready, lastFailure }: Pick<RevocationFollower, 'ready' | 'lastFailure'>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const failure = lastFailure()
      reject(new VerificationError('unavailable', `not ready within ${timeoutMs} ms: ${failure?.message ?? 'tessera has not answered yet'}`, failure))
    }, timeoutMs)
  })
  try {
    await Promise.race([ready, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whoever waits for `ready` with a secret that was changed should see why it takes so long. */
function warn({ message }: Error): void {
  process.emitWarning(message, 'TesseraWarning')
}

/** A variable of the environment that was not set is found out at the start, and not by refused requests. */
function requireCredential(credential: VerifierCredential): void {
  const parts: unknown[] = 'apiKey' in credential ? [credential.apiKey] : [credential.clientId, credential.clientSecret]
  if (!parts.every((part) => typeof part === 'string' && part !== '')) throw new TypeError('credential must be an apiKey, or a clientId and its clientSecret')
}
