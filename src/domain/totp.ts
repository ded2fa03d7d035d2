import { Secret, TOTP } from 'otpauth'
import { randomInt } from 'node:crypto'
import type { Origin } from './model.js'
import type { LoginRecord, Repository } from './ports.js'
import type { Service } from './service.js'

/** A second factor that fits, and is not used up yet. */
export type SecondFactor = { readonly kind: 'totp'; readonly step: number } | { readonly kind: 'recovery_code'; readonly hash: Buffer }

const periodSeconds = 30
const toleratedSteps = 1

const totpOf = (secret: Buffer): TOTP => new TOTP({ algorithm: 'SHA1', digits: 6, period: periodSeconds, secret: new Secret({ buffer: bufferOf(secret) }) })

const bufferOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer

/**
 * The step whose code was given, now or one step to either side.
 * @returns null when it is no code of those
 * @see RFC 6238 §5.2
 */
export function matchingStep(secret: Buffer, otp: string, now: Date): number | null {
  // Authenticators show it in two groups, and some people copy it like that.
  const code = otp.replace(/\s/g, '')
  if (!/^[0-9]{6}$/.test(code)) return null
  const delta = totpOf(secret).validate({ token: code, timestamp: now.getTime(), window: toleratedSteps })
  return delta === null ? null : Math.floor(now.getTime() / 1000 / periodSeconds) + delta
}

/**
 * What was used up before is wrong here already, without asking the database: all wrong codes are refused after the same steps.
 * @returns null when the user has no second factor
 */
export function readSecondFactor(service: Service, record: LoginRecord, otp: string | null): SecondFactor | 'missing' | 'wrong' | null {
  if (record.totp === null) return null
  if (otp === null || otp === '') return 'missing'
  const secret = service.keyring.unseal('totp', record.totp.sealedSecret, record.user.id)
  if (secret === null) throw new Error('the totp secret of a user does not open')
  const step = matchingStep(secret, otp, service.clock.now())
  if (step !== null) return step > record.totp.lastUsedStep ? { kind: 'totp', step } : 'wrong'
  const code = normaliseRecoveryCode(otp)
  if (code === null) return 'wrong'
  const hash = recoveryCodeHash(service, record.user.id, code)
  return record.totp.recoveryCodeHashes.some((stored) => stored.equals(hash)) ? { kind: 'recovery_code', hash } : 'wrong'
}

/** Inside a transaction. @returns false when the code was used before, or was none */
export async function consumeSecondFactor(tx: Repository, userId: string, factor: SecondFactor, origin: Origin): Promise<boolean> {
  if (factor.kind === 'totp') return tx.credentials.consumeTotpStep(userId, factor.step)
  const isConsumed = await tx.credentials.consumeRecoveryCode(userId, factor.hash)
  if (isConsumed) await tx.audit.append({ type: 'recovery_code_used', actor: { kind: 'user', id: userId }, userId, origin })
  return isConsumed
}

/** Without letters and digits that are mistaken for each other; 10 of 31 are 49 bits, behind the lockout. */
const alphabet = '23456789abcdefghjkmnpqrstuvwxyz'
const recoveryCodeCount = 10
const recoveryCodePattern = new RegExp(`^[${alphabet}]{10}$`)

/** `xxxxx-xxxxx`, shown once. */
export const newRecoveryCodes = (): string[] =>
  Array.from({ length: recoveryCodeCount }, () => {
    const letters = Array.from({ length: 10 }, () => alphabet.charAt(randomInt(alphabet.length))).join('')
    return `${letters.slice(0, 5)}-${letters.slice(5)}`
  })

function normaliseRecoveryCode(given: string): string | null {
  const code = given.toLowerCase().replace(/[\s-]/g, '')
  return recoveryCodePattern.test(code) ? code : null
}

export const recoveryCodeHash = (service: Service, userId: string, code: string): Buffer =>
  service.keyring.hmac('totp', `recovery:${userId}:${normaliseRecoveryCode(code) ?? ''}`)

export const newTotpSecret = (): Buffer => Buffer.from(new Secret({ size: 20 }).bytes)

export const base32 = (secret: Buffer): string => new Secret({ buffer: bufferOf(secret) }).base32

/** Whether a text is this secret in base32, in whatever case and grouping somebody has typed it. */
export const isBase32Of = (secret: Buffer, text: string): boolean => text.replace(/\s/g, '').replace(/=+$/, '').toUpperCase() === base32(secret)

/** What an authenticator reads from a QR code. */
export const otpauthUrl = (secret: Buffer, issuer: string, label: string): string =>
  new TOTP({ issuer, label, algorithm: 'SHA1', digits: 6, period: periodSeconds, secret: new Secret({ buffer: bufferOf(secret) }) }).toString()
