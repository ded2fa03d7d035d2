import type { FastifyReply } from 'fastify'
import { belowPublicPath, type TokenCookie } from '../../plugins/cookie-transport.js'
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

export function clearGrantCookies(reply: FastifyReply, cookies: PinCookies): void {
  reply.clearTokenCookie(cookies.access)
  reply.clearTokenCookie(cookies.refresh)
}
