import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { networkOf } from '../domain/network.js'
import { addressMatcher } from './addresses.js'

/**
 * Why a connection was ended by the server: too many requests without an answer, answers that the client did not read, too many
 * connections of one address.
 */
export const connectionEnds = ['unanswered', 'unread', 'address'] as const
export type ConnectionEnd = (typeof connectionEnds)[number]

export interface ConnectionBounds {
  /** Requests of one connection that have no complete answer yet. One more ends the connection. */
  readonly unanswered: number
  /** How long the client may read nothing of an answer that waits for it. It may take up to twice as long until that is noticed. */
  readonly unreadMs: number
  /** Connections of one address, or of one /64 of IPv6. */
  readonly perAddress: number
  /** Addresses and CIDRs through which many clients come: `perAddress` does not bind them. */
  readonly shared: readonly string[]
}

/** The connections of a server, and what they may cost. */
export interface Connections {
  createServer(handler: RequestListener): Server
  /** The answers that are not complete. */
  unanswered(): Generator<ServerResponse>
  /** Whether a request that arrived whole on this connection waits for its answer. */
  isAnswering(socket: Socket): boolean
  /** How many connections were ended since the start, by reason. */
  readonly ended: Readonly<Record<ConnectionEnd, number>>
}

interface Connection {
  /** In the order of their requests. */
  readonly unanswered: Set<ServerResponse>
  hasAnswered: boolean
}

/** Every server of the service is made here, so that no connection escapes the bounds. */
export function createConnections(options: ServerOptions, bounds: ConnectionBounds): Connections {
  const open = new Map<Socket, Connection>()
  const perAddress = countAddresses(bounds)
  const ended: Record<ConnectionEnd, number> = { unanswered: 0, unread: 0, address: 0 }

  function end(socket: Socket, why: ConnectionEnd): void {
    ended[why] += 1
    socket.destroy()
  }

  function onConnection(socket: Socket): void {
    const leave = perAddress.enter(socket.remoteAddress)
    if (leave === null) {
      end(socket, 'address')
      return
    }
    const connection: Connection = { unanswered: new Set(), hasAnswered: false }
    open.set(socket, connection)
    socket.once('close', () => {
      leave()
      open.delete(socket)
      if (connection.unanswered.size > 0) setImmediate(release, connection.unanswered)
    })
  }

  /** A timer for every request would cost 3 µs of 40: one is set where an answer waits for its client, and runs while nothing of it leaves. */
  function watchUnread(): void {
    for (const [socket, { unanswered }] of open) {
      if (unanswered.size > 0 && socket.writableLength > 0 && socket.timeout !== bounds.unreadMs) socket.setTimeout(bounds.unreadMs)
    }
  }

  function onTimeout(socket: Socket): void {
    const connection = open.get(socket)
    if (socket.writableLength > 0) end(socket, 'unread')
    // It was idle for `keepAliveTimeout`. A first request that does not arrive is answered with 408 (`headersTimeout`).
    else if (connection?.hasAnswered && connection.unanswered.size === 0) socket.destroy()
  }

  const bounded = (handler: RequestListener): RequestListener => (request, response) => {
    const { socket } = request
    const connection = open.get(socket)
    // The parser goes on with the bytes that it holds after the connection was ended.
    if (connection === undefined || socket.destroyed) return
    const { unanswered } = connection
    if (unanswered.size >= bounds.unanswered) {
      end(socket, 'unanswered')
      return
    }
    unanswered.add(response)
    response.once('close', () => {
      unanswered.delete(response)
      connection.hasAnswered = true
    })
    handler(request, response)
  }

  return {
    createServer(handler) {
      const server = createServer(options, bounded(handler))
      server.on('connection', onConnection)
      server.on('timeout', onTimeout)
      server.once('listening', () => {
        const timer = setInterval(watchUnread, bounds.unreadMs / 5).unref()
        server.once('close', () => {
          clearInterval(timer)
        })
      })
      return server
    },
    *unanswered() {
      for (const connection of open.values()) yield* connection.unanswered
    },
    isAnswering: (socket) => [...(open.get(socket)?.unanswered ?? [])].some(({ req }) => req.complete),
    ended,
  }
}

/**
 * Frees what waits behind an answer whose connection is gone. Node 20 tells only the answer whose turn it was: the others would keep
 * their memory, and the files that they are made from, for ever. Node 24 tells all of them.
 */
function release(unanswered: ReadonlySet<ServerResponse>): void {
  for (const response of [...unanswered]) {
    response.destroy()
    if (unanswered.has(response)) response.emit('close')
  }
}

interface AddressCounts {
  /** @returns how to leave again, or null when there is no room for this address */
  enter(address: string | undefined): (() => void) | null
}

const noCount = (): void => undefined

function countAddresses({ perAddress, shared }: ConnectionBounds): AddressCounts {
  const counts = new Map<string, number>()
  const isShared = addressMatcher(shared)
  return {
    enter(address) {
      if (address === undefined || isShared(address)) return noCount
      const network = networkOf(address)
      const count = counts.get(network) ?? 0
      if (count >= perAddress) return null
      counts.set(network, count + 1)
      return () => {
        const left = (counts.get(network) ?? 1) - 1
        if (left === 0) counts.delete(network)
        else counts.set(network, left)
      }
    },
  }
}
