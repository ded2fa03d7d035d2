import pg from 'pg'
import { unavailable } from '../domain/errors.js'
import { Client, sessionFormats } from './client.js'
import { DatabaseFailure, describeFailure, judge } from './failures.js'

/** What every part of the repository runs its statements on: the pool, or the one connection of a transaction. */
export interface Queryable {
  /**
   * @param name of a prepared statement, for what runs at every request; null: parsed and planned each time
   * @throws AuthError unavailable when the database cannot answer in time
   */
  query<Row extends object>(name: string | null, text: string, values: readonly unknown[]): Promise<Outcome<Row>>
}

export interface Outcome<Row> {
  readonly rows: Row[]
  /** Rows returned or changed. */
  readonly count: number
  /** As the server reports it: `COMMIT` for a transaction that was not lost, else `ROLLBACK`. */
  readonly command: string
}

/** A connection that was taken from the pool. */
export interface Connection extends Queryable {
  /** Nothing that was sent can be trusted to arrive any more. */
  readonly isBroken: boolean
  /** Back to the pool, or closed if it is broken. */
  release(): void
}

export interface PoolSettings {
  connectionString: string
  max: number
  applicationName?: string | undefined
  limits?: Partial<Limits>
  /** A transaction pooler stands in between: nothing outlives a transaction on a connection, and none takes settings. */
  pooled?: boolean
  /** Told when a connection that nobody was using fails. */
  log?: (message: string, error: Error) => void
}

/** How long what may take, in milliseconds. */
export interface Limits {
  /** To get a connection: a new one, or one that others have to give back. */
  readonly acquireMs: number
  readonly lockMs: number
  readonly statementMs: number
  /** More than the server allows itself, so that it only decides when the server is silent. */
  readonly answerMs: number
}

/** A client hears of a lock or of an exhausted pool within a second, and of a silent server within two. */
const defaultLimits: Limits = { acquireMs: 700, lockMs: 800, statementMs: 1500, answerMs: 1800 }

/** A node that dies in the middle of a transaction must not keep the other nodes waiting for its locks. */
const idleInTransactionTimeoutMs = 2000

/** Who had to wait for a connection longer than this is in a crowd: … */
const noticeableWaitMs = 50
/** … and does not wait as long again for a lock, but gets an answer this soon after `acquireMs`. */
const crowdedAnswerMs = 200
const shortestAnswerMs = 100
/** What is left to who has waited long enough: a connection may come back just now. */
const shortestPatienceMs = 50

/** Epochs and sequence numbers stay far below 2^53. Set for our connections only: other users of the driver keep theirs. */
const parsers = new pg.TypeOverrides()
parsers.setTypeParser(pg.types.builtins.INT8, Number)

export const clientOptions = (
  settings: { connectionString: string; applicationName?: string | undefined; pooled?: boolean },
  limits: Limits,
): pg.ClientConfig & { connectionString: string } => ({
  connectionString: settings.connectionString,
  application_name: settings.applicationName ?? 'tessera',
  connectionTimeoutMillis: limits.acquireMs,
  query_timeout: limits.answerMs,
  ...(settings.pooled ? {} : { ...limitsOfTheServer(limits), options: sessionFormats }),
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  types: parsers,
})

/** Parameters of the start of a session. A pooler refuses them: there they are settings of the role (docs/operations.md). */
const limitsOfTheServer = ({ lockMs, statementMs }: Limits) => ({
  lock_timeout: lockMs,
  statement_timeout: statementMs,
  idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
})

export class Pool extends pg.Pool {
  /** Whether the next statement meets the connection that a statement was prepared on. */
  readonly preparesStatements: boolean

  constructor(options: pg.PoolConfig, { preparesStatements }: { preparesStatements: boolean }) {
    super({ ...options, Client })
    this.preparesStatements = preparesStatements
  }
}

