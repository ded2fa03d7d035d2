import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'

/** Why the service cannot listen, in one line. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/**
 * The port, bound before anything else is touched. Until the application takes over, it says that it is starting.
 */
export interface Listener {
  /** The address in use: the port may have been left to the system. */
  readonly port: number
  /** Says who will answer: the framework's `serverFactory`. */
  attach(application: RequestListener): Server
  /** From here on, the application answers. Not before it is ready: it cannot take requests while it is being put together. */
  handOver(): void
  /** Takes no new connection, lets running requests finish, and cuts what is left when the time is over. */
  drain(withinMs: number): Promise<void>
}

/** @throws ListenError */
export async function bind(host: string, port: number, options: ServerOptions): Promise<Listener> {
  let handler: RequestListener = answerStarting
  let attached: RequestListener = answerStarting
  const unanswered = new Set<ServerResponse>()
  const server = createServer(options, (request, response) => {
    unanswered.add(response)
    response.once('close', () => unanswered.delete(response))
    handler(request, response)
  })
  await listen(server, host, port)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    attach(application) {
      attached = application
      return server
    },
    handOver() {
      handler = attached
    },
    drain: (withinMs) => drain(server, unanswered, withinMs),
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ListenError(explain(error, host, port)))
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${host}:${port}`
  if (error.code === 'EADDRINUSE') return `${where} is taken: stop what listens there, or choose another PORT`
  if (error.code === 'EACCES') return `${where} may not be bound by this user: choose a PORT above 1023`
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') return `${host} is no address of this machine: correct HOST`
  return `cannot listen on ${where} (${error.code ?? error.message})`
}

const starting = JSON.stringify({ type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'The service is starting, try again' })

const answerStarting: RequestListener = (request, response) => {
  const isAlive = request.url === '/health/live'
  response.writeHead(isAlive ? 200 : 503, { 'content-type': isAlive ? 'application/json' : 'application/problem+json', 'cache-control': 'no-store', 'retry-after': '1' })
  response.end(isAlive ? '{"status":"ok"}' : starting)
}

async function drain(server: Server, unanswered: ReadonlySet<ServerResponse>, withinMs: number): Promise<void> {
  // Else their connections stay open for the next request, and hold us up for as long as they may be idle.
  for (const response of unanswered) if (!response.headersSent) response.setHeader('connection', 'close')
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections()
    }, withinMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
