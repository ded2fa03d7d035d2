import { AuthError, malformed } from './errors.js'
import { codePoints } from './identifiers.js'
import { countedAttempt, fairnessOf, Refused } from './counted-attempt.js'
import { lockoutPolicy } from './lockout.js'
import { settleVerified, withVerifiedUser, type Verified } from './login.js'
import type { Origin, Session, SessionPrincipal, User } from './model.js'
import { networkOf } from './network.js'
import { hashPin, longestSecret, requirePassword, requirePin } from './passwords.js'
import type { AttemptCounter, LoginRecord, Repository } from './ports.js'
import type { Service } from './service.js'
import { endSession } from './sessions.js'
import { base32, consumeSecondFactor, isBase32Of, matchingStep, newRecoveryCodes, newTotpSecret, otpauthUrl, readSecondFactor, recoveryCodeHash } from './totp.js'

/** The user's own account. Every call is made by a session; whatever asks for a secret again counts for the lockout. */

export interface Me extends User {
  readonly tfaEnabled: boolean
}

/** @throws AuthError access_token_invalid when the user is gone */
export async function me(service: Service, userId: string): Promise<Me> {
  const user = await service.repository.users.find(userId)
  if (user === null) throw new AuthError('access_token_invalid', { cause: 'the user is gone' })
  return { ...user, tfaEnabled: await service.repository.credentials.hasTotp(userId) }
}

interface Confirmation {
  readonly principal: SessionPrincipal
  readonly origin: Origin
}

async function subjectOf(service: Service, { principal, origin }: Confirmation) {
  const record = await service.repository.users.findForReauthentication(principal.userId, networkOf(origin.ip))
  if (record === null) throw new AuthError('access_token_invalid', { cause: 'the user is gone' })
  const counter: AttemptCounter = { subject: principal.userId, origin: record.networkKnown ? 'known' : 'unknown' }
  return { record, counter, factor: 'password' as const, origin }
}

/** The password once more, from somebody who is logged in; the second factor was shown at the login. */
async function withPassword<T>(service: Service, confirmation: Confirmation, password: string, then: (verified: Verified) => Promise<T>): Promise<T> {
  if (codePoints(password) > longestSecret) throw malformed(`the password must have at most ${longestSecret} characters`)
  const subject = await subjectOf(service, confirmation)
  const record = { ...subject.record, totp: null }
  return withVerifiedUser(service, { ...subject, record, secret: password, otp: null }, then)
}

/** What is done with a code. */
interface OtpUse<Factor, T> {
  /** null: it is wrong. What is wrong is refused after the same steps, whether or not the account is locked. */
  readonly read: (record: LoginRecord) => Factor | null
  /** Uses it up, or answers false: somebody else was faster. */
  readonly use: (tx: Repository, factor: Factor) => Promise<T | false>
}

/** A code as a counted attempt. It takes as long as a password would. */
async function withOtp<Factor, T>(service: Service, confirmation: Confirmation, otp: string, { read, use }: OtpUse<Factor, T>): Promise<T> {
  const subject = { ...(await subjectOf(service, confirmation)), refusedAs: 'invalid_otp' } as const
  return countedAttempt(service, subject, async (reservation) => {
    await service.hasher.verify(null, otp, fairnessOf(subject))
    const factor = read(subject.record)
    const { verdict } = reservation
    if (verdict !== 'granted') throw new Refused(verdict)
    if (factor === null) throw new Refused('otp_wrong')
    return service.repository.transaction(async (tx) => {
      await tx.attempts.settleSuccess(subject.counter, reservation.id, lockoutPolicy)
      await requireAlive(tx, confirmation.principal)
      const result = await use(tx, factor)
      if (result === false) throw new Refused('otp_wrong')
      return result
    })
  })
}

/**
 * Of everything that changes the account, in the transaction of the change: the session may have ended since its token was
 * checked, on another node perhaps. One change of an account at a time.
 */
async function requireAlive(tx: Repository, principal: SessionPrincipal): Promise<void> {
  await tx.users.hold(principal.userId)
  const state = await tx.sessions.find(principal.sessionId)
  if (!state?.alive) throw hasEnded()
}

const hasEnded = (): AuthError => new AuthError('access_token_invalid', { cause: 'the session has ended meanwhile' })

/**
 * Every other session and token of the user is dead from here on. The session that asks lives on, unless it had ended before:
 * then nothing happens.
 * @returns the user's new epoch
 */
async function endOtherSessions(tx: Repository, principal: SessionPrincipal): Promise<number> {
  const epoch = await tx.users.raiseEpoch(principal.userId)
  if (epoch === null || !(await tx.sessions.moveToEpoch(principal.sessionId, epoch))) throw hasEnded()
  await tx.revocations.announce({ kind: 'user', subject: principal.userId, epoch, survivor: principal.sessionId })
  return epoch
}

/** What every change of a credential does besides. @throws AuthError invalid_credentials | access_token_invalid */
async function settleChange(tx: Repository, principal: SessionPrincipal, verified: Verified, origin: Origin): Promise<void> {
  await settleVerified(tx, verified, origin)
  const epoch = await endOtherSessions(tx, principal)
  // Of two changes at once, the second was verified against a secret that is no more.
  if (epoch !== verified.record.user.epoch + 1) throw new AuthError('invalid_credentials', { cause: 'changed meanwhile' })
}

