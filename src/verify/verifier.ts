import { errors, jwtVerify, type JWTPayload } from 'jose'
import { createApiKeyCheck } from './api-keys.js'
import { followPublishedKeys } from './keys.js'
import { VerificationError, type VerifiedIdentity, type VerifierCredential, type VerifierOptions } from './options.js'
import { followRevocations, type TokenMarks } from './revocations.js'
import { createTesseraClient, membersOf, unavailable } from './tessera-client.js'

/** Verifies what tessera issues, in another service. */
export interface Verifier {
  /**
   * @param credential an access token or an API key, without `Bearer`
   * @throws VerificationError
   */
  verify(credential: string): Promise<VerifiedIdentity>
  /** Resolves once the revocations have been read. */
  ready(): Promise<void>
  /** How old the news of revocations may be. Milliseconds. */
  lagMs(): number
  close(): void
}

const apiKeyPrefix = 'sk_live_'
/** `Ed25519` is another name of `EdDSA` with such a key (RFC 9864). */
const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'RS256']
const toleranceSeconds = 5
const introspectionTimeoutMs = 2000

/**
 * Offline by the JWKS, with the revocations that tessera's feed tells of.
 * @throws TypeError for options with which nothing would ever be verified
 * @see RFC 9068 §4, RFC 8725
 */
export function createVerifier(given: VerifierOptions): Verifier {
  const options = { ...given, issuer: readIssuer(given.issuer) }
  requireCredential(options.credential)
  const { issuer, audience = issuer, maxLagMs = 2000, whenStale = 'closed', now = Date.now } = options
  const client = createTesseraClient(options)
  const report = options.onError ?? warn
  const onError = (error: unknown): void => {
    report(error instanceof Error ? error : new Error('the keys could not be read'))
  }
  const keys = followPublishedKeys({ url: `${(options.baseUrl ?? issuer).replace(/\/+$/, '')}/.well-known/jwks.json`, fetch: options.fetch ?? fetch, onError })
  const apiKeys = createApiKeyCheck(client, { cacheMs: options.apiKeyCacheMs ?? 30_000, now, isFresh: () => follower.lagMs() <= maxLagMs })
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
    const claims = await verifySignature(token)
    if (follower.isRevoked(claims.marks)) throw new VerificationError('revoked', 'the token was revoked: log in again')
    if (follower.lagMs() > maxLagMs) await whenTooOld[whenStale](token)
    return claims.identity
  }

  async function verifySignature(token: string) {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, (header, jws) => keys.find(header, jws), {
        issuer,
        audience,
        algorithms,
        typ: 'at+jwt',
        clockTolerance: toleranceSeconds,
        currentDate: new Date(now()),
        requiredClaims: ['sub', 'sid', 'ep', 'jti', 'iat', 'exp'],
      })
      if (Object.keys(protectedHeader).some((name) => !['alg', 'kid', 'typ'].includes(name))) throw new VerificationError('invalid', 'the token has an unknown header')
      return readClaims(payload, now())
    } catch (error) {
      throw asVerificationError(error)
    }
  }

  const whenTooOld = {
    closed: () => Promise.reject(new VerificationError('stale', 'the news of revocations is too old: try again')),
    open: () => Promise.resolve(),
    introspect: async (token: string) => {
      const answer = membersOf(await client.postForm('/oauth/introspect', { token }, introspectionTimeoutMs).catch((error: unknown) => Promise.reject(unavailable(error))))
      if (answer.active !== true) throw new VerificationError('revoked', 'the token was revoked: log in again')
    },
  }

  return {
    async verify(credential) {
      if (credential === '') throw new VerificationError('missing', 'a Bearer token is required')
      return credential.startsWith(apiKeyPrefix) ? apiKeys.verify(credential) : verifyToken(credential)
    },
    ready: () => follower.ready,
    lagMs: () => follower.lagMs(),
    close() {
      keys.stop()
      follower.stop()
      client.stop()
    },
  }
}

/** Whoever waits for `ready` with a secret that was changed should see why it takes so long. */
function warn({ message }: Error): void {
  process.emitWarning(message, 'TesseraWarning')
}

/** As tessera reads its PUBLIC_URL, which is the `iss` of its tokens. */
function readIssuer(issuer: string): string {
  if (!URL.canParse(issuer)) throw new TypeError('issuer must be the PUBLIC_URL of tessera')
  const { origin, pathname } = new URL(issuer)
  return (origin + pathname).replace(/\/+$/, '')
}

/** A variable of the environment that was not set is found out at the start, and not by refused requests. */
function requireCredential(credential: VerifierCredential): void {
  const parts: unknown[] = 'apiKey' in credential ? [credential.apiKey] : [credential.clientId, credential.clientSecret]
  if (!parts.every((part) => typeof part === 'string' && part !== '')) throw new TypeError('credential must be an apiKey, or a clientId and its clientSecret')
}

function readClaims(payload: JWTPayload, nowMs: number): { marks: TokenMarks; identity: VerifiedIdentity } {
  const { sub, sid, ep, jti, iat, exp, scope, username, email } = payload
  const isSane = typeof sub === 'string' && typeof sid === 'string' && typeof ep === 'number' && typeof jti === 'string' && exp !== undefined
  if (!isSane || iat === undefined || iat > nowMs / 1000 + toleranceSeconds) throw new VerificationError('invalid', 'the token is not what tessera issues')
  const kind = sub === sid ? 'client' : 'user'
  return {
    marks: { kind, subject: sub, sessionId: sid, tokenId: jti, epoch: ep },
    identity: {
      kind,
      subject: sub,
      username: typeof username === 'string' ? username : null,
      email: typeof email === 'string' ? email : null,
      sessionId: kind === 'client' ? null : sid,
      scopes: typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : [],
      expiresAt: new Date(exp * 1000),
    },
  }
}

/** What the keys could not be fetched for is no fault of the token. */
function asVerificationError(error: unknown): VerificationError {
  if (error instanceof VerificationError) return error
  if (error instanceof errors.JWTExpired) return new VerificationError('expired', 'the token has expired: refresh it', error)
  const isAboutToken = error instanceof errors.JOSEError && error.code !== 'ERR_JWKS_INVALID'
  return isAboutToken ? new VerificationError('invalid', 'the token is invalid', error) : unavailable(error)
}
