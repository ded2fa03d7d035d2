import { lockoutPolicy } from './lockout.js'
import type { OriginFailures } from './ports.js'
import type { CoreService } from './service.js'

/** What failed guesses have done to an account, for operators. Strangers and known origins are counted apart. */
export interface LockoutReport {
  readonly known: OriginFailures
  readonly unknown: OriginFailures
  /** Until when nobody gets in from one of the two, or from either; null: no wait is under way. */
  readonly lockedUntil: Date | null
  /** Ten wrong PINs in a row, from one of the two: a new PIN opens it. */
  readonly pinClosed: boolean
}

const none: OriginFailures = { failures: 0, wrongPins: 0, lockedUntil: null, pinClosed: false }

export async function lockoutOf({ repository }: Pick<CoreService, 'repository'>, userId: string): Promise<LockoutReport> {
  const found = await repository.attempts.find(userId, lockoutPolicy)
  const known = found.known ?? none
  const unknown = found.unknown ?? none
  const waits = [known, unknown].flatMap(({ lockedUntil }) => lockedUntil ?? [])
  return {
    known,
    unknown,
    lockedUntil: waits.length === 0 ? null : new Date(Math.max(...waits.map((wait) => wait.getTime()))),
    pinClosed: known.pinClosed || unknown.pinClosed,
  }
}
