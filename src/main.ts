import { pino } from 'pino'
import { buildApp } from './app.js'
import { ConfigError, readConfig, type Config } from './config/index.js'
import { openCore, type Core } from './core.js'
import { DatabaseError } from './database.js'
import { settleDemo } from './demo-accounts.js'
import { KeyringError } from './domain/keyring.js'
import { greeting, isGreetingWanted } from './greeting.js'
import type { Connections } from './http/connections.js'
import { bind, ListenError, type Listener } from './listener.js'
import { loggerOptions } from './logging.js'
import { EmbeddedServerError } from './repository/embedded/index.js'
import { MigrationError } from './repository/migrate.js'
import { boundedConnections } from './server-options.js'
import { lowerPoolPriority } from './thread-pool.js'

const drainMs = 8000

/** Refusals that are for the operator: one line, no stack. */
const refusals = [ConfigError, DatabaseError, EmbeddedServerError, KeyringError, ListenError, MigrationError]

try {
  await run(readConfig(process.env))
} catch (error) {
  console.error(refusals.some((refusal) => error instanceof refusal) && error instanceof Error ? `tessera: ${error.message}` : error)
  process.exit(1)
}

/** The port first: a second start on the same port touches nothing. */
async function run(config: Config): Promise<void> {
  const log = pino(loggerOptions(config))
  const stopSignal = firstSignal('SIGTERM', 'SIGINT')
  const connections = boundedConnections(config)
  const listener = await bind(config.host, config.port, connections)
  await lowerPoolPriority(config.threadPoolSize)
  const opening = openCore(config, {
    applicationName: 'tessera',
    log: (message) => {
      log.info(message)
    },
  })
  const core = await Promise.race([opening, stopSignal])
  if (typeof core === 'string') return abandon(config, opening)
  try {
    await serve(config, core, { listener, connections }, stopSignal)
  } catch (error) {
    await core.close()
    throw error
  }
}

/**
 * The first of these signals that arrives; it ends nothing by itself any more. Listened for from the beginning: process 1
 * of a container does not even notice a signal that nobody handles.
 */
function firstSignal(...signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, resolve)
  })
}

/** Asked to stop before there was anything to serve. A database of others is left waiting; a server of our own that is just starting is stopped again. */
async function abandon(config: Config, opening: Promise<Core>): Promise<never> {
  if (config.databaseUrl === null) await (await opening).close()
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
