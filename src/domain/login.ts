import { v7 as uuidv7 } from 'uuid'
import type { AuditEvent } from './audit.js'
import { countedAttempt, fairnessOf, Refused, type AttemptSubject, type Refusal } from './counted-attempt.js'
import { AuthError } from './errors.js'
import type { Standing } from './hash-queue.js'
import { issueGrant, type Grant } from './grants.js'
import { lockoutPolicy, type DecidedReservation, type Factor } from './lockout.js'
import type { AuthenticationMethod, Origin, SessionState } from './model.js'
import { networkOf } from './network.js'
import { hashPin, verifyPin, type Comparison } from './passwords.js'
import type { AttemptCounter, Identifier, LoginRecord, Repository } from './ports.js'
import { decodeRefreshToken } from './refresh-token.js'
import type { DialectPolicy, Service } from './service.js'
import { endSession } from './sessions.js'
import { consumeSecondFactor, readSecondFactor, type SecondFactor } from './totp.js'

export interface LoginAttempt {
  readonly dialect: DialectPolicy
  readonly identifier: Identifier
  readonly factor: Factor
  readonly secret: string
  readonly otp: string | null
  readonly origin: Origin
  /** Refresh tokens that came as cookies: a live one of this user makes the origin a known one. */
  readonly refreshCookies: readonly string[]
  /** The refresh cookie of this very dialect: its session ends once the login has succeeded. */
  readonly replaces: string | null
}

/**
 * Opens a session for who knows the secret, and the second factor where one is enabled.
 * @throws AuthError invalid_credentials | unknown_user | invalid_otp | unavailable. All three refusals take the same steps, and
 *   the same time, whatever the reason; which of them a client can tell apart is its dialect's error table
 */
export async function login(service: Service, attempt: LoginAttempt): Promise<Grant> {
  const { by, folded } = attempt.identifier
  const evidence = evidenceOf(service, attempt)
  const knownBy = service.knownPlaces.find(attempt.identifier, [evidence.network, ...evidence.sessionIds])
  // Of two who are known by different things, neither is in the other's way.
  const name = `${by} ${folded}${knownBy === null ? '' : ` ${knownBy}`}`
  const standing = knownBy === null ? 'unknown' : 'known'
  return service.hasher.inLine(name, standing, () => loginInTurn(service, attempt, evidence, standing))
}

/** What may make an origin a known one: where it is, and the genuine refresh tokens that it shows, whosever they are. */
interface Evidence {
  readonly network: string
  readonly sessionIds: readonly string[]
}

async function loginInTurn(service: Service, attempt: LoginAttempt, { network, sessionIds }: Evidence, standing: Standing): Promise<Grant> {
  const place = await service.hasher.enter(network, standing)
  try {
    const record = await service.repository.users.findForLogin(attempt.identifier, network, sessionIds)
    const counter = counterOf(service, attempt, record)
    return await withVerifiedUser(service, { ...attempt, record, counter, place }, (verified) => openSession(service, attempt, verified))
  } finally {
    place.leave()
  }
}

/** Strangers and known origins are counted apart, so that a stranger's guesses never lock the owner out. */
function counterOf(service: Service, { identifier: { by, folded } }: LoginAttempt, record: LoginRecord | null): AttemptCounter {
  const nobody = `unknown:${service.keyring.hmac('log_hash', `${by}:${folded}`).toString('base64url')}`
  return { subject: record?.user.id ?? nobody, origin: record?.networkKnown || record?.ownsSession ? 'known' : 'unknown' }
}

const evidenceOf = (service: Service, { origin, refreshCookies }: LoginAttempt): Evidence => ({
  network: networkOf(origin.ip),
  sessionIds: refreshCookies.flatMap((cookie) => decodeRefreshToken(cookie, service.keyring)?.sessionId ?? []),
})

/** A secret to be checked against a user who may not exist. */
export interface Verification extends AttemptSubject {
  readonly secret: string
  readonly otp: string | null
}

export interface Verified {
  readonly record: LoginRecord
  readonly counter: AttemptCounter
  readonly reservationId: string
  readonly secondFactor: SecondFactor | null
  readonly amr: readonly AuthenticationMethod[]
}

/**
 * Checks the secret and the second factor as one counted attempt, and runs `then` for the verified user; `then` settles the
 * success inside its own transaction (`settleVerified`).
 */
export async function withVerifiedUser<T>(service: Service, verification: Verification, then: (verified: Verified) => Promise<T>): Promise<T> {
  const { record, counter, factor } = verification
  return countedAttempt(service, verification, async (reservation) => {
    const { refusal, secondFactor } = await evaluate(service, verification, reservation.verdict)
    if (refusal !== null || record === null || reservation.verdict !== 'granted') throw new Refused(refusal ?? 'unknown_user')
    const amr: AuthenticationMethod[] = [factor === 'pin' ? 'pin' : 'pwd', ...(secondFactor ? (['otp'] as const) : [])]
    return then({ record, counter, reservationId: reservation.id, secondFactor, amr })
  })
}

interface Outcome {
  readonly refusal: Refusal | null
  readonly secondFactor: SecondFactor | null
}

