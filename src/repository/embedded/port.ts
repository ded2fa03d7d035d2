import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Below the ports that systems hand out to outgoing connections: when the server is down, the very attempts
 * to reach it must not be given its port (a connection to oneself), or it could not come back.
 */
const lowestPort = 15_000
const highestPort = 30_000

const patienceMs = 2_000

/**
 * @param preferred worth waiting for a little: whose server was killed may still be letting go of it
 * @returns a port of 127.0.0.1 that nobody listens on
 */
export async function freePort(preferred?: number): Promise<number> {
  for (const deadline = Date.now() + patienceMs; preferred !== undefined && Date.now() < deadline; ) {
    if (await isFree(preferred)) return preferred
    await sleep(50)
  }
  for (;;) {
    const port = randomInt(lowestPort, highestPort)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer((visitor) => visitor.destroy()) // else closing would wait for them
    probe.once('error', () => { resolve(false) })
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => { resolve(true) }))
  })
}
