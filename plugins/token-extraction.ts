import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { PresentedCredential } from '../src/domain/credential.js'
import { malformed } from '../src/domain/errors.js'
import { readCookie } from './cookie-transport.js'
import { queryOf } from './request-path.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `?access_token=` counts here, on GET and HEAD. */
    queryToken?: boolean
  }
}

export const accessTokenCookieName = 'accessToken'
const queryParameter = 'access_token'
const apiKeyPrefix = 'sk_live_'

/**
 * The one credential that a request presents. Cookies are looked at only when nothing explicit stands there, so that a
 * bad explicit one never falls through to a good cookie.
 * @param forwardedQuery for a gateway that asks: the query of the request it asks about, where a token counts as in our own
 * @throws AuthError malformed for two explicit credentials, or one twice
 */
export function extractCredential(request: FastifyRequest, forwardedQuery: string | null = null): PresentedCredential {
  const authorizations = headerValues(request, 'authorization')
  const apiKeys = headerValues(request, 'x-api-key')
  const queryTokens = [...queryTokensOf(request), ...tokensIn(forwardedQuery ?? '')]
  if (authorizations.length + apiKeys.length + queryTokens.length > 1) throw malformed('Send one credential, once')
  const [authorization] = authorizations
  const [apiKey] = apiKeys
  const [queryToken] = queryTokens
  if (authorization !== undefined) return fromAuthorization(authorization)
  if (apiKey !== undefined) return apiKey === '' ? { kind: 'unusable' } : { kind: 'api_key', key: apiKey }
  if (queryToken !== undefined && (forwardedQuery !== null || takesQueryToken(request))) return accessToken(queryToken, 'query')
  return fromCookie(request)
}

/** Whether an explicit credential stands in a header: what no other site can make a browser send. */
export const hasCredentialHeader = (request: FastifyRequest): boolean =>
  headerValues(request, 'authorization').length + headerValues(request, 'x-api-key').length > 0

/** Every value of a header, as sent: `request.headers` drops the second `Authorization` and joins others. */
export function headerValues(request: FastifyRequest, name: string): string[] {
  const { rawHeaders } = request.raw
  return rawHeaders.flatMap((text, i) => (i % 2 === 0 && text.toLowerCase() === name ? [(rawHeaders[i + 1] ?? '').trim()] : []))
}

const queryTokensOf = (request: FastifyRequest): string[] => tokensIn(queryOf(request.url))

const tokensIn = (query: string): string[] => (query === '' ? [] : new URLSearchParams(query).getAll(queryParameter))

const takesQueryToken = ({ method, routeOptions }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && routeOptions.config.queryToken === true

const bearer = /^bearer +([^\s,]+)$/i

function fromAuthorization(authorization: string): PresentedCredential {
  const token = bearer.exec(authorization)?.[1]
  if (token === undefined) return { kind: 'unusable' }
  return token.startsWith(apiKeyPrefix) ? { kind: 'api_key', key: token } : accessToken(token, 'header')
}

function fromCookie(request: FastifyRequest): PresentedCredential {
  const reading = readCookie(request, accessTokenCookieName)
  if (reading.kind === 'one') return accessToken(reading.value, 'cookie')
  return reading.kind === 'none' ? reading : { kind: 'unusable' }
}

const accessToken = (token: string, via: 'header' | 'query' | 'cookie'): PresentedCredential =>
  token === '' ? { kind: 'unusable' } : { kind: 'access_token', token, via }

/** An answer to a URL that carries a token is kept by nobody, and the URL is told to nobody. */
function tokenExtractionPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onSend', (request, reply, payload, next) => {
    if (queryTokensOf(request).length > 0) reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
    next(null, payload)
  })
  done()
}

export default fp(tokenExtractionPlugin, { name: 'token-extraction', dependencies: ['cookie-transport'] })
