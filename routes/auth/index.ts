import type { TSchema } from '@sinclair/typebox'
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify'
import { readCookie } from '../../plugins/cookie-transport.js'
import { refreshCookieNames } from '../../plugins/refresh-cookies.js'
import { accessTokenCookieName } from '../../plugins/token-extraction.js'
import { validationReason } from '../../plugins/validation-reason.js'
import type { Config } from '../../src/config/index.js'
import { malformed } from '../../src/domain/errors.js'
import type { AuthDoorDialect, Dialect } from '../dialect.js'
import { directus } from '../directus/index.js'
import { pin } from '../pin/index.js'
import { documentation } from './documentation.js'
import { doorDialects, pick, type Choice, type DoorDialect, type OperationName, type Presented } from './pick.js'
import { shapeForBoth } from './shape-for-both.js'

/** In src/app.ts: its `errors` answer for its `prefixes`, its `routes` are registered after the identity plugins. */
export type AuthDoor = Omit<Dialect, 'name'>

/**
 * The three paths that `pin` and `directus` share. With one of them switched off the other answers everything below
 * /auth/; with both off there is nothing here.
 */
export function authDoor(config: Config): AuthDoor {
  const dialects = { pin: pin(config), directus: directus(config) }
  const enabled = doorDialects.filter((name) => config.dialects.includes(name))
  const [only, ...others] = enabled
  const errors = only !== undefined && others.length === 0 ? dialects[only].errors : shapeForBoth
  const routes = (app: FastifyInstance): Promise<void> => {
    if (enabled.length > 0) for (const operation of operations) addRoute(app, operation, dialects, enabled)
    return Promise.resolve()
  }
  return { prefixes: ['/auth/'], errors, routes }
}

const operations = ['login', 'refresh', 'logout'] as const satisfies readonly OperationName[]

const configs = { login: { hashes: true }, refresh: { rateClass: 'refresh' }, logout: {} } as const satisfies Record<OperationName, FastifyContextConfig>

function addRoute(app: FastifyInstance, operation: OperationName, dialects: Readonly<Record<DoorDialect, AuthDoorDialect>>, enabled: readonly DoorDialect[]): void {
  app.route({
    method: 'POST',
    url: `/auth/${operation}`,
    config: { ...configs[operation], documentedBy: Object.fromEntries(enabled.map((name) => [name, documentation(operation, [dialects[name]])])) },
    schema: documentation(operation, enabled.map((name) => dialects[name])),
    // What is documented are the bodies and answers of both; which of them a request is held to is known after the choice.
    attachValidation: true,
    serializerCompiler: () => (answer) => JSON.stringify(answer),
    handler: async (request, reply) => {
      const body = bodyOf(request)
      const dialect = dialects[chosen(pick(operation, { body, cookies: cookiesOf(request, operation) }, enabled))]
      request.errorShape = dialect.errors
      const { body: schema } = dialect[operation]
      if (schema !== null) validate(request, schema, body ?? {})
      return dialect[operation].handle(request, reply, body ?? {})
    },
  })
}

/** @throws AuthError malformed for anything but an object or nothing at all */
function bodyOf({ body }: FastifyRequest): object | undefined {
  if (body === undefined) return undefined
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw malformed('The body must be an object')
  return body
}

/** The access token's cookie says who is meant only where it is what the call works with. */
const pinCookieNames = {
  login: [],
  refresh: [refreshCookieNames.pin],
  logout: [refreshCookieNames.pin, accessTokenCookieName],
} as const satisfies Record<OperationName, readonly string[]>

function cookiesOf(request: FastifyRequest, operation: OperationName): Presented['cookies'] {
  const has = (name: string): boolean => readCookie(request, name).kind !== 'none'
  return { pin: pinCookieNames[operation].some(has), directus: has(refreshCookieNames.directus) }
}

/** @throws AuthError malformed in the shape for both: nobody was chosen */
function chosen(choice: Choice): DoorDialect {
  if (choice === 'mixture') throw malformed('The body must have name and pin or email and password, not members of both')
  if (choice === 'neither') throw malformed('name and pin, or email and password, are required')
  return choice
}

/** @throws AuthError malformed in the words of plugins/validation-reason.ts */
function validate(request: FastifyRequest, schema: TSchema, body: object): void {
  const matches = request.compileValidationSchema(schema, 'body')
  if (!matches(body)) throw malformed(validationReason(matches.errors ?? []))
}
