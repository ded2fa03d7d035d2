import type {} from '@fastify/swagger'
import { Type, type SchemaOptions, type TSchema } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { FailureForBoth } from '../../schemas/auth.js'
import type { DialectName } from '../../src/domain/model.js'
import { isJson } from '../../src/http/openapi/json.js'
import type { AuthDoorDialect } from '../dialect.js'
import type { OperationName } from './pick.js'

const operationIds = { login: 'authLogin', refresh: 'authRefresh', logout: 'authLogout' } as const satisfies Record<OperationName, string>

/** A choice has a name too: without one, a generator for Go makes a client that sends `{}`. */
const titles = {
  login: { body: 'AuthLogin', answer: 'AuthLoggedIn' },
  refresh: { body: 'AuthRefresh', answer: 'AuthRefreshed' },
  logout: { body: 'AuthLogout', answer: 'AuthLoggedOut' },
} as const satisfies Record<OperationName, { body: string; answer: string }>

/** Where a request can fail before a dialect is chosen. */
const statusesBeforeChoice: readonly number[] = [400, 403, 413, 415, 429, 500, 503]

/** Of an operation that more than one dialect has. */
const sharedTag = 'auth'

/** A schema, and the dialect that it is of; null: of both at once. */
type Part = readonly [dialect: DialectName | null, schema: TSchema]

/** What OpenAPI says of a path that dialects share: their bodies and answers side by side. */
export function documentation(operation: OperationName, dialects: readonly AuthDoorDialect[]): FastifySchema {
  const bodies = dialects.flatMap((dialect) => dialect[operation].body ?? [])
  return {
    operationId: operationIds[operation],
    tags: [tagOf(dialects)],
    summary: dialects.map((dialect) => `${dialect[operation].summary} (${dialect.name})`).join(' / '),
    ...(bodies.length === 0 ? {} : { body: anyOf(bodies, { title: titles[operation].body, examples: bodies.flatMap(examplesOf) }) }),
    response: responses(operation, dialects),
  }
}

/** One: tools that sort by tags would describe the operation twice. */
const tagOf = (dialects: readonly AuthDoorDialect[]): string => {
  const [only, ...others] = dialects
  return only !== undefined && others.length === 0 ? only.name : sharedTag
}

/** What the demo takes, for each dialect. */
function examplesOf({ examples }: TSchema): unknown[] {
  const list: unknown = examples
  return Array.isArray(list) ? list : []
}

function responses(operation: OperationName, dialects: readonly AuthDoorDialect[]): Record<number, TSchema> {
  const statuses = new Set(dialects.flatMap((dialect) => Object.keys(dialect[operation].response).map(Number)))
  const partsOf = (status: number): Part[] => {
    const own = dialects.flatMap(({ name, [operation]: { response } }): Part[] => (response[status] === undefined ? [] : [[name, response[status]]]))
    return dialects.length > 1 && statusesBeforeChoice.includes(status) ? [...own, [null, FailureForBoth]] : own
  }
  return Object.fromEntries([...statuses].map((status) => [status, eitherOf(partsOf(status), titleOf(operation, status))]))
}

const titleOf = (operation: OperationName, status: number): string => {
  if (status < 400) return titles[operation].answer
  return statusesBeforeChoice.includes(status) ? 'AuthFailure' : 'AuthRefusal'
}

/** @param parts at least one */
function eitherOf(parts: readonly Part[], title: string): TSchema {
  const description = parts.flatMap(([name, schema]) => (schema.description === undefined ? [] : [name === null ? schema.description : `${name}: ${schema.description}`]))
  return anyOf(parts.map(([, schema]) => schema), parts.length > 1 ? { title, description: description.join(' · '), ...headersOf(parts) } : {})
}

/** What any of them sends along. */
function headersOf(parts: readonly Part[]): SchemaOptions {
  const headers: Record<string, object> = {}
  for (const [dialect, schema] of parts) {
    for (const [name, header] of Object.entries(isJson(schema.headers) ? schema.headers : {})) {
      if (!isJson(header)) continue
      const before = headers[name]
      const description = [...(before && 'description' in before ? [before.description] : []), `${dialect}: ${String(header.description)}`].join(' · ')
      headers[name] = { ...header, description }
    }
  }
  return Object.keys(headers).length === 0 ? {} : { headers }
}

/** @param schemas at least one */
function anyOf(schemas: readonly TSchema[], options: SchemaOptions = {}): TSchema {
  const [only, ...others] = schemas
  return only !== undefined && others.length === 0 ? only : Type.Union([...schemas], options)
}
