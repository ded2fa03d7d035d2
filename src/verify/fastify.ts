import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { VerificationError, type VerifiedIdentity, type VerifierOptions } from './options.js'
import { createVerifier, type Verifier } from './verifier.js'

declare module 'fastify' {
  interface FastifyInstance {
    tessera: Verifier
    /** preHandler: sets `request.identity`, or answers 401 or 503. */
    requireIdentity: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  }
  interface FastifyRequest {
    identity: VerifiedIdentity | null
  }
}

/** Reads `Authorization: Bearer` or `X-API-Key`, verifies it, and sets `request.identity`. */
const plugin: FastifyPluginCallback<VerifierOptions> = (fastify: FastifyInstance, options, done) => {
  const verifier = createVerifier(hasLogger(fastify) ? { onError: logWith(fastify), ...options } : options)
  fastify.decorate('tessera', verifier)
  fastify.decorateRequest('identity', null)
  fastify.decorate('requireIdentity', async (request: FastifyRequest, reply: FastifyReply) => {
    try {
      request.identity = await verifier.verify(credentialOf(request))
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error
      challenge(reply, error)
      throw error
    }
  })
  fastify.addHook('onClose', (_instance, closed) => {
    verifier.close()
    closed()
  })
  done()
}

/** Who calls, in a route behind `requireIdentity`. @throws VerificationError anywhere else */
export function identityOf({ identity }: Pick<FastifyRequest, 'identity'>): VerifiedIdentity {
  if (identity === null) throw new VerificationError('missing', 'this route has no preHandler requireIdentity')
  return identity
}

/** Without one, what is logged is lost: then the verifier warns by the process. */
const hasLogger = ({ log }: FastifyInstance): boolean => 'level' in log

const logWith =
  ({ log }: FastifyInstance) =>
  (error: Error): void => {
    log.warn({ err: error }, error.message)
  }

/** @throws VerificationError for two credentials, of which another reader of the request might take the other one */
function credentialOf({ headers, raw }: FastifyRequest): string {
  const { authorization } = headers
  const names = raw.rawHeaders.filter((_text, i) => i % 2 === 0).map((name) => name.toLowerCase())
  if (names.filter((name) => name === 'authorization' || name === 'x-api-key').length > 1) throw new VerificationError('invalid', 'send one credential, once')
  const apiKey = headers['x-api-key']
  if (authorization !== undefined) return /^bearer +([^\s,]+)$/i.exec(authorization)?.[1] ?? ''
  return typeof apiKey === 'string' ? apiKey : ''
}

/** RFC 6750 §3. */
function challenge(reply: FastifyReply, error: VerificationError): void {
  if (error.statusCode === 503) reply.header('retry-after', '1')
  else reply.header('www-authenticate', error.code === 'missing' ? 'Bearer' : 'Bearer error="invalid_token"')
}

/** So that decorators reach the routes of whoever registers it (what fastify-plugin does). */
export const tesseraVerify: FastifyPluginCallback<VerifierOptions> = Object.assign(plugin, { [Symbol.for('skip-override')]: true })
