import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type Server, type ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import buildAjvCompiler from '@fastify/ajv-compiler'
import type { FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { addressMatcher } from './http/addresses.js'
import { clientAddress } from './http/client-address.js'
import { securityHeaders } from '../plugins/security-headers.js'
import type { Config } from './config/index.js'
import { createConnections, type Connections } from './http/connections.js'
import { logAnswer, loggerOptions, QuietLogController, type LogDestination } from './logging.js'
import { requestIdOf } from './request-id.js'

const largestBodyBytes = 16 * 1024
const largestHeaderBytes = 16 * 1024

/** What a `node:http` server is created with, by the framework or by hand. Times in milliseconds. */
export const httpServerOptions = {
  maxHeaderSize: largestHeaderBytes,
  // A slow client is told so (408) within ten seconds, wherever it dawdles. Neither limit is enforced more often than
  // the connections are looked at.
  headersTimeout: 5000,
  requestTimeout: 8000,
  connectionsCheckingInterval: 500,
  // Longer than the idle time of the usual load balancers, so that the one to hang up is never us in mid-request.
  keepAliveTimeout: 72_000,
  // plugins/http-rules.ts wants one too, and says so.
  requireHostHeader: false,
} as const satisfies ServerOptions

/** No browser, gateway or library sends more requests than this before it has read an answer. */
const mostUnanswered = 16
const longestUnreadMs = 5000

/** With the bounds of every server of the service. */
export const boundedConnections = ({ trustProxy, connectionsPerAddress }: Pick<Config, 'trustProxy' | 'connectionsPerAddress'>): Connections =>
  createConnections(httpServerOptions, { unanswered: mostUnanswered, unreadMs: longestUnreadMs, perAddress: connectionsPerAddress, shared: trustProxy ?? [] })

/**
 * The settings of the framework, without a word about routes.
 * @param destination where log lines go instead of stdout
 */
export function serverOptions(config: Config, connections: Connections, destination?: LogDestination): FastifyHttpOptions<Server> {
  return {
    serverFactory: (handler) => connections.createServer(handler),
    bodyLimit: largestBodyBytes,
    trustProxy: config.trustProxy === null ? false : addressMatcher(config.trustProxy),
    // A parameter can be as long as the header that carries it: routes answer for it in their own words.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: largestHeaderBytes },
    // While the server closes, what still arrives on open connections is served, and the connection closed after it.
    return503OnClosing: false,
    schemaController: { compilersFactory: { buildValidator } },
    genReqId: requestIdOf,
    logger: loggerOptions(config, destination),
    logController: new QuietLogController(),
    frameworkErrors: (error, request, reply) => {
      void answerUnrouted(config, error, request, reply)
    },
    clientErrorHandler: answerBrokenHttp(connections),
  }
}

type BuildValidator = ReturnType<typeof buildAjvCompiler>

const strict = { coerceTypes: false, removeAdditional: false, useDefaults: true, allErrors: false } as const

/** Everything in a query is text and is read as what the schema wants; a body says itself what its values are. */
const buildValidator: BuildValidator = (externalSchemas) => {
  const compileStrict = buildAjvCompiler()(externalSchemas, { customOptions: strict })
  // `1e400` is read as Infinity, which no strict comparison would look at, and would be above no maximum.
  const compileCoercing = buildAjvCompiler()(externalSchemas, { customOptions: { ...strict, coerceTypes: true, strictNumbers: false } })
  return (route) => (isQuery(route) ? compileCoercing(route) : compileStrict(route))
}

const isQuery = (route: unknown): boolean => typeof route === 'object' && route !== null && 'httpPart' in route && route.httpPart === 'querystring'

/** A URL that the router cannot read comes past all hooks: it is counted, answered and logged like the others. */
async function answerUnrouted(config: Config, error: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { server } = request
  reply.headers({ ...securityHeaders(config), 'x-request-id': request.id })
  const refusal: unknown = await server.countRequest(request, reply).catch((tooMany: unknown) => tooMany)
  server.answerError(refusal ?? error, request, reply)
  logAnswer(request, reply, clientAddress(request))
}

type BrokenHttp = readonly [status: number, detail: string]

const brokenHttp: Readonly<Record<string, BrokenHttp>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive: send it again.'],
  HPE_HEADER_OVERFLOW: [431, `The header is larger than ${largestHeaderBytes / 1024} KiB: send fewer or smaller cookies and tokens.`],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the body are too large: send none.'],
}
const notHttp: BrokenHttp = [400, 'This is not HTTP/1.1 (RFC 9112).']
const lingerMs = 1000

/** What the HTTP parser refuses never becomes a request. The error holds the bytes that were received: none is logged. */
function answerBrokenHttp(connections: Connections) {
  return function (this: FastifyInstance, error: Error & { code?: string }, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return
    // This answer would be read as that of the request before it.
    if (connections.isAnswering(socket)) {
      socket.destroy()
      return
    }
    const requestId = randomUUID()
    const [status, detail] = brokenHttp[error.code ?? ''] ?? notHttp
    socket.end(brokenHttpAnswer(status, detail, requestId))
    // Hanging up on a client that is still sending would destroy the answer on its way.
    setTimeout(() => socket.destroy(), lingerMs).unref()
    this.log.info({ requestId, status, code: error.code, ip: socket.remoteAddress }, 'answered')
  }
}

function brokenHttpAnswer(status: number, detail: string, requestId: string): string {
  const title = STATUS_CODES[status] ?? ''
  const body = JSON.stringify({ type: 'about:blank', title, status, detail })
  const headers = [
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ]
  return `HTTP/1.1 ${status} ${title}\r\n${headers.join('\r\n')}\r\n\r\n${body}`
}
