import { malformed } from './errors.js'
import type { PublicKeySet } from './model.js'
import { faultOfPublicKey, privateMembers, type Jwk } from './public-key.js'

/** The public keys that a client's assertions are verified with. */

const mostKeys = 10
const longestSet = 65_536

/**
 * A key set, or a single key, as their owner hands them out.
 * @param text JSON (RFC 7517 §4, §5)
 * @throws AuthError malformed
 */
export function readPublicKeys(text: string): PublicKeySet {
  if (text.length > longestSet) throw malformed(`the keys are larger than ${longestSet / 1024} KiB`)
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

/** @throws AuthError malformed, which names the key and what is wrong with it */
export function requireSaneKeys({ keys }: PublicKeySet): void {
  if (keys.length === 0) throw malformed('the key set is empty')
  if (keys.length > mostKeys) throw malformed(`the key set has more than ${mostKeys} keys`)
  if (keys.some((key) => privateMembers.some((name) => name in key))) throw malformed('the key set must have public keys only')
  for (const [i, key] of keys.entries()) {
    const fault = faultOfPublicKey(key)
    if (fault !== null) throw malformed(`${nameOfKey(key, i)}: ${fault}`)
  }
  // Which of two keys an assertion means, only its kid can tell.
  const kids = new Set<unknown>()
  for (const [i, { kid }] of keys.entries()) {
    if (keys.length > 1 && kid === undefined) throw malformed(`key ${i + 1}: of several keys each must have a kid of its own`)
    if (kids.has(kid)) throw malformed(`${nameOfKey({ kid }, i)}: of several keys each must have a kid of its own, and two have this one`)
    kids.add(kid)
  }
}

const longestName = 60

/** By its kid, which is no secret, or by its place in the set. */
export const nameOfKey = ({ kid }: Jwk, index: number): string => (typeof kid === 'string' && kid !== '' ? `key ${JSON.stringify(kid.slice(0, longestName))}` : `key ${index + 1}`)

/** What of a stored set is a key at all. */
export function keysIn(set: PublicKeySet | null): Jwk[] {
  const keys: unknown = set?.keys
  return Array.isArray(keys) ? keys.filter(isObject) : []
}

const judgedKeys = 1000

/** Judges keys that stand in the database, each once: to judge a long key takes a moment. @returns what is wrong with it, or null */
export function createKeyJudge(): (key: Jwk) => string | null {
  const faults = new Map<string, string | null>()
  return (key) => {
    const text = JSON.stringify(key)
    const known = faults.get(text)
    if (known !== undefined) return known
    const fault = faultOfPublicKey(key)
    if (faults.size >= judgedKeys) faults.clear()
    faults.set(text, fault)
    return fault
  }
}
