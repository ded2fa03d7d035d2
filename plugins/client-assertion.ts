import { createLocalJWKSet, decodeJwt, jwtVerify, type JWTPayload } from 'jose'
import type { Client } from '../src/domain/model.js'
import type { Clients, Clock } from '../src/domain/ports.js'

export interface AssertionVerifierOptions {
  readonly clients: Pick<Clients, 'find' | 'useAssertion'>
  readonly clock: Clock
  /** Any of them may stand in `aud`. */
  readonly audiences: readonly string[]
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
  return async (assertion) => {
    const client = await clientOf(options, assertion)
    if (!client?.jwks) return null
    const payload = await verified(options, client, assertion)
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

async function verified({ clock, audiences }: AssertionVerifierOptions, client: Client, assertion: string): Promise<JWTPayload | null> {
  const now = clock.now()
  try {
    const { payload } = await jwtVerify(assertion, createLocalJWKSet({ keys: (client.jwks?.keys ?? []).map((key) => ({ kty: String(key.kty), ...key })) }), {
      algorithms: assertionAlgorithms,
      issuer: client.id,
      subject: client.id,
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
