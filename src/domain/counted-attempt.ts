import type { AuditEvent } from './audit.js'
import type { EventKind } from './audit-repeats.js'
import { AuthError } from './errors.js'
import type { Fairness, Place } from './hash-queue.js'
import { lockoutPolicy, reserveAttempt, type DecidedReservation, type Factor } from './lockout.js'
import type { Origin } from './model.js'
import { networkOf, networksAround } from './network.js'
import type { AttemptCounter, LoginRecord } from './ports.js'
import type { DialectPolicy, Service } from './service.js'

/** Why an attempt failed. For the audit, never for the client. */
export type Refusal =
  | 'unknown_user'
  | 'no_such_credential'
  | 'suspended'
  | 'wrong_secret'
  | 'locked'
  | 'pin_closed'
  | 'otp_missing'
  | 'otp_wrong'
  | 'changed_meanwhile'

/** Carries the reason from the step that found it to the one place that counts, audits and answers it. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal)
  }
}

/** Whose attempt it is, and from where. */
export interface AttemptSubject {
  /** null: nobody has that name. */
  readonly record: LoginRecord | null
  readonly counter: AttemptCounter
  readonly factor: Factor
  readonly origin: Origin
  /** In the hash queue, if one was taken. */
  readonly place?: Place
  readonly dialect?: DialectPolicy
  /** What every refusal of this attempt is answered with, so that a lockout does not show. Unless given, it depends. */
  readonly refusedAs?: 'invalid_otp'
}

/**
 * One guess at a secret, whatever the secret: reserved before it is evaluated, counted and audited when `evaluate` throws
 * `Refused`, released when it could not be evaluated. The success is settled by `evaluate`, in the transaction of its effect.
 * @throws AuthError invalid_credentials | unknown_user | invalid_otp, and whatever else `evaluate` throws
 */
export async function countedAttempt<T>(service: Service, subject: AttemptSubject, evaluate: (reservation: DecidedReservation) => Promise<T>): Promise<T> {
  const reservation = await reserveAttempt(service.repository.attempts, subject.counter, subject.factor)
  const reservationId = reservation.verdict === 'granted' ? reservation.id : null
  try {
    return await evaluate(reservation)
  } catch (error) {
    if (error instanceof Refused) return refuse(service, subject, reservationId, error.refusal)
    releaseLater(service, subject.counter, reservationId)
    throw error
  }
}

async function refuse(service: Service, subject: AttemptSubject, reservationId: string | null, refusal: Refusal): Promise<never> {
  const event = service.auditRepeats.admit(failureEvent(subject, refusal), kindOf(subject, reservationId))
  await service.repository.transaction(async (tx) => {
    await tx.attempts.settleFailure(subject.counter, reservationId, subject.factor, lockoutPolicy)
    if (event !== null) await tx.audit.append(event)
  })
  if (subject.refusedAs) throw new AuthError(subject.refusedAs, { cause: refusal })
  if (refusal === 'otp_missing' || refusal === 'otp_wrong') throw new AuthError('invalid_otp', { cause: refusal })
  throw new AuthError(subject.record === null ? 'unknown_user' : 'invalid_credentials', { cause: refusal })
}

/** Not by the reason: which of two guesses is written down must not depend on whether somebody has that name. */
const kindOf = ({ counter, origin }: AttemptSubject, reservationId: string | null): EventKind => ({
  what: reservationId === null ? 'guess while locked' : 'guess',
  subject: `${counter.subject} ${counter.origin}`,
  network: networksAround(networkOf(origin.ip))[0] ?? null,
  oneByOne: lockoutPolicy.freeFailures,
})

function failureEvent({ record, counter, factor, origin, dialect }: AttemptSubject, refusal: Refusal): AuditEvent {
  return {
    type: refusal === 'locked' || refusal === 'pin_closed' ? 'login_locked' : 'login_failed',
    actor: { kind: 'user', id: counter.subject },
    userId: record?.user.id ?? null,
    dialect: dialect?.name ?? null,
    origin,
    detail: { reason: refusal, factor, known_origin: counter.origin === 'known' },
  }
}

/** What was reserved and not evaluated (the queue was full, the database went away) is no failure. Nobody waits for it. */
function releaseLater(service: Service, counter: AttemptCounter, reservationId: string | null): void {
  if (reservationId === null) return
  // The reservation lapses by itself; the error that brought us here is the one to report.
  service.repository.attempts.release(counter, reservationId).catch(() => undefined)
}

export const fairnessOf = ({ origin, counter, place }: Pick<AttemptSubject, 'origin' | 'counter' | 'place'>): Fairness => ({
  address: networkOf(origin.ip),
  account: counter.subject,
  standing: counter.origin,
  ...(place === undefined ? {} : { place }),
})
