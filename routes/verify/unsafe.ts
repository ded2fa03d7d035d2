import type { FastifyRequest } from 'fastify'
import { headerValues } from '../../plugins/token-extraction.js'
import type { OriginalRequest } from './original-request.js'

/** Exactly so: a method in other letters is another method (RFC 9110 §9.1). */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * A gateway asks by GET whatever was asked of it: what matters is the original method, and an unknown one may be unsafe. A WebSocket
 * handshake is a GET, and opens a channel that acts: the same-origin policy does not guard it (RFC 6455 §10.2).
 */
export const isUnsafe = (request: FastifyRequest, { method }: OriginalRequest): boolean =>
  method === null || !safeMethods.has(method) || isHandshake(request)

/** Gateways take `Upgrade` off, it being of one hop: the others tell too. */
function isHandshake({ headers, raw }: FastifyRequest): boolean {
  if (headers['sec-fetch-mode'] === 'websocket' || headers['sec-fetch-dest'] === 'websocket') return true
  if (/\bwebsocket\b/i.test(headers.upgrade ?? '') || /^wss?$/i.test(oneOf(headers['x-forwarded-proto']))) return true
  return raw.rawHeaders.some((text, i) => i % 2 === 0 && /^sec-websocket-/i.test(text))
}

const oneOf = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '')

/**
 * A CORS preflight carries no credential, by design (Fetch, *CORS-preflight fetch*): it asks the service behind what a page may send.
 * One that a trusted gateway reports, and that has no body.
 */
export function isPreflight(request: FastifyRequest, { method }: OriginalRequest): boolean {
  if (method !== 'OPTIONS' || isHandshake(request) || hasBody(request)) return false
  const [asked = '', ...others] = headerValues(request, 'access-control-request-method')
  const origins = headerValues(request, 'origin')
  return others.length === 0 && methodName.test(asked) && origins.length === 1 && origins[0] !== ''
}

const methodName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const hasBody = ({ headers }: FastifyRequest): boolean => headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
