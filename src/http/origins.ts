import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../config/index.js'
import { isLoopback } from '../config/loopback.js'

export type KnownOrigins = Pick<Config, 'publicUrl' | 'corsOrigins' | 'host'>

/**
 * What a browser says of where a request comes from: `Sec-Fetch-Site` (Fetch Metadata), `Origin` (RFC 6454). `same-origin` alone says
 * that the page has the name that was called, and not whose name that is: a name of an attacker that resolves to us is one too.
 * @param serviceOrigin for a gateway that asks: where the client sent its request
 */
export function isForeign(headers: IncomingHttpHeaders, known: KnownOrigins, serviceOrigin: string | null = null): boolean {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  const isListed = origin !== undefined && known.corsOrigins.includes(origin)
  const isOwn = origin === undefined || origin === known.publicUrl.origin || origin === serviceOrigin || (site === 'same-origin' && isAlias(origin, known))
  if (!isListed && !isOwn) return true
  return site !== undefined && site !== 'none' && site !== 'same-origin' && !isListed
}

/** Other names of this machine, where the service is for this machine: any port, for it may be mapped. */
function isAlias(origin: string, { publicUrl, host }: KnownOrigins): boolean {
  if (!publicUrl.isLoopback && !isLoopback(host)) return false
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname)
}
