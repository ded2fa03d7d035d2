import { isJson, mapValues, type Json } from './json.js'

/** Collects the schemas that have a title, and puts a reference in the place of each. */
export interface SchemaNames {
  /** @throws Error where two different schemas have one title */
  named(schema: unknown): unknown
  /** For a place that has a description of its own. */
  namedWithoutDescription(schema: unknown): unknown
  /** In the order of the alphabet. */
  components(): Json
}

/**
 * Generators call a type by the name of its schema, and make one of their own for each that has none. The name is the `title`, so
 * what validates and serializes stays as it is.
 */
export function createSchemaNames(): SchemaNames {
  const known = new Map<string, Json>()

  function named(schema: unknown): unknown {
    if (!isJson(schema)) return schema
    // `headers` is no keyword of a schema: the answer has them.
    const { description, ...rest } = mapValues(simplified(without(schema, 'headers')), (value, keyword) => subschemas[keyword]?.(value) ?? value)
    const described = description === undefined ? {} : { description }
    return typeof rest.title === 'string' ? { $ref: lift(rest.title, rest), ...described } : { ...rest, ...described }
  }

  function lift(title: string, schema: Json): string {
    const same = known.get(title)
    if (same !== undefined && JSON.stringify(same) !== JSON.stringify(schema)) throw new Error(`two schemas have the title ${title}`)
    known.set(title, schema)
    return `#/components/schemas/${title}`
  }

  const namedWithoutDescription = (schema: unknown): unknown => (isJson(schema) ? named(without(schema, 'description')) : schema)
  // The choice has a description of its own, in which its members have their parts.
  const all = (value: unknown): unknown => (Array.isArray(value) ? value.map(namedWithoutDescription) : value)
  /** By keyword; only what stands there holds schemas. */
  const subschemas: Readonly<Record<string, (value: unknown) => unknown>> = {
    properties: (value) => (isJson(value) ? mapValues(value, named) : value),
    items: named,
    anyOf: all,
    oneOf: all,
    allOf: all,
  }

  return {
    named,
    namedWithoutDescription,
    components: () => Object.fromEntries([...known].sort(([one], [other]) => (one < other ? -1 : 1))),
  }
}

/** A choice of constants is an enumeration, and a choice between a type and null is that type, or null: generators know both. */
function simplified(schema: Json): Json {
  const { anyOf, ...rest } = schema
  if (!Array.isArray(anyOf)) return schema
  const members = anyOf.filter(isJson)
  const constants = members.flatMap((member) => ('const' in member ? [member.const] : []))
  if (constants.length === members.length && constants.every((value) => typeof value === 'string')) return { type: 'string', enum: constants, ...rest }
  const [member, ...others] = members.filter(({ type }) => type !== 'null')
  if (member === undefined || others.length > 0 || members.length !== 2) return schema
  const { type, title } = member
  return typeof type === 'string' && title === undefined ? { ...member, type: [type, 'null'], ...rest } : schema
}

const without = (object: Json, member: string): Json => Object.fromEntries(Object.entries(object).filter(([name]) => name !== member))
