import { spawnSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

interface Test {
  teardown(handler: () => unknown): unknown
}

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** For the `skip` of a test: false where there is a browser. */
export const withoutBrowser: string | false =
  executablePath !== undefined && spawnSync(executablePath, ['--version']).status === 0 ? false : 'needs Chromium, which is not installed'

/** Names below `localhost` are loopback to Chromium, and as trustworthy as https, so it sends the headers of Fetch Metadata. */
export async function startBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] })
  t.teardown(() => browser.close())
  return browser
}

export interface SitesOptions {
  readonly port: number
  /** `id.tessera.localhost`: what is asked for there goes on to the service, but for `/blank`. */
  readonly ownHost: string
  readonly service: string
}

/** What the gateway saw: the browser's tools do not tell of every frame. */
export interface Exchange {
  readonly path: string
  readonly origin: string | undefined
  readonly status: number
}

export interface Sites {
  /** The next exchange with the service, by whichever page. */
  nextExchange(): Promise<Exchange>
}

/** One port, any host: an empty page at `/blank` on each, and the service below one of them, as a gateway would serve it. */
export async function startSites(t: Test, { port, ownHost, service }: SitesOptions): Promise<Sites> {
  const seen = new EventEmitter<{ exchange: [Exchange] }>()
  const server = createServer((request, response) => {
    const isOwn = request.headers.host === `${ownHost}:${port}`
    if (isOwn && request.url !== '/blank') forward(request, response, service, (exchange) => seen.emit('exchange', exchange))
    else response.setHeader('content-type', 'text/html').end('<!doctype html><title>blank</title>')
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    nextExchange: () => new Promise((resolve) => seen.once('exchange', resolve)),
  }
}

function forward(incoming: IncomingMessage, response: ServerResponse, service: string, onExchange: (exchange: Exchange) => unknown): void {
  const { hostname, port } = new URL(service)
  const { method, url: path, headers } = incoming
  const outgoing = httpRequest({ hostname, port, method, path, headers }, (answer) => {
    const status = answer.statusCode ?? 502
    onExchange({ path: path ?? '', origin: headers.origin, status })
    response.writeHead(status, answer.headers)
    answer.pipe(response)
  })
  outgoing.once('error', () => response.destroy())
  incoming.pipe(outgoing)
}
