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

/** Between one look and the next, since each one writes. */
const pauseMs = { first: 20, longest: 120 }
/** From where the owner is known, right logins of one account may be many: they wait as long as a hash may. Strangers wait a second. */
const patienceMs = { known: 5000, unknown: 1000 } satisfies Record<AttemptCounter['origin'], number>

/**
 * Takes a place among the guesses that may be evaluated. Others that are still being evaluated delay it: those of this node stand in
 * a line before they come here (`inLine`), so who is met here is another node's, or on its way out.
 * @throws AuthError unavailable when the others take longer
 */
export async function reserveAttempt(attempts: Attempts, counter: AttemptCounter, factor: Factor): Promise<DecidedReservation> {
  let waitedMs = 0
  for (let pause = pauseMs.first; ; pause = Math.min(2 * pause, pauseMs.longest)) {
    const reservation = await attempts.reserve(counter, factor, lockoutPolicy)
    if (reservation.verdict !== 'busy') return reservation
    if (waitedMs >= patienceMs[counter.origin]) break
    // Not all at the same moment.
    const thisPauseMs = pause * (0.5 + Math.random() / 2)
    waitedMs += thisPauseMs
    await new Promise((resolve) => setTimeout(resolve, thisPauseMs))
  }
  throw unavailable('other attempts on this account are still being evaluated')
}
