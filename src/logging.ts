import { LogController, type FastifyLoggerOptions, type FastifyReply, type FastifyRequest } from 'fastify'
import { destination as openDestination, type LoggerOptions } from 'pino'
import { shownPath } from '../plugins/request-path.js'
import type { Config } from './config/index.js'
import { redacted } from './http/redaction.js'

/** Where log lines go, when not to stdout. */
export interface LogDestination {
  write(line: string): void
}

let output: LogDestination | undefined

/** Writes to a terminal that was closed (EIO) or a pipe that nobody reads (EPIPE) are dropped from then on, not queued. */
export function standardOutput(): LogDestination {
  if (output !== undefined) return output
  const stream = openDestination({ dest: process.stdout.fd, sync: true })
  stream.on('error', () => {
    stream.write = () => true
  })
  output = stream
  return stream
}

/** Lines say what happened, never what was sent: no query, no headers, no bodies, no parameters of a statement. */
export function loggerOptions(config: Pick<Config, 'logLevel'>, destination: LogDestination = standardOutput()): FastifyLoggerOptions & LoggerOptions {
  return {
    level: config.logLevel,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      req: (request: FastifyRequest) => ({ method: request.method, path: shownPath(request.url) }),
      res: (reply: { statusCode: number }) => ({ statusCode: reply.statusCode }),
      err: (error: unknown) => describeError(error),
    },
    stream: destination,
  }
}

export interface LoggedError {
  readonly type: string
  readonly code?: string
  readonly message: string
  readonly stack: string
  readonly cause?: LoggedError
  [more: string]: unknown
}

const deepestCause = 4
/** SQLSTATE class 22, *data exception*: its messages quote the value. */
const dataException = /^22[0-9A-Z]{3}$/

/** What a log may tell of an error. Other members, such as the `detail` of a database error, hold values. */
function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: typeof error === 'string' ? redacted(error) : '', stack: '' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const quotesValues = code !== undefined && dataException.test(code)
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: quotesValues ? 'data exception' : redacted(error.message),
    stack: quotesValues ? framesOf(error) : redacted(error.stack ?? ''),
    ...(error.cause === undefined || depth === deepestCause ? {} : { cause: describeError(error.cause, depth + 1) }),
  }
}

const framesOf = (error: Error): string => (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).join('\n')

/** The framework's own lines about requests repeat the URL; plugins/request-log.ts writes one line instead. */
export class QuietLogController extends LogController {
  constructor() {
    super({ requestIdLogLabel: 'requestId' })
  }

  override incomingRequest(): void {
    // Nothing has happened yet.
  }

  override requestCompleted(): void {
    // Written by plugins/request-log.ts.
  }

  override defaultErrorLog(): void {
    // Written by plugins/errors.ts.
  }

  override routeNotFound(): void {
    // Written by plugins/request-log.ts.
  }
}

/** The one line about an answer. */
export function logAnswer(request: FastifyRequest, reply: FastifyReply, ip: string): void {
  request.log.info(
    {
      method: request.method,
      path: shownPath(request.url),
      route: request.routeOptions.url,
      status: reply.statusCode,
      code: request.errorCode ?? undefined,
      ms: Math.round(reply.elapsedTime * 100) / 100,
      ip,
    },
    'answered',
  )
}
