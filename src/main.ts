import { pino } from 'pino'
import { buildApp } from './app.js'
import { ConfigError, readConfig, type Config } from './config/index.js'
import { openCore, type Core } from './core.js'
import { DatabaseError } from './database.js'
import { KeyringError } from './domain/keyring.js'
import { bind, ListenError, type Listener } from './listener.js'
import { loggerOptions } from './logging.js'
import { EmbeddedServerError } from './repository/embedded/index.js'
import { MigrationError } from './repository/migrate.js'
import { httpServerOptions } from './server-options.js'

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
  const listener = await bind(config.host, config.port, httpServerOptions)
  const core = await openCore(config, {
    applicationName: 'tessera',
    log: (message) => {
      log.info(message)
    },
  })
  try {
    await serve(config, core, listener)
  } catch (error) {
    await core.close()
    throw error
  }
}

async function serve(config: Config, core: Core, listener: Listener): Promise<void> {
  const app = await buildApp(config, core, { serverFactory: (handler) => listener.attach(handler) })
  app.addHook('preClose', () => listener.drain(drainMs))
  await app.ready()
  listener.handOver()

  let stopping = false
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return
    stopping = true
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
  process.on('SIGTERM', (signal) => void stop(signal))
  process.on('SIGINT', (signal) => void stop(signal))
  app.log.info({ url: config.publicUrl.href }, 'ready')
}
