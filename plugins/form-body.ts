import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { malformed } from '../src/domain/errors.js'
import { readBody } from './request-body.js'

const form = 'application/x-www-form-urlencoded'
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Lets the routes of this scope take forms as well, as OAuth has them (RFC 6749 §3.2: a parameter stands at most once, and one
 * without a value counts as none). The body is an object of strings.
 */
export function acceptForms(scope: FastifyInstance): void {
  scope.addContentTypeParser(form, async (request: FastifyRequest, payload: IncomingMessage) => {
    const bytes = await readBody(request, payload, form)
    return bytes && parseForm(bytes)
  })
}

/** @throws AuthError malformed */
function parseForm(bytes: Uint8Array): Record<string, string> {
  const fields = new Map<string, string>()
  for (const pair of decode(bytes).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeField(equals === -1 ? pair : pair.slice(0, equals))
    if (fields.has(name)) throw malformed('The body has a parameter twice')
    fields.set(name, equals === -1 ? '' : decodeField(pair.slice(equals + 1)))
  }
  // A name such as __proto__ becomes an ordinary member here.
  return Object.fromEntries([...fields].filter(([, value]) => value !== ''))
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed('The body is not valid UTF-8')
  }
}

function decodeField(text: string): string {
  let field: string
  try {
    field = decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('The body is not a valid form')
  }
  if (field.includes('\0')) throw malformed('The body has a NUL in a parameter')
  return field
}
