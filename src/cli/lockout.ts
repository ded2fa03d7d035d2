import type { LockoutReport } from '../domain/lockout-report.js'
import { timeText } from './output.js'

/** What failed guesses have done to an account, in words. */

const origins = [['known', 'known origins'], ['unknown', 'unknown origins']] as const

const pinReopens = '`tessera user set-pin` opens it'

const placesWhere = (report: LockoutReport, holds: (origin: LockoutReport['known']) => boolean): string =>
  origins.flatMap(([origin, words]) => (holds(report[origin]) ? words : [])).join(' and ')

const waits = (report: LockoutReport): string[] =>
  origins.flatMap(([origin, words]) => {
    const { lockedUntil } = report[origin]
    return lockedUntil === null ? [] : [`for ${words} until ${timeText(lockedUntil)}`]
  })

const closedFor = (report: LockoutReport): string => `closed for ${placesWhere(report, ({ pinClosed }) => pinClosed)} after ten wrong ones: ${pinReopens}`

/** For `tessera user show`. */
export const pinFact = (report: LockoutReport, hasPin: boolean): string | boolean => (hasPin && report.pinClosed ? closedFor(report) : hasPin)

export const lockoutFacts = (report: LockoutReport): (readonly [string, string | boolean])[] => [
  ['locked', waits(report).join(', ') || false],
  ['failed logins', `${report.known.failures} from known origins, ${report.unknown.failures} from unknown ones`],
]

/** For `tessera user unlock`. */
export function liftedText(report: LockoutReport): string {
  const counted = report.known.failures + report.unknown.failures
  const lifted =
    waits(report).length > 0
      ? `the lock ${waits(report).join(', ')} is lifted (failed logins: ${report.known.failures} from known origins, ${report.unknown.failures} from unknown ones)`
      : counted > 0
        ? `was not locked; ${counted} failed ${counted === 1 ? 'login is' : 'logins are'} forgotten`
        : 'was not locked'
  return report.pinClosed ? `${lifted}. The PIN stays ${closedFor(report)}` : lifted
}

/** For `--json`. */
export const lockoutValue = ({ known, unknown, lockedUntil, pinClosed }: LockoutReport) => ({ lockedUntil, pinClosed, knownOrigins: known, unknownOrigins: unknown })
