import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { problems } from '../../schemas/problem.js'
import { KeySet, Metadata } from '../../schemas/well-known.js'
import { authorizationServerMetadata, openidProviderMetadata } from './metadata.js'

const tags = ['well-known']

const schemas = {
  keys: { summary: 'The public keys that verify our tokens', tags, operationId: 'publicKeys', response: { 200: { content: { 'application/jwk-set+json': { schema: KeySet } } }, ...problems } },
  openid: { summary: 'OpenID provider metadata', tags, operationId: 'openidConfiguration', response: { 200: Metadata, ...problems } },
  oauth: { summary: 'Authorization server metadata (RFC 8414)', tags, operationId: 'authorizationServerMetadata', response: { 200: Metadata, ...problems } },
}

/** What other services read before they trust our tokens. */
export const wellKnown: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const maxAge = `public, max-age=${app.config.signingKeyMaxAgeSeconds}`
  app.addHook('onRequest', (_request, reply, next) => {
    reply.header('cache-control', maxAge)
    next()
  })

  app.get('/.well-known/jwks.json', { schema: schemas.keys }, (_request, reply) => {
    reply.type('application/jwk-set+json')
    return { keys: app.signingKeys.published().map(({ publicJwk }) => publicJwk) }
  })
  app.get('/.well-known/openid-configuration', { schema: schemas.openid }, () => openidProviderMetadata(app))
  const [path, ...samePaths] = oauthPaths(app.config.publicUrl.path)
  app.get(path, { schema: schemas.oauth }, () => authorizationServerMetadata(app))
  for (const same of samePaths) app.get(same, { schema: { ...schemas.oauth, hide: true } }, () => authorizationServerMetadata(app))
  done()
}

const oauthPath = '/.well-known/oauth-authorization-server'

/** RFC 8414 §3.1: for an issuer with a path, clients ask for the path behind the well-known one. */
const oauthPaths = (publicPath: string): [string, ...string[]] => [oauthPath, ...(/^(\/[\w.~-]+)+$/.test(publicPath) ? [oauthPath + publicPath] : [])]
