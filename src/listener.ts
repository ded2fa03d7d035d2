import type { RequestListener, Server } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Connections } from './http/connections.js'

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
  /** After a last call, takes no new connection, lets running requests finish, and cuts what is left when the time is over. */
  drain(withinMs: number): Promise<void>
}

/**
 * @param answerStarting answers until the application does
 * @throws ListenError
 */
export async function bind(host: string, port: number, connections: Connections, answerStarting: RequestListener): Promise<Listener> {
  let handler = answerStarting
  let attached = answerStarting
  const server = connections.createServer((request, response) => {
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
    drain: (withinMs) => drain(server, connections, withinMs),
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

/**
 * A busy process has not taken every connection that the system has accepted for it: one a turn of the event loop (libuv). To stop
 * listening would reset those. They are through when for `quietMs` no more came.
 */
const lastCall = { quietMs: 150, longestMs: 1500 }

async function untilAllAreTaken(server: Server): Promise<void> {
  const startedAt = performance.now()
  let lastAt = startedAt
  const note = (): void => {
    lastAt = performance.now()
  }
  server.on('connection', note)
  for (let now = startedAt; now - lastAt < lastCall.quietMs && now - startedAt < lastCall.longestMs; now = performance.now()) await pause(10)
  server.off('connection', note)
}

async function drain(server: Server, connections: Connections, withinMs: number): Promise<void> {
  const endsAt = performance.now() + withinMs
  await untilAllAreTaken(server)
  // Else their connections stay open for the next request, and hold us up for as long as they may be idle.
  for (const response of connections.unanswered()) if (!response.headersSent) response.setHeader('connection', 'close')
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections()
    }, endsAt - performance.now())
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
