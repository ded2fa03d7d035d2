import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { administratorOf } from '../../plugins/administration.js'
import { bodyFailures, Done, failures, NoSuchUser, SetPasswordBody, SetPinBody, UserParams, Yourself } from '../../schemas/admin.js'
import { security, tags } from './security.js'

const params = UserParams
const refusals = { ...failures, 404: NoSuchUser }
const bodyRefusals = { ...bodyFailures, 404: NoSuchUser, 409: Yourself }

const schemas = {
  password: { summary: 'Give a user a new password; every session ends', tags, security, operationId: 'adminSetPassword', params, body: SetPasswordBody, response: { 204: Done('The password is set.'), ...bodyRefusals } },
  pin: { summary: 'Give a user a new PIN, which is open again; every session ends', tags, security, operationId: 'adminSetPin', params, body: SetPinBody, response: { 204: Done('The PIN is set.'), ...bodyRefusals } },
  resetTotp: { summary: 'Switch off the second factor of a user who has lost it', tags, security, operationId: 'adminResetTotp', params, response: { 204: Done('There is none now.'), ...refusals, 409: Yourself } },
  unlock: { summary: 'Lift the wait after failed logins; a PIN that was closed stays closed', tags, security, operationId: 'adminUnlockUser', params, response: { 204: Done('The user may try again.'), ...refusals } },
  revoke: { summary: 'End every session and delete every API key of a user', tags, security, operationId: 'adminRevokeUser', params, response: { 204: Done('All of them are over.'), ...refusals, 409: Yourself } },
}

/** An operator sets secrets and takes rights away; nothing here answers with either. */
export const userSecrets: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const preHandler = app.authenticateAdministrator
  const preValidation = absentBodyIsEmpty
  const config = { ignoreBody: true }

  app.post('/admin/users/:id/password', { schema: schemas.password, config: { hashes: true }, preValidation, preHandler }, async (request, reply) => {
    await app.administration.setPassword(request.params.id, request.body.password, administratorOf(request))
    return reply.code(204).send(null)
  })

  app.post('/admin/users/:id/pin', { schema: schemas.pin, config: { hashes: true }, preValidation, preHandler }, async (request, reply) => {
    await app.administration.setPin(request.params.id, request.body.pin, administratorOf(request))
    return reply.code(204).send(null)
  })

  app.post('/admin/users/:id/reset-totp', { schema: schemas.resetTotp, config, preHandler }, async (request, reply) => {
    await app.administration.resetTotp(request.params.id, administratorOf(request))
    return reply.code(204).send(null)
  })

  app.post('/admin/users/:id/unlock', { schema: schemas.unlock, config, preHandler }, async (request, reply) => {
    await app.administration.unlockUser(request.params.id, administratorOf(request))
    return reply.code(204).send(null)
  })

  app.post('/admin/users/:id/revoke', { schema: schemas.revoke, config, preHandler }, async (request, reply) => {
    await app.administration.revokeUser(request.params.id, administratorOf(request))
    return reply.code(204).send(null)
  })
  done()
}
