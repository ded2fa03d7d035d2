import type { FastifyRequest } from 'fastify'
import { queryOf } from '../../plugins/request-path.js'
import { headerValues } from '../../plugins/token-extraction.js'
import { AuthError } from '../../src/domain/errors.js'

/** What the client asked of the gateway, as far as the gateway may be believed. */
export interface OriginalRequest {
  readonly method: string | null
  /** Without its question mark. Empty where it is the query of our own URL too. */
  readonly query: string
  /** The query of our own URL is the client's, and demands nothing: Envoy asks for what was asked of it, below /verify. */
  readonly isQueryOfClient: boolean
}

const unknownRequest: OriginalRequest = { method: null, query: '', isQueryOfClient: false }

export type IsTrustedProxy = (address: string) => boolean

const prefix = '/verify'

/**
 * Reads `X-Original-URI` and `-Method` (nginx), `X-Forwarded-Uri` and `-Method` (Traefik, Caddy), or the path below `/verify`
 * (Envoy). From anybody but a trusted proxy they are nothing.
 * @throws AuthError forbidden when a trusted proxy does not say what was asked, says it twice, or says it in a form that
 *   another server may read otherwise
 */
export function readOriginalRequest(request: FastifyRequest, isTrusted: IsTrustedProxy): OriginalRequest {
  if (!isTrusted(request.socket.remoteAddress ?? '')) return unknownRequest
  const below = request.url.slice(prefix.length)
  const isBelow = below.startsWith('/')
  const uris = [...headerValues(request, 'x-original-uri'), ...headerValues(request, 'x-forwarded-uri'), ...(isBelow ? [below] : [])]
  const methods = [...headerValues(request, 'x-original-method'), ...headerValues(request, 'x-forwarded-method')]
  const [uri, ...otherUris] = new Set(uris)
  const [method = isBelow ? request.method : null, ...otherMethods] = new Set(methods)
  if (uri === undefined) throw refused('the proxy must say what was asked: X-Original-URI, X-Forwarded-Uri or a path below /verify')
  if (otherUris.length > 0 || otherMethods.length > 0) throw refused('the proxy says twice what was asked')
  if (!isCanonical(uri)) throw refused('the original URI is not canonical')
  return { method, query: isBelow ? '' : queryOf(uri), isQueryOfClient: isBelow }
}

const refused = (reason: string): AuthError => new AuthError('forbidden', { reason })

const printable = /^[\x21-\x7e]+$/
/** Empty and dot segments, a backslash, and escapes of what separates: each is a path that servers disagree about. */
const ambiguous = /\/\/|\/\.{1,2}(\/|$)|\\|%(2f|5c|2e|00|25)/i

function isCanonical(uri: string): boolean {
  const [path = ''] = uri.split('?', 1)
  return path.startsWith('/') && printable.test(uri) && !uri.includes('#') && !ambiguous.test(path)
}
