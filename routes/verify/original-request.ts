import type { FastifyRequest } from 'fastify'
import { queryOf } from '../../plugins/request-path.js'
import { headerValues } from '../../plugins/token-extraction.js'
import { AuthError } from '../../src/domain/errors.js'
import type { IsListed } from '../../src/http/addresses.js'
import type { IsCanonical } from '../../src/http/canonical-path.js'

/** What the client asked of the gateway, as far as the gateway may be believed. */
export interface OriginalRequest {
  readonly method: string | null
  /** Without its question mark. Empty where it is the query of our own URL too. */
  readonly query: string
  /** The query of our own URL is the client's, and demands nothing: Envoy asks for what was asked of it, below /verify. */
  readonly isQueryOfClient: boolean
  /** `https://orders.example.com`: where the client sent its request. null: not known. */
  readonly origin: string | null
}

const unknownRequest: OriginalRequest = { method: null, query: '', isQueryOfClient: false, origin: null }

export interface Gateways {
  readonly isTrusted: IsListed
  readonly isCanonical: IsCanonical
  /** That of PUBLIC_URL: of gateways that do not say theirs. */
  readonly isHttps: boolean
}

const prefix = '/verify'

/**
 * Reads `X-Original-URI` and `-Method` (nginx), `X-Forwarded-Uri` and `-Method` (Traefik, Caddy), or the path below `/verify`
 * (Envoy). From anybody but a trusted proxy they are nothing.
 * @throws AuthError forbidden when a trusted proxy does not say what was asked, says it twice, or says it in a form that
 *   another server may read otherwise
 */
export function readOriginalRequest(request: FastifyRequest, { isTrusted, isCanonical, isHttps }: Gateways): OriginalRequest {
  if (!isTrusted(request.socket.remoteAddress)) return unknownRequest
  const said = [...headerValues(request, 'x-original-uri'), ...headerValues(request, 'x-forwarded-uri')]
  const below = pathBelow(request, said.length)
  const uris = below === null ? said : [...said, below]
  const methods = [...headerValues(request, 'x-original-method'), ...headerValues(request, 'x-forwarded-method')]
  const [uri, ...otherUris] = new Set(uris)
  const [method = below === null ? null : request.method, ...otherMethods] = new Set(methods)
  if (uri === undefined) throw refused('the proxy must say what was asked: X-Original-URI, X-Forwarded-Uri or a path below /verify')
  if (otherUris.length > 0 || otherMethods.length > 0) throw refused('the proxy says twice what was asked')
  if (!isCanonical(uri)) throw refused('the original URI is not canonical')
  return { method, query: below === null ? queryOf(uri) : '', isQueryOfClient: below !== null, origin: originOf(request, isHttps) }
}

const refused = (reason: string): AuthError => new AuthError('forbidden', { reason })

/** Envoy can add it to its question, with the value `below`: whatever stands below `/verify` is what the client asked for. */
const formHeader = 'x-original-form'

/**
 * `/verify/orders?page=2` asks about `/orders?page=2`. `/verify/` is two things: what Envoy asks for `/`, and another spelling of
 * `/verify`. With a query it is the latter, or a demand would be taken for the client's and dropped; unless the gateway says that
 * it is Envoy, and says nothing else of what was asked.
 */
function pathBelow(request: FastifyRequest, saidUris: number): string | null {
  const { url } = request
  if (!url.startsWith(`${prefix}/`)) return null
  const below = url.slice(prefix.length)
  const isPlain = below.startsWith('/?')
  return isPlain && !(saidUris === 0 && request.headers[formHeader] === 'below') ? null : below
}

const schemes: ReadonlyMap<string, string> = new Map([['http', 'http'], ['https', 'https'], ['ws', 'http'], ['wss', 'https']])

/** Of the service that the client called: `X-Forwarded-Host` (Traefik, Caddy) or `Host` (nginx, Envoy), as the gateway says it. */
function originOf(request: FastifyRequest, isHttps: boolean): string | null {
  const [host = request.headers.host, ...otherHosts] = headerValues(request, 'x-forwarded-host')
  const [proto = isHttps ? 'https' : 'http', ...otherProtos] = headerValues(request, 'x-forwarded-proto')
  const scheme = schemes.get(proto.toLowerCase())
  if (host === undefined || scheme === undefined || otherHosts.length + otherProtos.length > 0) return null
  const url = `${scheme}://${host}`
  return URL.canParse(url) ? new URL(url).origin : null
}
