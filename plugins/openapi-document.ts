import { STATUS_CODES } from 'node:http'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { problemTitle } from '../schemas/problem.js'

type Finish = NonNullable<FastifyDynamicSwaggerOptions['transformObject']>
type OpenapiDocument = Extract<Parameters<Finish>[0], { openapiObject: unknown }>['openapiObject']
type PathItem = NonNullable<NonNullable<OpenapiDocument['paths']>[string]>
type Operation = NonNullable<PathItem['get']>

const methods = ['get', 'head', 'options', 'trace', 'put', 'post', 'patch', 'delete'] as const

/** What the generator leaves to be done: bodies that may be left out, and no tag that nothing has. */
export const finishDocument: Finish = (generated) => {
  if (!('openapiObject' in generated)) return generated.swaggerObject
  const document = generated.openapiObject
  const usedTags = new Set<string>()
  for (const item of Object.values(document.paths ?? {})) {
    for (const method of methods) {
      const operation = item?.[method]
      if (!item || !operation) continue
      // Said of each: an operation without a word would take what the whole document takes.
      item[method] = { ...operation, security: operation.security ?? [], ...optionalBody(operation) }
      for (const tag of operation.tags ?? []) usedTags.add(tag)
    }
  }
  return { ...document, tags: (document.tags ?? []).filter(({ name }) => usedTags.has(name)) }
}

/** No body is an empty object, and good where no member is required. */
function optionalBody({ requestBody }: Operation): Pick<Operation, 'requestBody'> {
  if (!requestBody || !('content' in requestBody)) return {}
  const takesEmpty = Object.values(requestBody.content).every((media: { schema?: object }) => takesNoMember(media.schema))
  return { requestBody: { ...requestBody, required: !takesEmpty } }
}

function takesNoMember(schema: object | undefined): boolean {
  if (schema === undefined) return true
  if ('anyOf' in schema && Array.isArray(schema.anyOf)) return schema.anyOf.some((branch: unknown) => isObject(branch) && takesNoMember(branch))
  return !('required' in schema) || (Array.isArray(schema.required) && schema.required.length === 0)
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/**
 * What a response schema does not say: a description where it has none, and the media type of problem details, which is one of
 * its own (RFC 9457).
 */
export const describeRoute: NonNullable<FastifyDynamicSwaggerOptions['transform']> = ({ schema, url }) => {
  // Routes that describe nothing have no schema, whatever the type says.
  const response = (schema as typeof schema | undefined)?.response
  return { schema: isObject(response) ? { ...schema, response: describeResponses(response) } : schema, url }
}

function describeResponses(responses: object): object {
  const entries = Object.entries(responses).map(([status, schema]: [string, unknown]) => [status, isObject(schema) ? describeResponse(status, schema) : schema] as const)
  return Object.fromEntries(entries)
}

function describeResponse(status: string, schema: object): object {
  const description = 'description' in schema ? schema.description : STATUS_CODES[status]
  const isProblem = 'title' in schema && schema.title === problemTitle
  return isProblem ? { description, content: { 'application/problem+json': { schema } } } : { ...schema, description }
}
