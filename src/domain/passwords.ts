import argon2 from 'argon2'
import { createHmac, randomBytes } from 'node:crypto'
import { malformed } from './errors.js'
import type { Fairness, HashQueue, Place, Standing } from './hash-queue.js'
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

/** Who asks, and what else must be right. */
export interface Comparison extends Fairness {
  /** Asked once the secret has matched. false: whoever knows the secret is refused all the same, after as long a time as for a wrong one. */
  accepts?(): boolean
}

/** argon2id behind the admission queue. */
export interface Hasher {
  /** Room for a secret that comes from this address. @throws AuthError unavailable */
  enter(address: string, standing?: Standing): Promise<Place>
  /** A few attempts at one name abreast, the others in a line. @throws AuthError unavailable */
  inLine<T>(name: string, standing: Standing, work: () => Promise<T>): Promise<T>
  hash(secret: string, fairness: Fairness): Promise<string>
  /**
   * Compares a secret with a stored hash; without one it does the same work in vain, so that the time tells nothing.
   * Whoever does not get in is told no sooner than the slowest cost stored takes.
   */
  verify(stored: string | null, secret: string, comparison: Comparison): Promise<boolean>
  /** Whether the configured cost is another than that of the stored hash. */
  isOutdated(stored: string): boolean
  /** What costs there are, so that failures take as long as the slowest: `m=…,t=…,p=…`. */
  learnStoredCosts(costs: readonly string[]): Promise<void>
}

/** @param now milliseconds, monotonic */
export async function createHasher(cost: HashCost, queue: HashQueue, now: () => number): Promise<Hasher> {
  const own = { memoryCost: cost.memoryKiB, timeCost: cost.timeCost, parallelism: cost.parallelism }
  let slowest = await createDummy(cost, now)

  async function measured(stored: string | null, secret: string, accepts: () => boolean): Promise<boolean> {
    const startedAt = now()
    const { hash, cost: costOfSlowest, duration } = slowest
    const matches = (await argon2.verify(stored ?? hash, secret)) && stored !== null
    if (stored === null || costOf(stored) === costOfSlowest) duration.add(now() - startedAt)
    if (!(matches && accepts())) await delay(duration.most() - (now() - startedAt))
    return matches
  }

  /** The housekeeping learns of a dearer hash within a minute; the first guess at it teaches us at once. */
  async function meet(costs: readonly HashCost[]): Promise<void> {
    const hardest = costs.reduce((worst, one) => (work(one) > work(worst) ? one : worst), cost)
    if (costText(hardest) !== slowest.cost) slowest = await createDummy(hardest, now)
  }

  return {
    enter: (address, standing) => queue.enter(address, standing),
    inLine: (name, standing, work) => queue.inLine(name, standing, work),
    hash: (secret, fairness) => queue.run(fairness, () => argon2.hash(normalise(secret), { type: argon2.argon2id, ...own })),
    verify: (stored, secret, comparison) =>
      queue.run(comparison, async () => {
        const costs = stored === null ? [] : parseCost(costOf(stored))
        if (costs.some((one) => work(one) > work(slowest.parameters))) await meet(costs)
        return measured(stored, normalise(secret), () => comparison.accepts?.() ?? true)
      }),
    isOutdated: (stored) => argon2.needsRehash(stored, own),
    learnStoredCosts: (costs) => meet(costs.flatMap(parseCost)),
  }
}

/** A hash that nobody's secret matches, and how long its cost takes here. */
async function createDummy(cost: HashCost, now: () => number) {
  const startedAt = now()
  const options = { type: argon2.argon2id, memoryCost: cost.memoryKiB, timeCost: cost.timeCost, parallelism: cost.parallelism } as const
  const hash = await argon2.hash(randomBytes(32), options)
  return { hash, cost: costText(cost), parameters: cost, duration: createDuration(now() - startedAt) }
}

/**
 * How long one thing takes, which is not always as long. All that is shorter is made as long as `most`: two deviations above the
 * mean, as far as nearly every one of them goes, so that what is waited for cannot be told from what was worked for.
 */
function createDuration(firstMs: number) {
  let meanMs = firstMs
  let deviationMs = firstMs / 8
  return {
    /** A machine that stood still for a moment is no measure. */
    add(measuredMs: number): void {
      const tookMs = Math.min(measuredMs, 4 * meanMs)
      deviationMs += (Math.abs(tookMs - meanMs) - deviationMs) / 8
      meanMs += (tookMs - meanMs) / 8
    },
    most: (): number => meanMs + 2 * deviationMs,
  }
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

export function verifyPin(hasher: Hasher, keyring: Keyring, stored: StoredPin | null, pin: string, comparison: Comparison): Promise<boolean> {
  const pepper = (stored && keyring.find('pin_pepper', stored.pepperKid)) ?? keyring.current('pin_pepper')
  return hasher.verify(stored?.hash ?? null, peppered(pepper.secret, pin), comparison)
}

const peppered = (pepper: Buffer, pin: string): string => createHmac('sha256', pepper).update(pin).digest('base64url')
