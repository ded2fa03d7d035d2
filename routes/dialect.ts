import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from '@sinclair/typebox'
import type { ErrorShape } from '../plugins/error-shape.js'
import type { Config } from '../src/config/index.js'
import type { AuthErrorCode } from '../src/domain/errors.js'
import type { DialectName } from '../src/domain/model.js'

/** Every error has its row: a missing one does not compile. */
export type ErrorTable<Row> = Readonly<Record<AuthErrorCode, Row>>

/**
 * One documented API, served beside the others over the same users and sessions. Its folder holds everything about it: routes,
 * error table, cookies. A fifth dialect is a folder with one of these, and a line in src/app.ts.
 */
export interface Dialect {
  readonly name: DialectName
  /** Unknown paths below them answer in this dialect's shape. */
  readonly prefixes: readonly string[]
  readonly errors: ErrorShape
  /** The routes on paths of its own; not wrapped in fastify-plugin, so that its hooks stay inside. */
  readonly routes: FastifyPluginAsync
}

export type DialectFactory = (config: Config) => Dialect

/** One of the three calls on /auth, which two dialects share: the door (routes/auth) picks, validates and delegates. */
export interface Operation<Body extends TSchema = TSchema> {
  /** null: takes no body; one that is sent is not looked at. */
  readonly body: Body | null
  readonly response: Readonly<Record<number, TSchema>>
  readonly summary: string
  handle(request: FastifyRequest, reply: FastifyReply, body: Static<Body>): Promise<FastifyReply>
}

/** What a dialect brings to the shared door. */
export interface AuthDoorDialect {
  readonly name: DialectName
  readonly errors: ErrorShape
  readonly login: Operation
  readonly refresh: Operation
  readonly logout: Operation
}
