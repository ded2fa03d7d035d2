import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { buildApp } from './app.js'
import { ConfigError, readConfig, type Config, type Environment } from './config/index.js'
import { openCore, type Core } from './core.js'
import { DatabaseError } from './database.js'
import { settleDemo } from './demo-accounts.js'
import { KeyringError } from './domain/keyring.js'
import { greeting, isGreetingWanted } from './greeting.js'
import type { Connections } from './http/connections.js'
import { bind, ListenError, type Listener } from './listener.js'
import { loggerOptions, standardOutput } from './logging.js'
import { EmbeddedServerError } from './repository/embedded/index.js'
import { MigrationError } from './repository/migrate.js'
import { boundedConnections } from './server-options.js'
import { startingAnswer } from './starting.js'
import { lowerPoolPriority } from './thread-pool.js'

const drainMs = 8000

/** Refusals that are for the operator: one line, no stack. */
const refusals = [ConfigError, DatabaseError, EmbeddedServerError, KeyringError, ListenError, MigrationError]

/** Runs the service until the signal to stop, and ends the process. */
export const start = (environment: Environment, stopSignal: Promise<NodeJS.Signals>): Promise<void> => run(readConfig(environment), stopSignal)

/** What stderr is told of a start that failed. */
export const reportOf = (error: unknown): unknown =>
  refusals.some((refusal) => error instanceof refusal) && error instanceof Error ? `tessera: ${error.message}` : error

/** The port first: a second start on the same port touches nothing. */
async function run(config: Config, stopSignal: Promise<NodeJS.Signals>): Promise<void> {
  const log = pino(loggerOptions(config), standardOutput())
  const connections = boundedConnections(config)
  const listener = await bind(config.host, config.port, connections, startingAnswer(config))
  await lowerPoolPriority(config.threadPoolSize)
  const givingUp = new AbortController()
  const opening = openCore(config, {
    applicationName: 'tessera',
    signal: givingUp.signal,
    log: (message) => {
      log.info(message)
    },
  })
  const core = await Promise.race([opening, stopSignal])
  if (typeof core === 'string') return abandon(config, opening, givingUp)
  try {
    await serve(config, core, { listener, connections }, stopSignal)
  } catch (error) {
    await core.close()
    throw error
  }
}

const giveUpMs = 8000

/**
 * Asked to stop before there was anything to serve. A database of others is left waiting; a server of our own, and the
 * programs that make its files, are ended.
 */
async function abandon(config: Config, opening: Promise<Core>, givingUp: AbortController): Promise<never> {
  if (config.databaseUrl === null) {
    givingUp.abort()
    const closed = opening.then((core) => core.close()).catch(() => undefined)
    await Promise.race([closed, pause(giveUpMs)])
  }
  process.exit(0)
}

interface Entrance {
  readonly listener: Listener
  readonly connections: Connections
}

async function serve(config: Config, core: Core, { listener, connections }: Entrance, stopSignal: Promise<NodeJS.Signals>): Promise<void> {
  const app = await buildApp(config, core, { connections, serverFactory: (handler) => listener.attach(handler) })
  app.addHook('preClose', () => listener.drain(drainMs))
  const demo = await settleDemo(core.service, config)
  for (const name of demo.suspended) app.log.warn(`${name} is suspended: everybody knows the secret of this demo account, and this is no demo any more`)
  await app.ready()
  listener.handOver()

  const stop = async (signal: string): Promise<void> => {
    app.log.info({ signal }, 'stopping')
    try {
      await app.close()
      await core.close()
    } catch (error) {
      app.log.error({ err: error }, 'the stop was not clean')
      process.exit(1)
    }
    process.exit(0)
  }
  app.log.info({ url: config.publicUrl.href }, 'ready')
  if (isGreetingWanted(demo, process.stdout)) {
    process.stderr.write(greeting({ baseUrl: config.publicUrl.href, dialects: config.dialects, accounts: demo.accounts }))
  }
  await stopSignal.then(stop)
}
