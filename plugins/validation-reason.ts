import type { FastifySchemaValidationError } from 'fastify'
import { wordsOfPattern } from '../schemas/patterns.js'

/**
 * Says in plain words what a schema found wrong: `name is required`, `pin must be at most 128 characters`.
 * It names members of the schema only, never a name or a value that was sent.
 * @param errors as AJV reports them; those of the branches of a union stand before the union's own
 */
export function validationReason(errors: readonly FastifySchemaValidationError[]): string {
  const decisive = errors.find((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf') ?? errors[0]
  if (decisive === undefined) return 'The request is malformed'
  return reasons[decisive.keyword]?.(decisive, errors) ?? `${memberOf(decisive)} is not valid`
}

type Reason = (error: FastifySchemaValidationError, all: readonly FastifySchemaValidationError[]) => string

const reasons: Readonly<Record<string, Reason>> = {
  required: (error) => `${[...segments(error), text(error.params.missingProperty)].join('.')} is required`,
  type: (error) => mustBe(error, list(error.params.type).map(named)),
  enum: (error) => mustBe(error, [`one of ${list(error.params.allowedValues).join(', ')}`]),
  const: (error) => mustBe(error, [text(error.params.allowedValue)]),
  anyOf: mustBeOneOfBranches,
  oneOf: mustBeOneOfBranches,
  maxLength: (error) => mustBe(error, [`at most ${count(error, 'character')}`]),
  minLength: (error) => (error.params.limit === 1 ? `${memberOf(error)} must not be empty` : mustBe(error, [`at least ${count(error, 'character')}`])),
  maxItems: (error) => `${memberOf(error)} must have at most ${count(error, 'item')}`,
  minItems: (error) => `${memberOf(error)} must have at least ${count(error, 'item')}`,
  maxProperties: (error) => `${memberOf(error)} must have at most ${count(error, 'member')}`,
  minProperties: (error) => `${memberOf(error)} must have at least ${count(error, 'member')}`,
  uniqueItems: (error) => `${memberOf(error)} must not repeat an item`,
  minimum: (error) => mustBe(error, [`at least ${text(error.params.limit)}`]),
  maximum: (error) => mustBe(error, [`at most ${text(error.params.limit)}`]),
  exclusiveMinimum: (error) => mustBe(error, [`more than ${text(error.params.limit)}`]),
  exclusiveMaximum: (error) => mustBe(error, [`less than ${text(error.params.limit)}`]),
  format: (error) => mustBe(error, [formats[text(error.params.format)] ?? 'in another format']),
  pattern: (error) => mustBe(error, [wordsOfPattern(text(error.params.pattern)) ?? 'in another form']),
  additionalProperties: (error) => `${memberOf(error)} has a member that is not known`,
}

const formats: Readonly<Record<string, string>> = {
  'date-time': 'a time such as 2030-01-31T12:00:00Z',
  date: 'a date such as 2030-01-31',
  email: 'an email address',
  uuid: 'a UUID',
  uri: 'a URL',
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
}

const named = (type: string): string => typeNames[type] ?? type

function mustBeOneOfBranches(error: FastifySchemaValidationError, all: readonly FastifySchemaValidationError[]): string {
  const branches = all.filter((other) => other.instancePath === error.instancePath)
  const values = branches.flatMap((branch) => (branch.keyword === 'const' ? [text(branch.params.allowedValue)] : []))
  const literals = new Set(branches.flatMap((branch) => (branch.keyword === 'const' ? [branchOf(branch)] : [])))
  const types = branches.flatMap((branch) => (branch.keyword === 'type' && !literals.has(branchOf(branch)) ? list(branch.params.type).map(named) : []))
  const other = all.find((branch) => branch !== error && branch.keyword !== 'const' && branch.keyword !== 'type')
  if (values.length > 0) return mustBe(error, [`one of ${values.join(', ')}`, ...new Set(types)])
  // A value of the right type that breaks another rule of its branch: that rule says more than the list of types.
  if (other !== undefined) return validationReason([other])
  return types.length > 0 ? mustBe(error, [...new Set(types)]) : `${memberOf(error)} is not valid`
}

const branchOf = ({ schemaPath }: FastifySchemaValidationError): string => schemaPath.replace(/[^/]*$/, '')

const mustBe = (error: FastifySchemaValidationError, alternatives: readonly string[]): string => `${memberOf(error)} must be ${alternatives.join(' or ')}`

const segments = (error: FastifySchemaValidationError): string[] =>
  error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))

const memberOf = (error: FastifySchemaValidationError): string => segments(error).join('.') || 'The body'

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : [text(value)])

function count(error: FastifySchemaValidationError, noun: string): string {
  const limit = text(error.params.limit)
  return `${limit} ${noun}${limit === '1' ? '' : 's'}`
}
