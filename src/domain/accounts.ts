import type { AuditEventType } from './audit.js'
import { change, type Changed } from './authority.js'
import { AuthError, malformed } from './errors.js'
import { codePoints } from './identifiers.js'
import { countedAttempt, fairnessOf, Refused } from './counted-attempt.js'
import { lockoutPolicy } from './lockout.js'
import { settleVerified, withVerifiedUser, type Verified } from './login.js'
import type { NewRevocation, Origin, Session, SessionPrincipal, User } from './model.js'
import { networkOf } from './network.js'
import { hashPin, longestSecret, requirePassword, requirePin } from './passwords.js'
import type { AttemptCounter, LoginRecord, Repository } from './ports.js'
import type { Service } from './service.js'
import { endSessionRow } from './sessions.js'
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
  readonly use: (tx: Repository, factor: Factor) => Promise<Changed<T> | false>
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
    return changeOwn(service, confirmation.principal, async (tx) => {
      await tx.attempts.settleSuccess(subject.counter, reservation.id, lockoutPolicy)
      await tx.users.hold(confirmation.principal.userId)
      const changed = await use(tx, factor)
      if (changed === false) throw new Refused('otp_wrong')
      return changed
    })
  })
}

/** A change of the account by a session of its user. `work` takes the counters first, then the user: one change at a time. */
const changeOwn = <T>(service: Service, principal: SessionPrincipal, work: (tx: Repository) => Promise<Changed<T>>): Promise<T> =>
  change(service, { holder: principal, scope: null }, work)

const hasEnded = (): AuthError => new AuthError('access_token_invalid', { cause: 'the session has ended meanwhile' })

/** What else ends with a change: the API keys of the user, if that is asked for. */
export interface Ending {
  readonly endKeys?: boolean
}

/** What became of the API keys of the user. */
export interface KeysAfter {
  readonly ended: number
  /** Not expired: they go on working. */
  readonly remaining: number
}

interface Ended {
  readonly ends: readonly NewRevocation[]
  readonly keys: KeysAfter
}

/**
 * Every other session and token of the user is dead from here on. The session that asks lives on, unless it had ended before:
 * then nothing happens. The user is held: no key is made meanwhile.
 * @param expectedEpoch what the epoch must be afterwards. null: whatever it becomes
 */
async function endOthers(tx: Repository, { userId, sessionId }: SessionPrincipal, { endKeys }: Ending, expectedEpoch: number | null = null): Promise<Ended> {
  const epoch = await tx.users.raiseEpoch(userId)
  if (epoch === null || !(await tx.sessions.moveToEpoch(sessionId, epoch))) throw hasEnded()
  // Of two changes at once, the second was verified against a secret that is no more.
  if (expectedEpoch !== null && epoch !== expectedEpoch) throw new AuthError('invalid_credentials', { cause: 'changed meanwhile' })
  const { ids, alive } = endKeys ? await tx.apiKeys.deleteAll(userId) : { ids: [], alive: 0 }
  return {
    ends: [{ kind: 'user', subject: userId, epoch, survivor: sessionId }, ...ids.map((subject) => ({ kind: 'api_key', subject }) as const)],
    keys: { ended: alive, remaining: await tx.apiKeys.countAlive(userId) },
  }
}

/** What every change of a credential does besides. @throws AuthError invalid_credentials | access_token_invalid */
async function settleChange(tx: Repository, principal: SessionPrincipal, verified: Verified, origin: Origin, ending: Ending): Promise<Ended> {
  await settleVerified(tx, verified, origin)
  return endOthers(tx, principal, ending, verified.record.user.epoch + 1)
}

const afterEnding = (type: AuditEventType, principal: SessionPrincipal, origin: Origin, { ends, keys }: Ended): Changed<KeysAfter> => ({
  result: keys,
  ends,
  events: [{ type, ...by(principal, origin), detail: { api_keys_ended: keys.ended, api_keys_remaining: keys.remaining } }],
})

/** @throws AuthError malformed | invalid_credentials */
export async function changePassword(service: Service, principal: SessionPrincipal, given: { current: string; new: string } & Ending, origin: Origin): Promise<KeysAfter> {
  requirePassword(given.new, 'new')
  return withPassword(service, { principal, origin }, given.current, async (verified) => {
    const hash = await service.hasher.hash(given.new, fairnessOf({ origin, counter: verified.counter }))
    return changeOwn(service, principal, async (tx) => {
      const ended = await settleChange(tx, principal, verified, origin, given)
      await tx.credentials.setPassword(principal.userId, hash)
      return afterEnding('password_changed', principal, origin, ended)
    })
  })
}

/** @throws AuthError malformed | invalid_credentials */
export async function setPin(service: Service, principal: SessionPrincipal, given: { password: string; pin: string } & Ending, origin: Origin): Promise<KeysAfter> {
  requirePin(given.pin)
  return withPassword(service, { principal, origin }, given.password, async (verified) => {
    if (verified.record.user.username === null) throw malformed('a PIN is used with a username, and you have none')
    const pin = await hashPin(service.hasher, service.keyring, given.pin, fairnessOf({ origin, counter: verified.counter }))
    return changeOwn(service, principal, async (tx) => {
      // All counters before the user, as a login from elsewhere takes its own.
      await tx.attempts.hold(principal.userId)
      await tx.attempts.reopenPin(principal.userId)
      const ended = await settleChange(tx, principal, verified, origin, given)
      await tx.credentials.setPin(principal.userId, pin)
      return afterEnding('pin_changed', principal, origin, ended)
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
    await changeOwn(service, principal, async (tx) => {
      await settleVerified(tx, verified, origin)
      await tx.users.hold(principal.userId)
      if (await tx.credentials.hasTotp(principal.userId)) throw alreadyEnabled()
      await tx.credentials.saveTotpEnrolment(principal.sessionId, service.keyring.seal('totp', secret, principal.userId), enrolmentSeconds)
      return { result: undefined }
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
      return { result: codes, events: [{ type: 'totp_enabled', ...by(principal, origin) }] }
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
      return { result: undefined, events: [{ type: 'totp_disabled', ...by(principal, origin) }] }
    },
  })
}

/** Newest first. */
export const listSessions = (service: Service, userId: string): Promise<Session[]> => service.repository.sessions.listAlive(userId)

/** @throws AuthError not_found, for another user's session too */
export async function endOwnSession(service: Service, principal: SessionPrincipal, sessionId: string, origin: Origin): Promise<void> {
  // Whoever ends the own session loses the authority by that: nothing is left to check.
  const authority = sessionId === principal.sessionId ? null : { holder: principal, scope: null }
  await change(service, authority, async (tx) => {
    await tx.users.hold(principal.userId)
    const state = await tx.sessions.find(sessionId)
    if (!state?.alive || state.user.id !== principal.userId) throw new AuthError('not_found', { reason: 'there is no such session: GET /users/me/sessions lists yours' })
    return endSessionRow(tx, { sessionId, because: 'ended_by_user', origin, actor: null })
  })
}

/** Ends all sessions but the one that asks. */
export const endOtherOwnSessions = (service: Service, principal: SessionPrincipal, origin: Origin, ending: Ending = {}): Promise<KeysAfter> =>
  changeOwn(service, principal, async (tx) => afterEnding('sessions_ended', principal, origin, await endOthers(tx, principal, ending)))
