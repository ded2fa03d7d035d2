import { checkPrimeSync } from 'node:crypto'

/** What tells a public key that can be broken at once from one that cannot. */

export function bigintOf(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes).toString('hex')
  return hex === '' ? 0n : BigInt(`0x${hex}`)
}

export const bitsOf = (number: bigint): number => (number === 0n ? 0 : number.toString(2).length)

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = base % modulus
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

/** Rounded down (Newton). */
function squareRoot(number: bigint): bigint {
  if (number < 2n) return number
  let guess = 1n << BigInt(Math.ceil(bitsOf(number) / 2))
  for (;;) {
    const next = (guess + number / guess) >> 1n
    if (next >= guess) return guess
    guess = next
  }
}

const isSquare = (number: bigint): boolean => {
  // Three of four numbers end like no square does.
  if (![0n, 1n, 4n, 9n].includes(number & 15n)) return false
  const root = squareRoot(number)
  return root * root === number
}

const below = (limit: number): number[] => Array.from({ length: limit - 2 }, (_, i) => i + 2)
/** SP 800-89 §5.3.3. */
const smallPrimes = below(752).filter((number) => below(28).every((divisor) => divisor >= number || number % divisor !== 0)).map(BigInt)

const fermatRounds = 100

/**
 * Whether somebody without the private key finds the factors of an RSA modulus at once: it is prime itself, has a small factor,
 * or is the product of two primes that are close together or equal (Fermat's method).
 * @see NIST SP 800-89 §5.3.3, RFC 8725 §3.5
 */
export function isEasilyFactored(modulus: bigint): boolean {
  if (smallPrimes.some((prime) => modulus % prime === 0n)) return true
  let middle = squareRoot(modulus)
  if (middle * middle < modulus) middle += 1n
  for (let round = 0; round < fermatRounds; round += 1, middle += 1n) if (isSquare(middle * middle - modulus)) return true
  return checkPrimeSync(modulus)
}

/** Edwards25519 (RFC 8032 §5.1). */
const p = (1n << 255n) - 19n
const d = (-121665n * modPow(121666n, p - 2n, p)) % p + p

/** A root of d · y⁴ + 2 · y² = 1: its double is a point whose y is 0. */
const yOfOrderEight = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n

/** The y of the points of order 1, 2, 4 and 8: signatures under such a key need no private key. */
const yOfSmallOrder = new Set([
  1n,
  p - 1n,
  0n,
  yOfOrderEight,
  p - yOfOrderEight,
])

/**
 * Whether 32 bytes are a point that a secret can stand behind: encoded in the one right way, on the curve, of large order.
 * @see RFC 8032 §5.1.3, §8.4
 */
export function isEd25519Point(bytes: Uint8Array): boolean {
  const encoded = bigintOf(Uint8Array.from(bytes).reverse())
  const y = encoded & ((1n << 255n) - 1n)
  if (bytes.length !== 32 || y >= p || yOfSmallOrder.has(y)) return false
  const ySquared = (y * y) % p
  // x² = u / v has a root exactly when u · v has one.
  const uv = ((ySquared - 1n) * (d * ySquared + 1n)) % p
  return modPow(uv + p, (p - 1n) / 2n, p) === 1n
}
