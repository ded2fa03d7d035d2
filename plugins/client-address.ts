import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

const ipv4Mapped = /^::ffff:(?=\d+\.)/i
const zone = /%.*$/

/**
 * The address of the client, as far as trusted proxies tell. It is always an address: what a proxy passed on may be
 * anything, and then the proxy's own counts. An IPv4 address is written as one, whatever socket it came through.
 */
export function clientAddress(request: FastifyRequest): string {
  const address = [request.ip, request.socket.remoteAddress].map(plainAddress).find((candidate) => candidate !== null)
  return address ?? '0.0.0.0'
}

function plainAddress(text: string | undefined): string | null {
  const plain = (text ?? '').replace(ipv4Mapped, '').replace(zone, '')
  return isIP(plain) === 0 ? null : plain
}
