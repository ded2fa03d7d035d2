import type { FastifyReply } from 'fastify'
import { belowPublicPath, readCookie, type TokenCookie } from '../../plugins/cookie-transport.js'
import { refreshCookieNames } from '../../plugins/refresh-cookies.js'
import { accessTokenCookieName } from '../../plugins/token-extraction.js'
import type { Config } from '../../src/config/index.js'
import type { Grant } from '../../src/domain/grants.js'

export interface PinCookies {
  readonly access: TokenCookie
  readonly refresh: TokenCookie
}

export const pinCookies = ({ publicUrl }: Pick<Config, 'publicUrl'>): PinCookies => ({
  // At `/`, wherever a gateway put us: it must reach every service behind that gateway.
  access: { name: accessTokenCookieName, path: '/', sameSite: 'lax' },
  refresh: { name: refreshCookieNames.pin, path: belowPublicPath(publicUrl, '/auth'), sameSite: 'strict' },
})

export function setGrantCookies(reply: FastifyReply, cookies: PinCookies, grant: Grant): void {
  reply.setTokenCookie(cookies.access, grant.accessToken, grant.accessSeconds)
  reply.setTokenCookie(cookies.refresh, grant.refreshToken, grant.refreshSeconds)
}

/** For a login, which knows of one cookie that it will stand beside the new one, if it is of another scope. */
export function replaceGrantCookies(reply: FastifyReply, cookies: PinCookies, grant: Grant): void {
  clearOtherScopes(reply, cookies)
  setGrantCookies(reply, cookies, grant)
}

export function clearGrantCookies(reply: FastifyReply, cookies: PinCookies): void {
  // One of each name is of a session that is over now, whatever its scope; the next login clears it away.
  const isDoubled = Object.values(cookies).some(({ name }: TokenCookie) => readCookie(reply.request, name).kind === 'many')
  if (isDoubled) clearOtherScopes(reply, cookies)
  reply.clearTokenCookie(cookies.access)
  reply.clearTokenCookie(cookies.refresh)
}

/** What an earlier configuration set in another scope would stand beside ours, and the two would open nothing. */
function clearOtherScopes(reply: FastifyReply, { access, refresh }: PinCookies): void {
  reply.clearOtherScopes(access).clearOtherScopes(refresh)
}
