import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { administratorOf } from '../../plugins/administration.js'
import { failures, KeyAnswer, KeyParams, KeysAnswer, NoSuchKey, RevokedAlready } from '../../schemas/admin.js'
import type { SigningKeyReport } from '../../src/domain/signing-keys.js'
import { security, tags } from './security.js'

const schemas = {
  list: { summary: 'List the keys that sign access tokens', tags, security, operationId: 'adminListKeys', response: { 200: KeysAnswer, ...failures } },
  rotate: { summary: 'Publish a new signing key; it signs as soon as every verifier knows it', tags, security, operationId: 'adminRotateKeys', response: { 201: KeyAnswer, ...failures } },
  revoke: {
    summary: 'Refuse everything that a signing key has signed: an emergency',
    description: 'Your own access token ends too, if that key signed it. If no other key can sign, a new one does at once.',
    tags,
    security,
    operationId: 'adminRevokeKey',
    params: KeyParams,
    response: { 200: KeyAnswer, ...failures, 404: NoSuchKey, 409: RevokedAlready },
  },
}

export const keys: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const preHandler = app.authenticateAdministrator
  const config = { ignoreBody: true }

  app.get('/admin/keys', { schema: schemas.list, preHandler }, async () => ({ data: (await app.administration.listKeys()).map(toKey) }))

  app.post('/admin/keys/rotate', { schema: schemas.rotate, config, preHandler }, async (request, reply) => {
    const key = await app.administration.rotateKeys(administratorOf(request))
    return reply.code(201).send({ data: toKey(key) })
  })

  app.post('/admin/keys/:kid/revoke', { schema: schemas.revoke, config, preHandler }, async (request) => {
    const key = await app.administration.revokeKey(request.params.kid, administratorOf(request))
    return { data: toKey(key) }
  })
  done()
}

const toKey = ({ kid, alg, state, publishedAt, signsFrom, revokedAt }: SigningKeyReport) => ({
  kid,
  alg,
  state,
  published_at: publishedAt.toISOString(),
  signs_from: signsFrom.toISOString(),
  revoked_at: revokedAt?.toISOString() ?? null,
})
