import type {} from '@fastify/swagger'
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { FailureForBoth } from '../../schemas/auth.js'
import type { AuthDoorDialect } from '../dialect.js'
import type { OperationName } from './pick.js'

const operationIds = { login: 'authLogin', refresh: 'authRefresh', logout: 'authLogout' } as const satisfies Record<OperationName, string>

/** Where a request can fail before a dialect is chosen. */
const statusesBeforeChoice: readonly number[] = [400, 403, 413, 415, 429, 500, 503]

/** What OpenAPI says of a path that dialects share: their bodies and answers side by side. */
export function documentation(operation: OperationName, dialects: readonly AuthDoorDialect[]): FastifySchema {
  const bodies = dialects.flatMap((dialect) => dialect[operation].body ?? [])
  return {
    operationId: operationIds[operation],
    tags: dialects.map(({ name }) => name),
    summary: dialects.map((dialect) => `${dialect[operation].summary} (${dialect.name})`).join(' / '),
    ...(bodies.length === 0 ? {} : { body: anyOf(bodies) }),
    response: responses(operation, dialects),
  }
}

function responses(operation: OperationName, dialects: readonly AuthDoorDialect[]): Record<number, TSchema> {
  const statuses = new Set(dialects.flatMap((dialect) => Object.keys(dialect[operation].response).map(Number)))
  const ofStatus = (status: number): TSchema[] => {
    const own = dialects.flatMap((dialect) => dialect[operation].response[status] ?? [])
    return dialects.length > 1 && statusesBeforeChoice.includes(status) ? [...own, FailureForBoth] : own
  }
  return Object.fromEntries([...statuses].map((status) => [status, anyOf(ofStatus(status))]))
}

/** @param schemas at least one */
function anyOf(schemas: readonly TSchema[]): TSchema {
  const [only, ...others] = schemas
  if (only !== undefined && others.length === 0) return only
  const descriptions = new Set(schemas.flatMap(({ description }) => description ?? []))
  return Type.Union([...schemas], { description: [...descriptions].join(' — or — ') })
}
