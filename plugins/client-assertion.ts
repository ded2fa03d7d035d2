import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose'
import { createKeyJudge, keysIn, nameOfKey } from '../src/domain/client-keys.js'
import type { Client, PublicKeySet } from '../src/domain/model.js'
import type { Clients, Clock } from '../src/domain/ports.js'

export interface AssertionVerifierOptions {
  readonly clients: Pick<Clients, 'find' | 'useAssertion'>
  readonly clock: Clock
  /** Any of them may stand in `aud`. */
  readonly audiences: readonly string[]
  /** Told of a key that an assertion names and that must not be used: by name, and what is wrong with it. */
  readonly onBadKey: (clientId: string, key: string, fault: string) => void
}

/** Ed25519 has two names (RFC 8037, RFC 9864). */
export const assertionAlgorithms = ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256']
const longestSeconds = 300
const toleranceSeconds = 5
/** The clocks of nodes and database may differ: what was used is remembered a little longer than anybody accepts it. */
const clockMarginSeconds = 60

/** What the database can keep as it is. */
const jtiPattern = /^[^\0]{1,200}$/s

/**
 * Reads a client's assertion: signed by a key of the client, for us, for minutes, and used once.
 * @returns null for every assertion that fails
 * @see RFC 7523 §3
 */
export function createAssertionVerifier(options: AssertionVerifierOptions): (assertion: string) => Promise<Client | null> {
  const faultOf = createKeyJudge()

  /** What stands in the database may be older than the rules, or have come there by another way. */
  function usableKeys({ id, jwks }: Client, assertion: string): Jwk[] {
    const kid = kidOf(assertion)
    return keysIn(jwks).filter((key, i) => {
      const fault = faultOf(key)
      if (fault !== null && (kid === undefined || kid === key.kid)) options.onBadKey(id, nameOfKey(key, i), fault)
      return fault === null
    })
  }

  return async (assertion) => {
    const client = await clientOf(options, assertion)
    if (!client?.jwks) return null
    const payload = await verified(options, client.id, usableKeys(client, assertion), assertion)
    if (payload?.exp === undefined) return null
    const jti: unknown = payload.jti
    if (typeof jti !== 'string' || !jtiPattern.test(jti)) return null
    const isFirst = await options.clients.useAssertion(client.id, jti, new Date((payload.exp + toleranceSeconds + clockMarginSeconds) * 1000))
    return isFirst ? client : null
  }
}

async function clientOf({ clients }: AssertionVerifierOptions, assertion: string): Promise<Client | null> {
  try {
    const { iss } = decodeJwt(assertion)
    // Nothing is verified yet: it may be anything.
    return typeof iss === 'string' ? await clients.find(iss) : null
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_J')) return null
    throw error
  }
}

function kidOf(assertion: string): string | undefined {
  try {
    return decodeProtectedHeader(assertion).kid
  } catch {
    return undefined
  }
}

type Jwk = PublicKeySet['keys'][number]

/** `EdDSA` and `Ed25519` at a key say the same of it, and must not keep the one from verifying the other. */
const forEitherName = ({ alg, ...key }: Jwk): Jwk => (key.kty === 'OKP' || alg === undefined ? key : { ...key, alg })

async function verified({ clock, audiences }: AssertionVerifierOptions, clientId: string, keys: readonly Jwk[], assertion: string): Promise<JWTPayload | null> {
  const now = clock.now()
  try {
    const { payload } = await jwtVerify(assertion, createLocalJWKSet({ keys: keys.map(forEitherName).map((key) => ({ kty: String(key.kty), ...key })) }), {
      algorithms: assertionAlgorithms,
      issuer: clientId,
      subject: clientId,
      audience: [...audiences],
      clockTolerance: toleranceSeconds,
      currentDate: now,
      requiredClaims: ['exp', 'jti'],
    })
    return (payload.exp ?? 0) - now.getTime() / 1000 <= longestSeconds ? payload : null
  } catch {
    return null
  }
}