/**
 * The same work for every reason: what must not be compared is compared with a hash that nothing matches. The second factor is
 * read while the clock of the comparison runs, so that a right secret without it takes as long as a wrong secret.
 */
async function evaluate(service: Service, verification: Verification, verdict: DecidedReservation['verdict']): Promise<Outcome> {
  const { record, factor, secret, otp } = verification
  const refusal = refusalBefore(record, factor, verdict)
  const comparable = refusal === null ? record : null
  let outcome: Outcome = { refusal: refusal ?? 'wrong_secret', secondFactor: null }
  const accepts = (): boolean => {
    if (comparable !== null) outcome = outcomeOf(readSecondFactor(service, comparable, otp))
    return outcome.refusal === null
  }
  await compare(service, comparable, factor, secret, { ...fairnessOf(verification), accepts })
  return outcome
}

const outcomeOf = (factor: ReturnType<typeof readSecondFactor>): Outcome =>
  factor === 'missing' || factor === 'wrong' ? { refusal: `otp_${factor}`, secondFactor: null } : { refusal: null, secondFactor: factor }

function refusalBefore(record: LoginRecord | null, factor: Factor, verdict: DecidedReservation['verdict']): Refusal | null {
  if (record === null) return 'unknown_user'
  if (verdict !== 'granted') return verdict
  if (record.user.status !== 'active') return 'suspended'
  const credential = factor === 'pin' ? record.pin : record.passwordHash
  return credential === null ? 'no_such_credential' : null
}

function compare(service: Service, record: LoginRecord | null, factor: Factor, secret: string, comparison: Comparison): Promise<boolean> {
  return factor === 'pin'
    ? verifyPin(service.hasher, service.keyring, record?.pin ?? null, secret, comparison)
    : service.hasher.verify(record?.passwordHash ?? null, secret, comparison)
}

/** Inside the transaction of what the verification was for. The second factor is used up here, or the transaction fails. */
export async function settleVerified(tx: Repository, verified: Verified, origin: Origin): Promise<void> {
  const { record, secondFactor } = verified
  await tx.attempts.settleSuccess(verified.counter, verified.reservationId, lockoutPolicy)
  if (secondFactor !== null && !(await consumeSecondFactor(tx, record.user.id, secondFactor, origin))) throw new Refused('otp_wrong')
}

async function openSession(service: Service, attempt: LoginAttempt, verified: Verified): Promise<Grant> {
  const { user } = verified.record
  const state = await service.repository.transaction(async (tx) => {
    await settleVerified(tx, verified, attempt.origin)
    const opened = await tx.sessions.open(newSession(attempt, verified))
    if (opened === null) throw new Refused('changed_meanwhile')
    await tx.users.rememberNetwork(user.id, networkOf(attempt.origin.ip))
    await endReplaced(service, tx, attempt)
    await tx.audit.append(successEvent(attempt, opened))
    return opened
  })
  for (const evidence of [networkOf(attempt.origin.ip), state.session.id]) service.knownPlaces.remember(user, evidence)
  await rehashIfOutdated(service, attempt, verified)
  return issueGrant(service, attempt.dialect, state, { key: service.keyring.current('refresh'), generation: 0 })
}

const newSession = ({ dialect, origin }: LoginAttempt, { record, amr }: Verified) => ({
  id: uuidv7(),
  userId: record.user.id,
  dialect: dialect.name,
  amr,
  ip: origin.ip,
  userAgent: origin.userAgent,
  epoch: record.user.epoch,
  lifetimeSeconds: dialect.refreshSeconds,
  idleSeconds: dialect.idleSeconds,
})

async function endReplaced(service: Service, tx: Repository, { replaces, dialect, origin }: LoginAttempt): Promise<void> {
  const token = replaces === null ? null : decodeRefreshToken(replaces, service.keyring)
  if (token?.dialect === dialect.name) await endSession(tx, { sessionId: token.sessionId, because: 'replaced', origin, actor: null })
}

const successEvent = ({ dialect, origin }: LoginAttempt, { session, user }: SessionState): AuditEvent => ({
  type: 'login_succeeded',
  actor: { kind: 'user', id: user.id },
  userId: user.id,
  sessionId: session.id,
  dialect: dialect.name,
  origin,
  detail: { amr: session.amr },
})

/** A raised cost takes effect here, where the secret is at hand. Best effort: the login has succeeded already. */
async function rehashIfOutdated(service: Service, attempt: LoginAttempt, verified: Verified): Promise<void> {
  const { record } = verified
  const stored = attempt.factor === 'pin' ? (record.pin?.hash ?? null) : record.passwordHash
  if (stored === null || !service.hasher.isOutdated(stored)) return
  try {
    const fairness = fairnessOf({ origin: attempt.origin, counter: verified.counter })
    if (attempt.factor === 'pin') {
      await service.repository.credentials.replacePinHash(record.user.id, stored, await hashPin(service.hasher, service.keyring, attempt.secret, fairness))
    } else {
      await service.repository.credentials.replacePasswordHash(record.user.id, stored, await service.hasher.hash(attempt.secret, fairness))
    }
  } catch (error) {
    if (!(error instanceof AuthError && error.code === 'unavailable')) throw error
  }
}
