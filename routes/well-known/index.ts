import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { problems } from '../../schemas/problem.js'
import { KeySet, Metadata } from '../../schemas/well-known.js'
import { authorizationServerMetadata, metadataForOpenidClients } from './metadata.js'

const tags = ['well-known']

const schemas = {
  keys: { summary: 'The public keys that verify our tokens', tags, operationId: 'publicKeys', response: { 200: { content: { 'application/jwk-set+json': { schema: KeySet } } }, ...problems } },
  openid: { summary: 'The authorization server metadata, where OpenID clients look for it', description: 'There is no OpenID provider: no authorization endpoint, no user info. Besides the metadata of RFC 8414 it says how to verify the id tokens of the dialect tokenset.', tags, operationId: 'openidConfiguration', response: { 200: Metadata, ...problems } },
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
  const documents = [
    { path: '/.well-known/openid-configuration', schema: schemas.openid, answer: () => metadataForOpenidClients(app) },
    { path: '/.well-known/oauth-authorization-server', schema: schemas.oauth, answer: () => authorizationServerMetadata(app) },
  ]
  for (const { path, schema, answer } of documents) {
    app.get(path, { schema }, answer)
    for (const below of insertedPaths(app.config.publicUrl.path)) app.get(path + below, { schema: { ...schema, hide: true } }, answer)
  }
  done()
}

/** RFC 8414 §3.1, §5: for an issuer with a path, clients ask for the path behind the well-known one, for either document. */
const insertedPaths = (publicPath: string): string[] => (/^(\/[\w.~-]+)+$/.test(publicPath) ? [publicPath] : [])
