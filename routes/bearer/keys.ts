import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { principalOf, sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import {
  AuthenticationRequired,
  failures,
  Forbidden,
  KeyListAnswer,
  KeyNotFound,
  KeyParams,
  NewKeyAnswer,
  NewKeyBody,
  NoContent,
  QuotaReached,
  RollBody,
  ScopeForbidden,
  ScopeNeeded,
} from '../../schemas/bearer.js'
import { defaultOverlapSeconds, type ApiKeyRequest, type CreatedApiKey } from '../../src/domain/api-keys.js'
import { AuthError } from '../../src/domain/errors.js'
import type { ApiKey, Principal } from '../../src/domain/model.js'
import { keyIdOf, parseKeyId } from './ids.js'
import { parseTimestamp, wholeSeconds } from './timestamps.js'

const tags = ['bearer']
const security = [{ bearer: [] }]
const refusals = { ...failures, 401: AuthenticationRequired, 403: Forbidden }

const schemas = {
  create: {
    summary: 'Create an API key',
    tags,
    security,
    operationId: 'bearerCreateKey',
    body: NewKeyBody,
    response: { 201: NewKeyAnswer, ...refusals, 403: ScopeForbidden, 409: QuotaReached },
  },
  list: { summary: 'List the caller’s API keys', tags, security: [...security, { apiKey: [] }], operationId: 'bearerListKeys', response: { 200: KeyListAnswer, ...refusals, 403: ScopeNeeded } },
  delete: {
    summary: 'Delete an API key: it is dead at once',
    tags,
    security,
    operationId: 'bearerDeleteKey',
    params: KeyParams,
    response: { 204: NoContent, ...refusals, 404: KeyNotFound },
  },
  roll: {
    summary: 'Replace an API key; the old one lives on for the overlap',
    tags,
    security,
    operationId: 'bearerRollKey',
    params: KeyParams,
    body: RollBody,
    response: { 201: NewKeyAnswer, ...refusals, 404: KeyNotFound, 409: QuotaReached },
  },
}


export const keys: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const preHandler = app.authenticateSession
  const preValidation = absentBodyIsEmpty

  app.post('/api/v1/auth/keys', { schema: schemas.create, preValidation, preHandler }, async (request, reply) => {
    const created = await app.identity.apiKeys.create(sessionOf(request), toRequest(request.body), originOf(request))
    return reply.code(201).send(toNewKeyAnswer(created))
  })

  app.get('/api/v1/auth/keys', { schema: schemas.list, preHandler: app.requireScope('profile') }, async (request) => {
    const list = await app.identity.apiKeys.list(ownerOf(principalOf(request)))
    return list.map(toListedKey)
  })

  app.delete('/api/v1/auth/keys/:keyId', { schema: schemas.delete, config: { ignoreBody: true }, preHandler }, async (request, reply) => {
    await app.identity.apiKeys.delete(sessionOf(request), parseKeyId(request.params.keyId), originOf(request))
    return reply.code(204).send(null)
  })

  app.post('/api/v1/auth/keys/:keyId/roll', { schema: schemas.roll, preValidation, preHandler }, async (request, reply) => {
    const { overlapSeconds = defaultOverlapSeconds } = request.body
    const created = await app.identity.apiKeys.roll(sessionOf(request), parseKeyId(request.params.keyId), overlapSeconds, originOf(request))
    return reply.code(201).send(toNewKeyAnswer(created))
  })
  done()
}

function ownerOf(principal: Principal): string {
  if (principal.kind === 'client') throw new AuthError('forbidden', { reason: 'a client has no API keys' })
  return principal.userId
}

function toRequest({ name = 'API key', scopes = [], expiresAt }: Static<typeof NewKeyBody>): ApiKeyRequest {
  return {
    name,
    scopes: scopes.length === 0 ? null : scopes,
    expiresAt: expiresAt === undefined ? null : parseTimestamp(expiresAt, 'expiresAt'),
  }
}

const toNewKeyAnswer = ({ key, secret }: CreatedApiKey): Static<typeof NewKeyAnswer> => ({
  keyId: keyIdOf(key),
  apiKey: secret,
  name: key.name,
  createdAt: wholeSeconds(key.createdAt),
})

const toListedKey = (key: ApiKey): Static<typeof KeyListAnswer>[number] => ({
  keyId: keyIdOf(key),
  name: key.name,
  createdAt: wholeSeconds(key.createdAt),
  lastUsed: key.lastUsedAt && wholeSeconds(key.lastUsedAt),
  scopes: key.scopes === null ? null : [...key.scopes],
  expiresAt: key.expiresAt && wholeSeconds(key.expiresAt),
  hint: key.hint,
})
