import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { principalOf } from '../../plugins/authenticate.js'
import { failures, MeAnswer } from '../../schemas/account.js'
import { AuthError } from '../../src/domain/errors.js'
import type { Principal } from '../../src/domain/model.js'
import { anybodyToRead } from './security.js'

const schema = {
  summary: 'Who I am',
  tags: ['account'],
  security: anybodyToRead,
  operationId: 'readMe',
  response: { 200: MeAnswer, ...failures },
}

export const me: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get('/users/me', { schema, config: { queryToken: true }, preHandler: app.authenticate }, async (request) => {
    const user = await app.identity.account.me(userOf(principalOf(request)))
    return {
      data: {
        id: user.id,
        username: user.username,
        email: user.email,
        email_verified: user.emailVerified,
        role: user.role,
        status: user.status,
        tfa_enabled: user.tfaEnabled,
        created_at: user.createdAt.toISOString(),
      },
    }
  })
  done()
}

/** A client is nobody's account; a key that was narrowed to something else does not tell whose it is. */
function userOf(principal: Principal): string {
  if (principal.kind === 'client') throw new AuthError('forbidden', { reason: 'a client has no account' })
  if (!principal.scopes.includes('profile')) throw new AuthError('forbidden', { reason: 'the scope profile is needed' })
  return principal.userId
}
