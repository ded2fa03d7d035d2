import { createServer, connect, type Socket } from 'node:net'
import { once } from 'node:events'

export interface TcpProxy {
  /** The same database, by way of the proxy. */
  readonly connectionString: string
  /** The present connections go silent for ever, as if a cable had been pulled: nothing arrives, nobody hangs up. */
  silence(): void
  /** New connections are accepted, and silent as well, or not. */
  silenceNewOnes(silent: boolean): void
  /** Hangs up on everybody. */
  cut(): void
  /** Hangs up as soon as a client has sent this text; the server still gets it. */
  cutAfterSending(text: string): void
  /** A connection goes silent as soon as a client has sent this text: the server gets it, and its answer is withheld. */
  silenceAfterSending(text: string): void
}

/** Stands between a client and the PostgreSQL of a connection string. */
export async function createTcpProxy(t: { teardown(handler: () => unknown): unknown }, connectionString: string): Promise<TcpProxy> {
  const target = new URL(connectionString)
  const links = new Set<Link>()
  let newOnesAreSilent = false
  let fatalText: string | null = null
  let lastText: string | null = null

  const server = createServer((client) => {
    const link = createLink(client, connect(Number(target.port), target.hostname), { fatalText: () => fatalText, lastText: () => lastText })
    if (newOnesAreSilent) link.silence()
    links.add(link)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  t.teardown(() => {
    for (const link of links) link.cut()
    server.close()
  })

  const here = new URL(target)
  here.hostname = '127.0.0.1'
  here.port = String(address.port)
  return {
    connectionString: here.href,
    silence: () => { for (const link of links) link.silence() },
    silenceNewOnes: (silent) => { newOnesAreSilent = silent },
    cut: () => { for (const link of links) link.cut() },
    cutAfterSending: (text) => { fatalText = text },
    silenceAfterSending: (text) => { lastText = text },
  }
}

interface Link {
  silence(): void
  cut(): void
}

/** What a client's words do to the connection, now. */
interface Triggers {
  readonly fatalText: () => string | null
  readonly lastText: () => string | null
}

function createLink(client: Socket, server: Socket, { fatalText, lastText }: Triggers): Link {
  let isSilent = false
  const holds = (data: Buffer, text: string | null) => text !== null && data.includes(text)
  const cut = () => {
    client.destroy()
    server.destroy()
  }
  client.on('data', (data) => {
    if (isSilent) return
    if (holds(data, fatalText())) {
      client.destroy()
      server.end(data)
      return
    }
    server.write(data)
    isSilent = holds(data, lastText())
  })
  server.on('data', (data) => {
    if (!isSilent) client.write(data)
  })
  for (const [one, other] of [[client, server], [server, client]] as const) {
    one.on('error', () => undefined)
    one.on('end', () => { if (!isSilent) other.end() })
    one.on('close', () => { if (!isSilent) other.destroy() })
  }
  return {
    silence: () => { isSilent = true },
    cut,
  }
}
