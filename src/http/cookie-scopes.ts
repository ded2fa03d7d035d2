import { isIP } from 'node:net'
import type { Config } from '../config/index.js'

export type CookieConfig = Pick<Config, 'publicUrl' | 'cookieDomain' | 'cookieSameSite'>

/**
 * In which scopes an earlier configuration may have set our cookies, the present one left out: `COOKIE_DOMAIN` may have been another,
 * or none. A browser sends the cookies of all of them, and two of one name open nothing.
 * @returns domains; null: the host alone (RFC 6265 §5.3)
 */
export function otherCookieDomains({ publicUrl, cookieDomain }: CookieConfig): (string | null)[] {
  const { hostname } = new URL(publicUrl.href)
  const present = cookieDomain?.replace(/^\./, '').toLowerCase() ?? null
  return [null, ...domainsOf(hostname)].filter((domain) => domain !== present)
}

/** A host and the domains above it that may have cookies; none of an address or a name without a dot. */
function domainsOf(hostname: string): string[] {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return []
  const labels = hostname.split('.')
  return labels.slice(0, -1).map((_label, i) => labels.slice(i).join('.'))
}

/**
 * Where an earlier path of `PUBLIC_URL` may have put a cookie that is sent to this path too: `/auth` for `/auth/auth`. The cookies of
 * other paths are not sent here, and disturb nobody.
 */
export function earlierPaths(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '')
  const above = parts.map((_part, i) => parts.slice(0, i))
  return above.filter((shorter) => shorter.length > 0 && shorter.at(-1) === parts.at(-1)).map((shorter) => `/${shorter.join('/')}`)
}
