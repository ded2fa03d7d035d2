import { unavailable } from './errors.js'
import type { AttemptCounter, Attempts, LockoutPolicy, Reservation } from './ports.js'

/** Five failures are free, then the account waits 30 s, doubling to 15 min. Ten wrong PINs in a row close the PIN. */
export const lockoutPolicy: LockoutPolicy = {
  freeFailures: 5,
  firstWaitSeconds: 30,
  longestWaitSeconds: 900,
  pinFailures: 10,
  reservationSeconds: 15,
}

export type Factor = 'password' | 'pin'

export type DecidedReservation = Exclude<Reservation, { verdict: 'busy' }>

/** Between one look and the next, since each one writes: a second in all. */
const pausesMs = [20, 40, 80, 160, 160, 160, 160, 220]

/**
 * Takes a place among the guesses that may be evaluated. Others that are still being evaluated delay it, at most a second:
 * six right logins at once are no failure.
 * @throws AuthError unavailable when the others take longer
 */
export async function reserveAttempt(attempts: Attempts, counter: AttemptCounter, factor: Factor): Promise<DecidedReservation> {
  for (const pauseMs of pausesMs) {
    const reservation = await attempts.reserve(counter, factor, lockoutPolicy)
    if (reservation.verdict !== 'busy') return reservation
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  throw unavailable('other attempts on this account are still being evaluated')
}
