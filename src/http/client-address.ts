import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { plainAddress } from './addresses.js'

/**
 * The address of the client, as far as trusted proxies tell (`X-Forwarded-For`; `Forwarded` is not read). It is always an address:
 * where a proxy passed on something else, the proxy nearest to it counts. An IPv4 address is written as one, whatever socket it came
 * through.
 */
export function clientAddress(request: FastifyRequest): string {
  const { ip } = request
  if (isIP(ip) === 4) return ip
  return plainAddress(ip) ?? nearestKnown(request)
}

/** `ips` begins with the peer and ends with the client. */
function nearestKnown({ ips = [], socket }: FastifyRequest): string {
  for (const text of [...ips].reverse()) {
    const address = plainAddress(text)
    if (address !== null) return address
  }
  return plainAddress(socket.remoteAddress) ?? '0.0.0.0'
}
