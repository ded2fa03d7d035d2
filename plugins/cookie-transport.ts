import cookie from '@fastify/cookie'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { PublicUrl } from '../src/config/index.js'
import { earlierPaths, otherCookieDomains, type CookieConfig } from '../src/http/cookie-scopes.js'

/** A cookie that carries a token. It is always `HttpOnly`, and `Secure` exactly when `PUBLIC_URL` is https. */
export interface TokenCookie {
  readonly name: string
  readonly path: string
  /** Unless `COOKIE_SAMESITE` says otherwise. */
  readonly sameSite: 'lax' | 'strict'
}

declare module 'fastify' {
  interface FastifyReply {
    /** @param value stands in the header as it is: compact JWS, no characters that need escaping */
    setTokenCookie(cookie: TokenCookie, value: string, maxAgeSeconds: number): FastifyReply
    /** Same name, path and domain, empty, over. */
    clearTokenCookie(cookie: TokenCookie): FastifyReply
    /**
     * Ends every cookie of that name that was set in another scope, if the request has one of that name at all. Call it before
     * the cookie is set or cleared: some clients take a host and a domain of the same name for one scope, and the last line wins.
     */
    clearOtherScopes(cookie: TokenCookie): FastifyReply
  }
}

export interface CookieTransportOptions {
  readonly config: CookieConfig
}

async function cookieTransportPlugin(app: FastifyInstance, { config }: CookieTransportOptions): Promise<void> {
  // Only its writing half is used: its reading half takes the first of two cookies of one name and says nothing.
  await app.register(cookie, { hook: false })

  const otherDomains = otherCookieDomains(config)
  const attributes = ({ path, sameSite }: TokenCookie) => ({
    path,
    httpOnly: true,
    secure: config.publicUrl.isHttps,
    sameSite: config.cookieSameSite ?? sameSite,
    ...(config.cookieDomain === null ? {} : { domain: config.cookieDomain }),
    encode: (value: string) => value,
  })

  app.decorateReply('setTokenCookie', function (cookie, value, maxAgeSeconds) {
    return this.setCookie(cookie.name, value, { ...attributes(cookie), maxAge: Math.floor(maxAgeSeconds) })
  })
  app.decorateReply('clearTokenCookie', function (cookie) {
    return this.clearCookie(cookie.name, attributes(cookie))
  })
  app.decorateReply('clearOtherScopes', function (cookie) {
    if (!hasCookie(this.request, cookie.name)) return this
    const paths = [cookie.path, ...earlierPaths(cookie.path)]
    const { domain, ...others } = attributes(cookie)
    for (const path of paths) {
      for (const other of otherDomains) this.clearCookie(cookie.name, { ...others, path, ...(other === null ? {} : { domain: other }) })
      if (path !== cookie.path) this.clearCookie(cookie.name, { ...others, path, ...(domain === undefined ? {} : { domain }) })
    }
    return this
  })
}

/** Where a gateway serves the service below a path, a cookie's path lies below it too. */
export const belowPublicPath = (publicUrl: Pick<PublicUrl, 'path'>, path: string): string => publicUrl.path.replace(/\/+$/, '') + path

/** Whether a request has such a cookie, once or more often. */
export const hasCookie = (request: FastifyRequest, name: string): boolean => readCookie(request, name).kind !== 'none'

export type CookieReading = { readonly kind: 'none' } | { readonly kind: 'one'; readonly value: string } | { readonly kind: 'many' }

/**
 * A cookie of a request. An empty value is no cookie. Two of one name are `many`, whatever they say: which of them the
 * client means cannot be known (RFC 6265 §4.2.2).
 */
export function readCookie(request: FastifyRequest, name: string): CookieReading {
  const [value, ...others] = cookieValues(request, name)
  if (value === undefined) return { kind: 'none' }
  return others.length > 0 ? { kind: 'many' } : { kind: 'one', value }
}

/** Every value of a cookie, as often as it stands there. */
export function cookieValues({ headers }: Pick<FastifyRequest, 'headers'>, name: string): string[] {
  return (headers.cookie ?? '')
    .split(';')
    .flatMap((pair) => {
      const equals = pair.indexOf('=')
      return equals !== -1 && pair.slice(0, equals).trim() === name ? [unquoted(pair.slice(equals + 1).trim())] : []
    })
    .filter((value) => value !== '')
}

const unquoted = (value: string): string => (value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)

export default fp(cookieTransportPlugin, { name: 'cookie-transport' })
