import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, EndSessionsBody, EndSessionsQuery, KeysRemaining } from '../../schemas/account.js'
import { malformed } from '../../src/domain/errors.js'
import { tellKeys } from './keys-remaining.js'
import { session } from './security.js'

const schema = {
  summary: 'End every session of mine but the one that asks',
  description: 'API keys live on, unless `end_keys` is true. Send it in the query, or in a body if your client can send one with DELETE.',
  tags: ['account'],
  security: session,
  operationId: 'endOtherSessions',
  querystring: EndSessionsQuery,
  body: EndSessionsBody,
  response: { 204: KeysRemaining('All others are over.'), ...bodyFailures },
}

export const endOtherSessions: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.delete('/users/me/sessions', { schema, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    const keys = await app.identity.account.endOtherSessions(sessionOf(request), originOf(request), { endKeys: endKeysIn(request.query, request.body) })
    return tellKeys(reply, keys).code(204).send(null)
  })
  done()
}

/** @throws AuthError malformed */
function endKeysIn({ end_keys: inQuery }: Static<typeof EndSessionsQuery>, { end_keys: inBody }: Static<typeof EndSessionsBody>): boolean {
  if (inQuery !== undefined && inBody !== undefined) throw malformed('give end_keys once: in the query or in the body')
  return inQuery ?? inBody ?? false
}
