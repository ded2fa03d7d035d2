import argon2 from 'argon2'
import { createHmac, randomBytes } from 'node:crypto'
import { malformed } from './errors.js'
import type { Fairness, HashQueue, Place } from './hash-queue.js'
import { codePoints } from './identifiers.js'
import type { Keyring } from './keyring.js'
import { hashFormatOf } from './password-hashes.js'
import type { StoredPin } from './ports.js'

/** OWASP Password Storage Cheat Sheet: argon2id, m=19456 KiB, t=2, p=1. */
export interface HashCost {
  readonly memoryKiB: number
  readonly timeCost: number
  readonly parallelism: number
}

/** argon2id behind the admission queue. */
export interface Hasher {
  /** Room for a secret that comes from this address. @throws AuthError unavailable */
  enter(address: string): Promise<Place>
  hash(secret: string, fairness: Fairness): Promise<string>
  /**
   * Compares a secret with a stored hash; without one it does the same work in vain, so that the time tells nothing.
   * A failure takes no less than the slowest cost stored would.
   */
  verify(stored: string | null, secret: string, fairness: Fairness): Promise<boolean>
  /** Whether the configured cost is another than that of the stored hash. */
  isOutdated(stored: string): boolean
  /** What costs there are, so that failures take as long as the slowest: `m=…,t=…,p=…`. */
  learnStoredCosts(costs: readonly string[]): Promise<void>
}

/** @param now milliseconds, monotonic */
export async function createHasher(cost: HashCost, queue: HashQueue, now: () => number): Promise<Hasher> {
  const own = { memoryCost: cost.memoryKiB, timeCost: cost.timeCost, parallelism: cost.parallelism }
  let slowest = await createDummy(cost)

  async function measured(stored: string, secret: string): Promise<boolean> {
    const startedAt = now()
    const matches = await argon2.verify(stored, secret)
    const tookMs = now() - startedAt
    if (costOf(stored) === slowest.cost) slowest.tookMs += (tookMs - slowest.tookMs) / 8
    else if (!matches) await delay(slowest.tookMs - tookMs)
    return matches
  }

  return {
    enter: (address) => queue.enter(address),
    hash: (secret, fairness) => queue.run(fairness, () => argon2.hash(normalise(secret), { type: argon2.argon2id, ...own })),
    verify: (stored, secret, fairness) =>
      queue.run(fairness, async () => (await measured(stored ?? slowest.hash, normalise(secret))) && stored !== null),
    isOutdated: (stored) => argon2.needsRehash(stored, own),
    async learnStoredCosts(costs) {
      const known = [cost, ...costs.flatMap(parseCost)]
      const hardest = known.reduce((worst, one) => (work(one) > work(worst) ? one : worst))
      if (costText(hardest) !== slowest.cost) slowest = await createDummy(hardest)
    },
  }
}

/** A hash that nobody's secret matches, and how long its cost takes here. */
async function createDummy(cost: HashCost) {
  const startedAt = performance.now()
  const options = { type: argon2.argon2id, memoryCost: cost.memoryKiB, timeCost: cost.timeCost, parallelism: cost.parallelism } as const
  const hash = await argon2.hash(randomBytes(32), options)
  return { hash, cost: costText(cost), tookMs: performance.now() - startedAt }
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))

const work = (cost: HashCost): number => cost.memoryKiB * cost.timeCost
const costText = (cost: HashCost): string => `m=${cost.memoryKiB},t=${cost.timeCost},p=${cost.parallelism}`
const costOf = (hash: string): string => hash.split('$')[3] ?? ''

function parseCost(text: string): HashCost[] {
  const [, memory, time, parallelism] = /^m=(\d+),t=(\d+),p=(\d+)$/.exec(text) ?? []
  return memory && time && parallelism ? [{ memoryKiB: Number(memory), timeCost: Number(time), parallelism: Number(parallelism) }] : []
}

/** The same password, typed on another keyboard, is the same password (NIST SP 800-63B-4 §3.1.1.2). */
const normalise = (secret: string): string => secret.normalize('NFC')

export const longestSecret = 128

/** @throws AuthError malformed */
export function requirePassword(password: string, member = 'password'): void {
  // Its owner would be locked out, and the hash, which others hold, would open the account.
  const format = hashFormatOf(password)
  if (format !== null) throw malformed(`${member} is the hash of a password (${format}): give the password itself; tessera user import takes an argon2id hash as password_hash`)
  const length = codePoints(password)
  if (length < 8 || length > longestSecret) throw malformed(`${member} must have 8 to ${longestSecret} characters`)
  // No login takes it: strict JSON refuses it in any string.
  if (password.includes('\0')) throw malformed(`${member} must not contain NUL`)
}

/** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, both of them base64 without padding: 8 to 64 and 16 to 64 bytes. */
const hashPattern = /^\$argon2id\$v=19\$m=[1-9]\d{0,8},t=[1-9]\d{0,3},p=[1-9]\d{0,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/

/** A failed login takes as long as the slowest hash stored would: this much is let in from elsewhere, and no more. */
const most = { memoryKiB: 262_144, work: 786_432, parallelism: 16 }

/**
 * A hash from elsewhere, in the PHC string format.
 * @throws AuthError malformed
 */
export function requirePasswordHash(hash: string, member = 'password_hash'): void {
  const [cost] = hashPattern.test(hash) ? parseCost(costOf(hash)) : []
  if (cost === undefined || cost.memoryKiB < 8 * cost.parallelism) {
    throw malformed(`${member} must be an argon2id hash such as $argon2id$v=19$m=19456,t=2,p=1$«salt»$«hash»`)
  }
  if (cost.memoryKiB > most.memoryKiB || work(cost) > most.work || cost.parallelism > most.parallelism) {
    const limits = `m ≤ ${most.memoryKiB}, m × t ≤ ${most.work}, p ≤ ${most.parallelism}`
    throw malformed(`${member} costs too much (${limits}): every failed login would take as long`)
  }
}

/** @throws AuthError malformed */
export function requirePin(pin: string, member = 'pin'): void {
  if (!/^[0-9]{4,12}$/.test(pin)) throw malformed(`${member} must have 4 to 12 digits`)
}

/** A PIN is keyed before it is hashed: ten thousand guesses are nothing to who has stolen the database alone. */
export async function hashPin(hasher: Hasher, keyring: Keyring, pin: string, fairness: Fairness): Promise<StoredPin> {
  const pepper = keyring.current('pin_pepper')
  return { hash: await hasher.hash(peppered(pepper.secret, pin), fairness), pepperKid: pepper.kid }
}

export function verifyPin(hasher: Hasher, keyring: Keyring, stored: StoredPin | null, pin: string, fairness: Fairness): Promise<boolean> {
  const pepper = (stored && keyring.find('pin_pepper', stored.pepperKid)) ?? keyring.current('pin_pepper')
  return hasher.verify(stored?.hash ?? null, peppered(pepper.secret, pin), fairness)
}

const peppered = (pepper: Buffer, pin: string): string => createHmac('sha256', pepper).update(pin).digest('base64url')
