import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below the ports that systems hand out to outgoing connections: when the server is down, the very attempts
 * to reach it must not be given its port (a connection to oneself), or it could not come back.
 */
const lowestPort = 15_000
const highestPort = 30_000

/** @returns a port of 127.0.0.1 that nobody listens on, the preferred one if it is free */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred
  for (;;) {
    const port = randomInt(lowestPort, highestPort)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => { resolve(false) })
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => { resolve(true) }))
  })
}
