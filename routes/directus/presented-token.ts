import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { refreshCookieOf } from '../../plugins/refresh-cookies.js'
import type { RefreshBody } from '../../schemas/directus.js'
import { AuthError } from '../../src/domain/errors.js'
import { refreshCookie } from './tokens.js'

export interface PresentedToken {
  readonly token: string
  readonly via: 'body' | 'cookie'
}

/**
 * The refresh token of a refresh or logout. One in the body beats the cookie; an empty one is none, as an empty cookie is.
 * @throws AuthError refresh_missing | refresh_invalid (two cookies of one name)
 */
export function presentedToken(request: FastifyRequest, body: Static<typeof RefreshBody>): PresentedToken {
  if (body.refresh_token) return { token: body.refresh_token, via: 'body' }
  const token = refreshCookieOf(request, refreshCookie.name)
  if (token === null) throw new AuthError('refresh_missing')
  return { token, via: 'cookie' }
}