/** @throws AuthError malformed | invalid_credentials */
export async function changePassword(service: Service, principal: SessionPrincipal, change: { current: string; new: string }, origin: Origin): Promise<void> {
  requirePassword(change.new, 'new')
  await withPassword(service, { principal, origin }, change.current, async (verified) => {
    const hash = await service.hasher.hash(change.new, fairnessOf({ origin, counter: verified.counter }))
    await service.repository.transaction(async (tx) => {
      await settleChange(tx, principal, verified, origin)
      await tx.credentials.setPassword(principal.userId, hash)
      await tx.audit.append({ type: 'password_changed', ...by(principal, origin) })
    })
  })
}

/** @throws AuthError malformed | invalid_credentials */
export async function setPin(service: Service, principal: SessionPrincipal, change: { password: string; pin: string }, origin: Origin): Promise<void> {
  requirePin(change.pin)
  await withPassword(service, { principal, origin }, change.password, async (verified) => {
    if (verified.record.user.username === null) throw malformed('a PIN is used with a username, and you have none')
    const pin = await hashPin(service.hasher, service.keyring, change.pin, fairnessOf({ origin, counter: verified.counter }))
    await service.repository.transaction(async (tx) => {
      await settleChange(tx, principal, verified, origin)
      await tx.credentials.setPin(principal.userId, pin)
      await tx.attempts.reopenPin(principal.userId)
      await tx.audit.append({ type: 'pin_changed', ...by(principal, origin) })
    })
  })
}

const enrolmentSeconds = 600

export interface GeneratedTotp {
  readonly secret: string
  readonly otpauthUrl: string
}

/** A secret for this session; it does nothing until it is enabled, within ten minutes. @throws AuthError invalid_credentials | malformed */
export async function generateTotp(service: Service, principal: SessionPrincipal, password: string, origin: Origin, issuer: string): Promise<GeneratedTotp> {
  return withPassword(service, { principal, origin }, password, async (verified) => {
    const secret = newTotpSecret()
    await service.repository.transaction(async (tx) => {
      await settleVerified(tx, verified, origin)
      await requireAlive(tx, principal)
      if (await tx.credentials.hasTotp(principal.userId)) throw alreadyEnabled()
      await tx.credentials.saveTotpEnrolment(principal.sessionId, service.keyring.seal('totp', secret, principal.userId), enrolmentSeconds)
    })
    const { username, email } = verified.record.user
    return { secret: base32(secret), otpauthUrl: otpauthUrl(secret, issuer, email ?? username ?? principal.userId) }
  })
}

const alreadyEnabled = (): AuthError => malformed('TFA is already enabled: disable it first')

/** @returns recovery codes, shown once. @throws AuthError malformed | invalid_otp */
export async function enableTotp(service: Service, principal: SessionPrincipal, given: { secret: string; otp: string }, origin: Origin): Promise<string[]> {
  const { credentials } = service.repository
  const sealed = await credentials.findTotpEnrolment(principal.sessionId)
  const secret = sealed && service.keyring.unseal('totp', sealed, principal.userId)
  if (secret === null || !isBase32Of(secret, given.secret)) {
    throw malformed('secret must be the one that was generated for this session in the last 10 minutes: call /users/me/tfa/generate again')
  }
  const codes = newRecoveryCodes()
  return withOtp(service, { principal, origin }, given.otp, {
    read: () => matchingStep(secret, given.otp, service.clock.now()),
    async use(tx, step) {
      if (await tx.credentials.hasTotp(principal.userId)) throw alreadyEnabled()
      const hashes = codes.map((code) => recoveryCodeHash(service, principal.userId, code))
      await tx.credentials.enableTotp(principal.userId, service.keyring.seal('totp', secret, principal.userId), step, hashes)
      await tx.credentials.deleteTotpEnrolment(principal.sessionId)
      await tx.audit.append({ type: 'totp_enabled', ...by(principal, origin) })
      return codes
    },
  })
}

const by = ({ userId, sessionId }: SessionPrincipal, origin: Origin) => ({ actor: { kind: 'user', id: userId }, userId, sessionId, origin }) as const

/** @param otp a code, or a recovery code. @throws AuthError invalid_otp | malformed */
export async function disableTotp(service: Service, principal: SessionPrincipal, otp: string, origin: Origin): Promise<void> {
  if (!(await service.repository.credentials.hasTotp(principal.userId))) throw malformed('TFA is not enabled')
  await withOtp(service, { principal, origin }, otp, {
    read(record) {
      const factor = readSecondFactor(service, record, otp)
      return factor === 'missing' || factor === 'wrong' ? null : factor
    },
    async use(tx, factor) {
      if (!(await consumeSecondFactor(tx, principal.userId, factor, origin))) return false
      await tx.credentials.disableTotp(principal.userId)
      await tx.audit.append({ type: 'totp_disabled', ...by(principal, origin) })
      return true
    },
  })
}

/** Newest first. */
export const listSessions = (service: Service, userId: string): Promise<Session[]> => service.repository.sessions.listAlive(userId)

/** @throws AuthError not_found, for another user's session too */
export async function endOwnSession(service: Service, principal: SessionPrincipal, sessionId: string, origin: Origin): Promise<void> {
  await service.repository.transaction(async (tx) => {
    await requireAlive(tx, principal)
    const state = await tx.sessions.find(sessionId)
    if (!state?.alive || state.user.id !== principal.userId) throw new AuthError('not_found', { reason: 'there is no such session: GET /users/me/sessions lists yours' })
    await endSession(tx, { sessionId, because: 'ended_by_user', origin, actor: null })
  })
}

/** Ends all sessions but the one that asks. */
export async function endOtherOwnSessions(service: Service, principal: SessionPrincipal, origin: Origin): Promise<void> {
  await service.repository.transaction(async (tx) => {
    await endOtherSessions(tx, principal)
    await tx.audit.append({ type: 'sessions_ended', ...by(principal, origin) })
  })
}
