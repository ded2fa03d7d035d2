import { AuthError } from './errors.js'
import type { Standing } from './model.js'

/**
 * An API key lives on when the session that made it has ended, so it takes more than a session. A PIN is short, and typed where
 * others look on: alone it makes no keys. A maximum age asks for a login that is recent, whatever refreshed the session since.
 * @param maxAgeSeconds null: any age
 * @throws AuthError forbidden
 */
export function requireLoginForKeys(login: Standing['login'], maxAgeSeconds: number | null): void {
  if (login === null) throw new AuthError('forbidden')
  if (login.amr.every((method) => method === 'pin')) {
    throw new AuthError('forbidden', { reason: 'a login by PIN alone makes no API keys: log in with your password, or with your PIN and a second factor' })
  }
  if (maxAgeSeconds !== null && login.secondsAgo > maxAgeSeconds) {
    throw new AuthError('forbidden', { reason: `your last login is more than ${inWords(maxAgeSeconds)} ago: log in again to make API keys` })
  }
}

const units = [[86_400, 'day'], [3600, 'hour'], [60, 'minute']] as const

/** In the largest unit that it is a whole number of. */
function inWords(seconds: number): string {
  const [unitSeconds, unit] = units.find(([size]) => seconds % size === 0) ?? [1, 'second']
  const count = seconds / unitSeconds
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
