import type { FastifyRequest } from 'fastify'
import { AuthError } from '../src/domain/errors.js'
import { cookieValues, readCookie } from './cookie-transport.js'

/** The cookies that carry refresh tokens, by the dialect that sets them. */
export const refreshCookieNames = { pin: 'refreshToken', directus: 'directus_refresh_token' } as const

/**
 * Every refresh token that came as a cookie, of whatever dialect: a live one of the same user tells a login that the client
 * is a known one. Two cookies of one name tell nothing.
 */
export function refreshCookiesOf(request: FastifyRequest): string[] {
  return Object.values(refreshCookieNames).flatMap((name) => onlyCookie(request, name) ?? [])
}

/** More of one name are an attack, and each costs a signature. */
const mostOfOneName = 4

/** For a logout, which opens nothing: each of them is ended, or one would live on unseen. */
export const allCookies = (request: FastifyRequest, name: string): string[] => [...new Set(cookieValues(request, name))].slice(0, mostOfOneName)

/** @returns null for no cookie of that name, and for two: which of them the client means cannot be known */
export function onlyCookie(request: FastifyRequest, name: string): string | null {
  const reading = readCookie(request, name)
  return reading.kind === 'one' ? reading.value : null
}

/**
 * @returns null when there is no such cookie
 * @throws AuthError refresh_invalid for two of them
 */
export function refreshCookieOf(request: FastifyRequest, name: string): string | null {
  if (readCookie(request, name).kind === 'many') throw new AuthError('refresh_invalid', { cause: 'two cookies of one name' })
  return onlyCookie(request, name)
}
