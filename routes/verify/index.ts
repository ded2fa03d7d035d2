import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from '@sinclair/typebox'
import { extractCredential } from '../../plugins/token-extraction.js'
import { Problem, problems } from '../../schemas/problem.js'
import { Identified, VerifyQuery } from '../../schemas/verify.js'
import { AuthError, malformed } from '../../src/domain/errors.js'
import type { Principal } from '../../src/domain/model.js'
import { addressMatcher } from '../../src/http/addresses.js'
import { canonicalCheck } from '../../src/http/canonical-path.js'
import { isForeign } from '../../src/http/origins.js'
import { identityHeaders, nobody } from './identity-headers.js'
import { identityToken } from './identity-token.js'
import { everyMethod } from './methods.js'
import { readOriginalRequest, type Gateways } from './original-request.js'
import { isPreflight, isUnsafe } from './unsafe.js'

/** Any one of them. */
const security: readonly Readonly<Record<string, readonly string[]>>[] = [{ bearer: [] }, { apiKey: [] }, { cookie: [] }, { query: [] }]

const schema = {
  tags: ['gateway'],
  summary: 'Forward authentication: who makes the request that a gateway asks about',
  description: 'Any method. The answer is in the headers `X-Auth-User`, `-Username`, `-Email`, `-Session`, `-Scopes`, `-Method` and, on request, `-Token`.',
  security,
  querystring: VerifyQuery,
  response: {
    200: Identified,
    ...problems,
    401: Problem('No credential, or a bad one. See `WWW-Authenticate`.'),
    403: Problem('The scope or role that this path takes is not held, a foreign page asks, or `token_for` names a service that is not configured.'),
  },
}

/** For nginx `auth_request`, Traefik ForwardAuth, Caddy `forward_auth`, Envoy `ext_authz` (docs/gateways.md). */
export const verifyRoutes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { config } = fastify
  const isTrusted = addressMatcher(config.trustProxy)
  const gateways: Gateways = { isTrusted, isCanonical: canonicalCheck(config.verifyPathAllows), isHttps: config.publicUrl.isHttps }

  // What a proxy passes on of the original body is nobody's business here.
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    done(null, undefined)
  })

  async function verify(request: FastifyRequest<{ Querystring: Demands }>, reply: FastifyReply): Promise<''> {
    const original = readOriginalRequest(request, gateways)
    const demands = original.isQueryOfClient ? {} : demandsOf(request)
    reply.header('cache-control', 'no-store')
    if (config.verifyPreflight && isPreflight(request, original)) {
      reply.headers(nobody)
      return ''
    }
    const presented = extractCredential(request, original.query)
    const principal = await fastify.identity.authenticate(presented)
    const isByCookie = presented.kind === 'access_token' && presented.via === 'cookie'
    if (isByCookie && isUnsafe(request, original) && isForeign(request.headers, config, original.origin)) throw new AuthError('cross_site')
    requireHeld(principal, demands)
    reply.headers(identityHeaders(principal, presented))
    if (demands.token_for !== undefined) {
      requireAudience(request, demands.token_for)
      reply.header('x-auth-token', identityToken(fastify, principal, demands.token_for, fastify.clock.now()))
    }
    return ''
  }

  /** An identity token is a gateway's to ask for, and for the services behind it only. */
  function requireAudience(request: FastifyRequest, audience: string): void {
    if (!isTrusted(request.socket.remoteAddress)) throw new AuthError('forbidden', { reason: 'token_for is for gateways: name yours in TRUST_PROXY' })
    if (!config.verifyTokenAudiences.includes(audience)) throw new AuthError('forbidden', { reason: 'token_for must be one of VERIFY_TOKEN_AUDIENCES' })
  }

  // Whose query it is, and whether its form matters, is known in the handler.
  const attachValidation = true
  fastify.get('/verify', { attachValidation, schema: { ...schema, operationId: 'verify' } }, verify)
  const others = everyMethod(fastify).filter((method) => method !== 'GET' && method !== 'HEAD')
  // Described once: the answer is the same.
  fastify.route({ method: others, url: '/verify', attachValidation, schema: { ...schema, hide: true }, handler: verify })
  fastify.route({ method: ['GET', 'HEAD', ...others], url: '/verify/*', attachValidation, schema: { ...schema, hide: true }, handler: verify })
  return Promise.resolve()
}

type Demands = Omit<Static<typeof VerifyQuery>, 'access_token'>

const parameters = Object.keys(VerifyQuery.properties)

/** @throws AuthError malformed, for a parameter that there is not too: a demand that is mistyped would let everybody pass */
function demandsOf(request: FastifyRequest<{ Querystring: Demands }>): Demands {
  if (request.validationError) throw request.validationError
  const isKnown = Object.keys(request.query).every((name) => parameters.includes(name))
  if (!isKnown) throw malformed(`the query of /verify may have ${list.format(parameters)}, and nothing else`)
  return request.query
}

const list = new Intl.ListFormat('en', { type: 'conjunction' })

function requireHeld(principal: Principal, { scope, role }: Demands): void {
  const missing = (scope ?? '').split(' ').find((name) => name !== '' && !principal.scopes.includes(name))
  if (missing !== undefined) throw new AuthError('forbidden', { oauth: 'insufficient_scope', reason: 'a scope that this path takes is not held' })
  if (role !== undefined && !holdsRole(principal, role)) throw new AuthError('forbidden', { reason: 'the role that this path takes is not held' })
}

/** A key of an administrator is one only as far as its scopes go. */
const holdsRole = (principal: Principal, role: 'user' | 'admin'): boolean =>
  principal.kind !== 'client' && (role === 'user' || principal.scopes.includes('admin'))
