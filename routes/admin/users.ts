import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { administratorOf } from '../../plugins/administration.js'
import {
  bodyFailures,
  ChangeConflict,
  ChangeUserBody,
  Conflict,
  CreateUserBody,
  Done,
  failures,
  NoSuchUser,
  UserAnswer,
  UserParams,
  UsersAnswer,
  UsersQuery,
  Yourself,
} from '../../schemas/admin.js'
import type { UserChange, UserOverview } from '../../src/domain/administration.js'
import type { LockoutReport } from '../../src/domain/lockout-report.js'
import type { User } from '../../src/domain/model.js'
import { defaultLimit, security, tags } from './security.js'

const schemas = {
  list: { summary: 'List users, or search them by how a name begins', tags, security, operationId: 'adminListUsers', querystring: UsersQuery, response: { 200: UsersAnswer, ...failures } },
  create: { summary: 'Create a user', tags, security, operationId: 'adminCreateUser', body: CreateUserBody, response: { 201: UserAnswer, ...bodyFailures, 409: Conflict } },
  get: { summary: 'A user: names, rights, which secrets are set, what is open, what is locked', tags, security, operationId: 'adminGetUser', params: UserParams, response: { 200: UserAnswer, ...failures, 404: NoSuchUser } },
  change: {
    summary: 'Change names, role or status of a user: all of it, or nothing',
    description: 'Suspension ends every session and silences API keys. Another role or name ends access tokens; sessions live on, and refresh.',
    tags,
    security,
    operationId: 'adminChangeUser',
    params: UserParams,
    body: ChangeUserBody,
    response: { 200: UserAnswer, ...bodyFailures, 404: NoSuchUser, 409: ChangeConflict },
  },
  delete: {
    summary: 'Delete a user, with all sessions and API keys',
    tags,
    security,
    operationId: 'adminDeleteUser',
    params: UserParams,
    response: { 204: Done('Gone.'), ...failures, 404: NoSuchUser, 409: Yourself },
  },
}

export const users: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const preHandler = app.authenticateAdministrator
  const preValidation = absentBodyIsEmpty

  app.get('/admin/users', { schema: schemas.list, preHandler }, async ({ query }) => {
    const { search = null, role = null, status = null, cursor = null, limit = defaultLimit } = query
    const { rows, next } = await app.administration.listUsers({ search, role, status, cursor, limit })
    return { data: rows.map(toUser), next_cursor: next }
  })

  app.post('/admin/users', { schema: schemas.create, config: { hashes: true }, preValidation, preHandler }, async (request, reply) => {
    const { username = null, email = null, password = null, pin = null, role = 'user', status = 'active' } = request.body
    const created = await app.administration.createUser({ username, email, password, pin, role, status }, administratorOf(request))
    return reply.code(201).send({ data: toOverview(created) })
  })

  app.get('/admin/users/:id', { schema: schemas.get, preHandler }, async ({ params }) => ({ data: toOverview(await app.administration.findUser(params.id)) }))

  app.patch('/admin/users/:id', { schema: schemas.change, preValidation, preHandler }, async (request) => {
    const changed = await app.administration.changeUser(request.params.id, toChange(request.body), administratorOf(request))
    return { data: toOverview(changed) }
  })

  app.delete('/admin/users/:id', { schema: schemas.delete, config: { ignoreBody: true }, preHandler }, async (request, reply) => {
    await app.administration.deleteUser(request.params.id, administratorOf(request))
    return reply.code(204).send(null)
  })
  done()
}

/** What the body does not say is not there: null says something. */
const toChange = ({ username, email, email_verified: emailVerified, role, status }: Static<typeof ChangeUserBody>): UserChange => ({
  ...(username === undefined ? {} : { username }),
  ...(email === undefined ? {} : { email }),
  ...(emailVerified === undefined ? {} : { emailVerified }),
  ...(role === undefined ? {} : { role }),
  ...(status === undefined ? {} : { status }),
})

const toUser = ({ id, username, email, emailVerified, role, status, createdAt }: User) =>
  ({ id, username, email, email_verified: emailVerified, role, status, created_at: createdAt.toISOString() })

const toOverview = ({ user, hasPassword, hasPin, tfaEnabled, sessions, apiKeys, lockout }: UserOverview): Static<typeof UserAnswer>['data'] =>
  ({ ...toUser(user), has_password: hasPassword, has_pin: hasPin, tfa_enabled: tfaEnabled, sessions, api_keys: apiKeys, lockout: toLockout(lockout) })

const toLockout = ({ lockedUntil, pinClosed, known, unknown }: LockoutReport) =>
  ({ locked_until: lockedUntil?.toISOString() ?? null, pin_closed: pinClosed, known_origins: toFailures(known), unknown_origins: toFailures(unknown) })

const toFailures = ({ failures, wrongPins, lockedUntil, pinClosed }: LockoutReport['known']) =>
  ({ failures, wrong_pins: wrongPins, locked_until: lockedUntil?.toISOString() ?? null, pin_closed: pinClosed })
