import { isJson, mapValues, type Json } from './json.js'
import { createSchemaNames, type SchemaNames } from './name-schemas.js'
import { headerComponents, withHeaders } from './response-headers.js'

const methods = new Set(['get', 'head', 'options', 'trace', 'put', 'post', 'patch', 'delete'])

/** Here a client says who it is in the body too, so a 401 asks for a credential where OpenAPI knows of none. */
const clientTags = ['oauth']

/**
 * What the generator leaves to be done: names for schemas, headers of answers, bodies that may be left out, and no tag that nothing
 * has.
 */
export function completeDocument(document: Json): Json {
  const names = createSchemaNames()
  const usedTags = new Set<unknown>()
  const paths = mapMembers(document.paths, (item) =>
    mapMembers(item, (operation, method) => {
      if (!methods.has(method) || !isJson(operation)) return operation
      for (const tag of tagsOf(operation)) usedTags.add(tag)
      return completeOperation(operation, names)
    }),
  )
  const tags = Array.isArray(document.tags) ? document.tags.filter((tag) => isJson(tag) && usedTags.has(tag.name)) : []
  const own = isJson(document.components) ? document.components : {}
  const components = { ...own, securitySchemes: usedSchemes(own.securitySchemes, JSON.stringify(paths)), schemas: names.components(), headers: headerComponents(JSON.stringify(paths)) }
  return { ...document, tags, paths, components }
}

function completeOperation(operation: Json, names: SchemaNames): Json {
  const { parameters, requestBody, responses } = operation
  // Said of each: an operation without a word would take what the whole document takes.
  const security = Array.isArray(operation.security) ? operation.security : []
  const challenges = security.length > 0 || tagsOf(operation).some((tag) => clientTags.includes(String(tag)))
  return {
    ...operation,
    security,
    ...(Array.isArray(parameters) ? { parameters: parameters.map((parameter: unknown) => withSchema(parameter, (schema) => names.named(schema))) } : {}),
    ...(isJson(requestBody) ? { requestBody: completeBody(requestBody, names) } : {}),
    responses: withHeaders(mapMembers(responses, (response) => withContent(response, names)), { challenges }),
  }
}

/** No body is an empty object, and good where no member is required. */
function completeBody(body: Json, names: SchemaNames): Json {
  const media = isJson(body.content) ? Object.values(body.content) : []
  return { ...withContent(body, names), required: !media.every((each) => isJson(each) && takesNoMember(each.schema)) }
}

function takesNoMember(schema: unknown): boolean {
  if (!isJson(schema)) return true
  if (Array.isArray(schema.anyOf)) return schema.anyOf.some(takesNoMember)
  return !Array.isArray(schema.required) || schema.required.length === 0
}

const withContent = (holder: unknown, names: SchemaNames): Json =>
  isJson(holder) ? { ...holder, ...('content' in holder ? { content: mapMembers(holder.content, (media) => withSchema(media, (schema) => names.namedWithoutDescription(schema))) } : {}) } : {}

const withSchema = (holder: unknown, map: (schema: unknown) => unknown): unknown => (isJson(holder) && 'schema' in holder ? { ...holder, schema: map(holder.schema) } : holder)

const mapMembers = (value: unknown, map: (member: unknown, name: string) => unknown): Json => (isJson(value) ? mapValues(value, map) : {})

const tagsOf = ({ tags }: Json): unknown[] => (Array.isArray(tags) ? tags : [])

const usedSchemes = (schemes: unknown, paths: string): Json =>
  isJson(schemes) ? Object.fromEntries(Object.entries(schemes).filter(([name]) => paths.includes(`{"${name}":[]}`))) : {}
