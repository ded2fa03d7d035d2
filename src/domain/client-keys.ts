import { createPublicKey, type KeyObject } from 'node:crypto'
import { malformed } from './errors.js'
import type { PublicKeySet } from './model.js'

/** The public keys that a client's assertions are verified with. */

type Jwk = Readonly<Record<string, unknown>>

const mostKeys = 10
const smallestModulusBits = 2048

/** RFC 7518 §6: what only the owner of a key may have. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

const isSupported: Readonly<Record<string, (key: KeyObject) => boolean>> = {
  ec: (key) => key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
  ed25519: () => true,
  rsa: (key) => (key.asymmetricKeyDetails?.modulusLength ?? 0) >= smallestModulusBits,
}

/**
 * A key set, or a single key, as their owner hands them out.
 * @param text JSON (RFC 7517 §4, §5)
 * @throws AuthError malformed
 */
export function readPublicKeys(text: string): PublicKeySet {
  const given = objectIn(text)
  const keys: unknown = 'keys' in given ? given.keys : [given]
  if (!Array.isArray(keys) || !keys.every(isObject)) throw malformed('the keys must be a JWK or a JWKS')
  const set = { keys }
  requireSaneKeys(set)
  return set
}

const isObject = (value: unknown): value is Jwk => typeof value === 'object' && value !== null && !Array.isArray(value)

function objectIn(text: string): Jwk {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // What the parser says repeats the text, which may be a private key.
  }
  throw malformed('the keys must be a JWK or a JWKS')
}

/** @throws AuthError malformed */
export function requireSaneKeys({ keys }: PublicKeySet): void {
  if (keys.length === 0) throw malformed('the key set is empty')
  if (keys.length > mostKeys) throw malformed(`the key set has more than ${mostKeys} keys`)
  if (keys.some((key) => privateMembers.some((name) => name in key))) throw malformed('the key set must have public keys only')
  if (!keys.every(isUsable)) throw malformed('a key must be EC P-256, Ed25519 or RSA of 2048 bits or more, and meant for signatures')
  // Which of two keys an assertion means, only its kid can tell.
  const kids = new Set(keys.map(({ kid }) => kid).filter((kid) => typeof kid === 'string'))
  if (keys.length > 1 && kids.size < keys.length) throw malformed('of several keys each must have a kid of its own')
}

function isUsable(jwk: Jwk): boolean {
  if (jwk.use !== undefined && jwk.use !== 'sig') return false
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return isSupported[key.asymmetricKeyType ?? '']?.(key) ?? false
  } catch {
    return false
  }
}
