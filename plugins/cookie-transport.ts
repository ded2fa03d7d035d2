import cookie from '@fastify/cookie'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config, PublicUrl } from '../src/config/index.js'

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
  }
}

export interface CookieTransportOptions {
  readonly config: Pick<Config, 'publicUrl' | 'cookieDomain' | 'cookieSameSite'>
}

async function cookieTransportPlugin(app: FastifyInstance, { config }: CookieTransportOptions): Promise<void> {
  // Only its writing half is used: its reading half takes the first of two cookies of one name and says nothing.
  await app.register(cookie, { hook: false })

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
}

/** Where a gateway serves the service below a path, a cookie's path lies below it too. */
export const belowPublicPath = (publicUrl: Pick<PublicUrl, 'path'>, path: string): string => publicUrl.path.replace(/\/+$/, '') + path

export type CookieReading = { readonly kind: 'none' } | { readonly kind: 'one'; readonly value: string } | { readonly kind: 'many' }

/**
 * A cookie of a request. An empty value is no cookie. Two of one name are `many`, whatever they say: which of them the
 * client means cannot be known (RFC 6265 §4.2.2).
 */
export function readCookie(request: FastifyRequest, name: string): CookieReading {
  const [value, ...others] = cookieValues(request.headers.cookie ?? '', name)
  if (value === undefined) return { kind: 'none' }
  return others.length > 0 ? { kind: 'many' } : { kind: 'one', value }
}

function cookieValues(header: string, name: string): string[] {
  return header
    .split(';')
    .flatMap((pair) => {
      const equals = pair.indexOf('=')
      return equals !== -1 && pair.slice(0, equals).trim() === name ? [unquoted(pair.slice(equals + 1).trim())] : []
    })
    .filter((value) => value !== '')
}

const unquoted = (value: string): string => (value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)

export default fp(cookieTransportPlugin, { name: 'cookie-transport' })
