import { STATUS_CODES } from 'node:http'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import { problemTitle } from '../schemas/problem.js'
import type { DialectName } from '../src/domain/model.js'
import { completeDocument } from '../src/http/openapi/complete.js'
import { isJson, mapValues } from '../src/http/openapi/json.js'

type Finish = NonNullable<FastifyDynamicSwaggerOptions['transformObject']>
type OpenapiDocument = Extract<Parameters<Finish>[0], { openapiObject: unknown }>['openapiObject']
type Describe = NonNullable<FastifyDynamicSwaggerOptions['transform']>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How each dialect documents a path that dialects share. */
    documentedBy?: Partial<Record<DialectName, FastifySchema>>
  }
}

export const finishDocument: Finish = (generated) => {
  if (!('openapiObject' in generated)) return generated.swaggerObject
  const finished = completeDocument({ ...generated.openapiObject })
  if (!isDocument(finished)) throw new Error('the OpenAPI document has no info or no paths')
  return finished
}

const isDocument = (value: unknown): value is OpenapiDocument => isJson(value) && isJson(value.info) && isJson(value.paths)

/** For the document of everything. */
export const describeRoute: Describe = ({ schema, url }) => ({ schema: describedSchema(schema), url })

/** For the document of one dialect: its paths, and of those that it shares its own bodies and answers. */
export const describeRouteOf =
  (dialect: DialectName, tags: readonly string[]): Describe =>
  ({ schema, url, route }) => {
    const own = route.config?.documentedBy?.[dialect] ?? (tagsOf(schema).some((tag) => tags.includes(tag)) ? schema : undefined)
    return { schema: own === undefined ? { hide: true } : describedSchema(own), url }
  }

// Routes that describe nothing have no schema, whatever the type says.
const tagsOf = (schema: FastifySchema | undefined): readonly string[] => schema?.tags ?? []

/**
 * What a response schema does not say: a description where it has none, and the media type of problem details, which is one of
 * its own (RFC 9457).
 */
function describedSchema(schema: FastifySchema | undefined): FastifySchema {
  const response = schema?.response
  return isJson(response) ? { ...schema, response: mapValues(response, describeResponse) } : { ...schema }
}

function describeResponse(schema: unknown, status: string): unknown {
  if (!isJson(schema)) return schema
  const { description = STATUS_CODES[status], title } = schema
  return title === problemTitle ? { description, content: { 'application/problem+json': { schema } } } : { ...schema, description }
}
