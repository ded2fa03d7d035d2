import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import cookieTransport from '../../plugins/cookie-transport.js'
import cors from '../../plugins/cors.js'
import crossSite from '../../plugins/cross-site.js'
import type { PrefixedShape } from '../../plugins/error-shape.js'
import errors from '../../plugins/errors.js'
import httpRules from '../../plugins/http-rules.js'
import notFound from '../../plugins/not-found.js'
import rateLimit, { type RateLimitOptions } from '../../plugins/rate-limit.js'
import requestLog from '../../plugins/request-log.js'
import securityHeaders from '../../plugins/security-headers.js'
import strictJson from '../../plugins/strict-json.js'
import tokenExtraction from '../../plugins/token-extraction.js'
import { readConfig, type Config, type Environment } from '../../src/config/index.js'
import { boundedConnections, serverOptions } from '../../src/server-options.js'
import { noteLog } from './canaries.js'

/** What is needed of a tap test. */
interface Teardown {
  teardown(handler: () => unknown): unknown
}

export interface HttpApp {
  readonly app: FastifyInstance
  readonly config: Config
  /** Every log line so far, parsed. */
  readonly logLines: () => Record<string, unknown>[]
  /** Every log line so far, as one text. */
  readonly logText: () => string
}

export interface HttpAppOptions {
  readonly environment?: Environment
  readonly shapes?: readonly PrefixedShape[]
  readonly store?: RateLimitOptions['store']
  readonly routes?: (app: FastifyInstance, config: Config) => void
}

/** The whole HTTP plumbing with the options of the service, and a few routes. */
export async function buildHttpApp(t: Teardown, { environment = {}, shapes = [], store, routes }: HttpAppOptions = {}): Promise<HttpApp> {
  const config = readConfig({ LOG_LEVEL: 'debug', ...environment })
  const lines: string[] = []
  const write = (line: string): void => {
    lines.push(line)
    noteLog(line)
  }
  const app = Fastify(serverOptions(config, boundedConnections(config), { write }))
  t.teardown(() => app.close())
  await app.register(errors, { shapes })
  await app.register(requestLog)
  await app.register(securityHeaders, { config })
  await app.register(cors, { config })
  await app.register(rateLimit, { config, ...(store === undefined ? {} : { store }) })
  await app.register(httpRules, { config })
  await app.register(notFound)
  await app.register(crossSite, { config })
  await app.register(strictJson)
  await app.register(cookieTransport, { config })
  await app.register(tokenExtraction)
  routes?.(app, config)
  await app.ready()
  return {
    app,
    config,
    logText: () => lines.join(''),
    logLines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** A connection that says exactly what it is told, and what it heard. */
export class RawClient {
  readonly socket: Socket
  readonly closed: Promise<void>
  #heard = ''

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk: string) => (this.#heard += chunk))
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.once('close', () => { resolve() }))
  }

  get heard(): string {
    return this.#heard
  }

  say(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Waits for one whole answer that has a length. */
  async hearsAnswer(): Promise<string> {
    const heard = await this.hears(/^[^]*?\r\n\r\n/)
    const bodyBytes = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(heard)?.[1] ?? 0)
    const total = heard.indexOf('\r\n\r\n') + 4 + bodyBytes
    await this.hears(new RegExp(`^[^]{${total}}`))
    return this.#heard.slice(0, total)
  }

  /** Waits until what was heard matches. */
  async hears(pattern: RegExp, withinMs = 5000): Promise<string> {
    const deadline = Date.now() + withinMs
    while (!pattern.test(this.#heard)) {
      if (Date.now() > deadline) throw new Error(`expected ${String(pattern)}, heard ${JSON.stringify(this.#heard.slice(0, 500))}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return this.#heard
  }
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
