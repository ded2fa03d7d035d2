import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/app.js'
import { readConfig, type Config, type Environment } from '../../src/config/index.js'
import { openCore, type Core } from '../../src/core.js'
import type { User } from '../../src/domain/model.js'
import { createUser, type NewAccount } from '../../src/domain/operators.js'
import { noteLog, noteSecret, watchSecrets } from './canaries.js'
import { createTestClock, type TestClock } from './clock.js'
import { createTestDatabase, type TestDatabase } from './database.js'
import { patiently } from './patience.js'

interface Test {
  teardown(handler: () => unknown): unknown
}

export interface TestApp {
  readonly app: FastifyInstance
  readonly core: Core
  readonly config: Config
  readonly clock: TestClock
  readonly database: TestDatabase
  /** `http://127.0.0.1:«port»`: it listens. */
  readonly url: string
  /** Every line it logged. */
  readonly logLines: readonly string[]
  createUser(account: Partial<NewAccount>): Promise<User>
  close(): Promise<void>
}

export interface TestAppOptions {
  /** Environment variables, as an operator would set them. */
  readonly environment?: Environment
  /** A database to share with another node. */
  readonly database?: TestDatabase
  /** A clock to share with another node. */
  readonly clock?: TestClock
  /** By default the system chooses. */
  readonly port?: number
}

export const testMasterSecret = 'a master secret for tests, and for tests alone'

/** Cheap hashes: what is tested is who gets in, not how long it takes. */
export const testEnvironment = { HOST: '127.0.0.1', PORT: '0', MASTER_SECRET: testMasterSecret, ARGON2_MEMORY_KIB: '1024', ARGON2_TIME: '1', LOG_LEVEL: 'debug', RATE_LIMIT: 'off' }

/** The real app, with the production options, on a database of its own; it listens, and is closed at the end of the test. */
export async function startTestApp(t: Test, options: TestAppOptions = {}): Promise<TestApp> {
  const database = options.database ?? (await createTestDatabase(t))
  const clock = options.clock ?? createTestClock()
  const logLines: string[] = []
  const environment = { ...testEnvironment, PUBLIC_URL: 'http://127.0.0.1:9154', DATABASE_URL: database.connectionString, ...options.environment }
  const config = readConfig(environment)
  const write = (line: string): void => {
    logLines.push(line)
    noteLog(line)
  }
  const core = await openCore(config, { clock, applicationName: 'tessera test', log: write })
  clock.attach(core.pool)
  const app = await buildApp(config, core, { logDestination: { write } })
  noteSecret('master secret', config.masterSecret)
  watchSecrets(app, core.service.hasher)
  const url = await app.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  let closed: Promise<void> | null = null
  const close = (): Promise<void> => (closed ??= closeApp(app).then(() => core.close()))
  t.teardown(close)
  return {
    app,
    core,
    config,
    clock,
    database,
    url,
    logLines,
    close,
    createUser: (account) => {
      noteSecret('PIN', account.pin)
      return patiently(() => createUser(core.service, { username: null, email: null, password: null, pin: null, role: 'user', ...account }, { kind: 'service', id: 'test' }))
    },
  }
}

const patienceMs = 1000

/** As main does it: a connection that somebody holds open, or opened and never used, is not waited for. */
async function closeApp(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => {
    app.server.closeAllConnections()
  }, patienceMs)
  await app.close()
  clearTimeout(timer)
}