/** For what answers requests. Migrations have connections of their own, without limits. */
export function createPool(settings: PoolSettings): Pool {
  const limits = { ...defaultLimits, ...settings.limits }
  const options = { ...clientOptions(settings, limits), max: settings.max, idleTimeoutMillis: 30_000 }
  const pool = new Pool(options, { preparesStatements: !settings.pooled })
  pool.on('error', (error) => settings.log?.('an idle database connection failed', describeFailure(error)))
  // Without a listener of its own the failure of a connection that is in use would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** How long one request has been kept waiting for connections so far, when there were too few. Milliseconds. */
export interface Wait {
  ms: number
}

/** Takes a connection, with the limits that are left to the caller. @param wait grows by what is waited here */
export async function acquire(pool: Pool, wait: Wait = { ms: 0 }): Promise<Connection> {
  const { connectionTimeoutMillis: acquireMs = defaultLimits.acquireMs, query_timeout: answerMs = defaultLimits.answerMs, max } = pool.options
  const isExhausted = pool.idleCount === 0 && pool.totalCount >= max
  const patienceMs = Math.max(shortestPatienceMs, acquireMs - wait.ms)
  const waitedBeforeMs = wait.ms
  const askedAt = performance.now()
  const elapsedMs = () => performance.now() - askedAt
  const client = await connectWithin(pool, patienceMs)
  if (isExhausted) wait.ms += elapsedMs()
  const wasCrowded = Math.max(wait.ms, elapsedMs()) > noticeableWaitMs
  const endsAfterMs = wasCrowded ? acquireMs - waitedBeforeMs + crowdedAnswerMs : Infinity
  return connectionOver(client, {
    preparesStatements: pool.preparesStatements,
    timeLeftMs: () => Math.max(shortestAnswerMs, Math.min(answerMs, endsAfterMs - elapsedMs())),
    onRelease: () => {
      if (wasCrowded) wait.ms = waitedBeforeMs + elapsedMs()
    },
  })
}

/** Who has waited before has less patience than the pool. What comes too late goes back. */
async function connectWithin(pool: Pool, patienceMs: number): Promise<pg.PoolClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error('no connection within what the request had left to wait'))
      connecting.then((client) => { client.release() }, () => undefined)
    }, patienceMs)
  })
  try {
    return await Promise.race([connecting, tooLate])
  } catch (error) {
    throw judge(error, null).error
  } finally {
    clearTimeout(timer)
  }
}

interface Bounds {
  readonly preparesStatements: boolean
  readonly timeLeftMs: () => number
  readonly onRelease: () => void
}

/** One statement at a time: what is asked in parallel waits here, as the protocol wants it. */
function connectionOver(client: pg.PoolClient, { preparesStatements, timeLeftMs, onRelease }: Bounds): Connection {
  let isBroken = false
  let isReleased = false
  let last: Promise<unknown> = Promise.resolve()

  async function send<Row extends object>(name: string | null, text: string, values: readonly unknown[]): Promise<Outcome<Row>> {
    if (isReleased) throw new Error('a statement was sent after the end of its transaction')
    if (isBroken) throw unavailable(new DatabaseFailure('the connection was lost', undefined, name, undefined))
    try {
      return await runStatement<Row>(client, preparesStatements ? name : null, text, values, timeLeftMs())
    } catch (error) {
      const verdict = judge(error, name)
      isBroken ||= verdict.connectionBroken
      throw verdict.error
    }
  }

  return {
    get isBroken() {
      return isBroken
    },
    query<Row extends object>(name: string | null, text: string, values: readonly unknown[]) {
      const result = last.then(() => send<Row>(name, text, values))
      last = result.catch(() => undefined)
      return result
    },
    release() {
      isReleased = true
      onRelease()
      // A statement that was given up may still be answered: its connection must never serve another one.
      client.release(isBroken)
    },
  }
}

/** @throws the driver's error, not judged yet */
export async function runStatement<Row extends object>(
  client: pg.ClientBase,
  name: string | null,
  text: string,
  values: readonly unknown[],
  timeoutMs: number,
): Promise<Outcome<Row>> {
  const statement = { text, values: [...values], query_timeout: Math.ceil(timeoutMs), ...(name === null ? {} : { name }) }
  const result = await client.query<Row & pg.QueryResultRow>(statement)
  return { rows: result.rows, count: result.rowCount ?? 0, command: result.command }
}
