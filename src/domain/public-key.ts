import { createPublicKey } from 'node:crypto'
import { bigintOf, bitsOf, isEasilyFactored, isEd25519Point } from './key-arithmetic.js'

/** One public key of somebody else (RFC 7517), and whether a signature under it proves anything. */

export type Jwk = Readonly<Record<string, unknown>>

/** RFC 7518 §6: what only the owner of a key may have. */
export const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

const smallestModulusBits = 2048
/** What a verification costs grows with the square of it. */
const largestModulusBits = 8192
const smallestExponent = 65_537n
/** More is slow, and OpenSSL refuses it for long keys. */
const mostExponentBits = 64
const coordinateBytes = 32
const longestKey = 16_384
const longestKid = 200

/** What a database cannot keep, as JSON writes it. */
const unstorable = /(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i

interface Family {
  readonly algorithms: readonly string[]
  /** @returns what is wrong, or null */
  faultOf(jwk: Jwk): string | null
}

const families: Readonly<Record<string, Family>> = {
  RSA: { algorithms: ['RS256', 'PS256'], faultOf: faultOfRsa },
  EC: { algorithms: ['ES256'], faultOf: faultOfEc },
  // One algorithm under two names (RFC 8037, RFC 9864).
  OKP: { algorithms: ['EdDSA', 'Ed25519'], faultOf: faultOfEd25519 },
}

/**
 * Judges a key before it is stored, and before it is used: one that anybody can sign for must not open anything.
 * @returns why it must not be used, or null. No value of the key is repeated.
 * @see RFC 8725 §3.4, §3.5; NIST SP 800-131A, SP 800-56B §6.4
 */
export function faultOfPublicKey(jwk: Jwk): string | null {
  const family = typeof jwk.kty === 'string' && Object.hasOwn(families, jwk.kty) ? families[jwk.kty] : undefined
  const privateMember = privateMembers.find((name) => name in jwk)
  if (privateMember !== undefined) return `it has the member ${privateMember}, which only its owner may have`
  if (family === undefined) return 'kty must be RSA, EC or OKP'
  const text = JSON.stringify(jwk)
  if (text.length > longestKey) return `it is larger than ${longestKey / 1024} KiB`
  if (unstorable.test(text)) return 'it has a NUL or half a surrogate pair'
  return faultOfPurpose(jwk, family) ?? family.faultOf(jwk) ?? (canBeRead(jwk) ? null : 'it is no valid key')
}

function faultOfPurpose({ kid, use, key_ops: operations, alg }: Jwk, { algorithms }: Family): string | null {
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > longestKid)) return `kid must be a text of 1 to ${longestKid} characters`
  if (use !== undefined && use !== 'sig') return 'use must be sig: the key is not meant for signatures'
  if (operations !== undefined && !isForVerifying(operations)) return 'key_ops must have verify, and nothing that is not about signatures'
  if (alg !== undefined && (typeof alg !== 'string' || !algorithms.includes(alg))) return `alg must be ${algorithms.join(' or ')}, or absent`
  return null
}

/** Some tools write the operations of the pair at the public key too. */
const isForVerifying = (operations: unknown): boolean =>
  Array.isArray(operations) && operations.includes('verify') && operations.every((operation) => operation === 'verify' || operation === 'sign')

function faultOfRsa({ n, e }: Jwk): string | null {
  const [modulusBytes, exponentBytes] = [bytesOf(n, largestModulusBits / 4), bytesOf(e, 512)]
  if (modulusBytes === null || exponentBytes === null) return `n and e must be base64url, and n have ${largestModulusBits} bits at most`
  const [modulus, exponent] = [bigintOf(modulusBytes), bigintOf(exponentBytes)]
  const bits = bitsOf(modulus)
  if (bits < smallestModulusBits || bits > largestModulusBits) return `an RSA key must have ${smallestModulusBits} to ${largestModulusBits} bits`
  if (exponent < smallestExponent || exponent % 2n === 0n || bitsOf(exponent) > mostExponentBits) return 'the public exponent e must be odd and from 65537 to 2^64: make a new key with 65537'
  return isEasilyFactored(modulus) ? 'its modulus n can be factored at once: make a new key' : null
}

function faultOfEc({ crv, x, y }: Jwk): string | null {
  if (crv !== 'P-256') return 'crv must be P-256'
  const areWhole = [x, y].every((coordinate) => bytesOf(coordinate, coordinateBytes)?.length === coordinateBytes)
  if (!areWhole) return `x and y must be ${coordinateBytes} bytes each, in base64url`
  return canBeRead({ kty: 'EC', crv, x, y }) ? null : 'x and y are no point of the curve'
}

function faultOfEd25519({ crv, x }: Jwk): string | null {
  if (crv !== 'Ed25519') return 'crv must be Ed25519'
  const bytes = bytesOf(x, coordinateBytes)
  if (bytes?.length !== coordinateBytes) return `x must be ${coordinateBytes} bytes, in base64url`
  return isEd25519Point(bytes) ? null : 'x is no point of the curve that a secret key can stand behind'
}

/** @returns null for what is no base64url, or longer. Node reads other spellings too, and other libraries do not. */
function bytesOf(value: unknown, mostBytes: number): Buffer | null {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]+$/.test(value) || value.length > Math.ceil((mostBytes * 4) / 3)) return null
  return Buffer.from(value, 'base64url')
}

function canBeRead(jwk: Jwk): boolean {
  try {
    createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return true
  } catch {
    return false
  }
}
