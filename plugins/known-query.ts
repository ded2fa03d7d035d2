import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { malformed } from '../src/domain/errors.js'
import { redacted } from '../src/http/redaction.js'
import { isBelow } from './request-path.js'

/**
 * Paths of our own, where a parameter that is not known is a slip that would change the answer: `?serach=alice` would list everybody.
 * The documented paths of the dialects, and OAuth (RFC 6749 §3.2), pass over what they do not know, and their clients rely on it.
 */
const strictPrefixes = ['/admin/', '/revocations/', '/users/me/sessions/']

/** Looked at where credentials are. */
const credentialParameter = 'access_token'

/** Refuses a parameter that the schema of a route does not name. Register it before the routes. */
function knownQueryPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRoute', (route) => {
    if (!strictPrefixes.some((prefix) => isBelow(prefix, route.url))) return
    const known = namesOf(route.schema?.querystring)
    const refuseOthers = (request: FastifyRequest, _reply: unknown, next: (error?: Error) => void): void => {
      const stranger = Object.keys(request.query ?? {}).find((name) => name !== credentialParameter && !known.includes(name))
      next(stranger === undefined ? undefined : malformed(`${shown(stranger)} is not a parameter of this path: ${advice(known)}`))
    }
    route.preValidation = [refuseOthers, ...[route.preValidation ?? []].flat()]
  })
  done()
}

function namesOf(schema: unknown): string[] {
  const properties: unknown = typeof schema === 'object' && schema !== null && 'properties' in schema ? schema.properties : {}
  return Object.keys(properties ?? {})
}

const list = new Intl.ListFormat('en', { type: 'conjunction' })

const advice = (known: readonly string[]): string => (known.length === 0 ? 'it takes none' : `it takes ${list.format(known)}`)

const longestShown = 40

/** A name as somebody mistyped it, and nothing that it might be instead. */
const shown = (name: string): string => redacted(name).replace(/[^\x20-\x7e]|["\\]/g, '?').slice(0, longestShown) || 'an empty name'

export default fp(knownQueryPlugin, { name: 'known-query', dependencies: ['errors'] })
