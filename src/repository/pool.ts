import pg from 'pg'
import { unavailable } from '../domain/errors.js'
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
  applicationName?: string
  /** Told when a connection that nobody was using fails. */
  log?: (message: string, error: Error) => void
}

const acquireTimeoutMs = 700
const lockTimeoutMs = 800
const statementTimeoutMs = 1500
/** Longer than the server's own limit, so that it only decides when the server is silent. */
const queryTimeoutMs = 1800
/** A node that dies in the middle of a transaction must not keep the other nodes waiting for its locks. */
const idleInTransactionTimeoutMs = 2000
/** Who had to wait for a connection longer than `noticeableWaitMs` gets an answer within this time in all. */
const crowdedDeadlineMs = 900
const noticeableWaitMs = 50
const shortestQueryTimeoutMs = 100

/** Epochs and sequence numbers stay far below 2^53. Set for our connections only: other users of the driver keep theirs. */
const parsers = new pg.TypeOverrides()
parsers.setTypeParser(pg.types.builtins.INT8, Number)

/** @param timeouts in milliseconds; `connect` for the whole handshake */
export const clientOptions = (
  settings: { connectionString: string; applicationName?: string | undefined },
  timeouts: { connect: number; statement: number; query: number },
): pg.ClientConfig => ({
  connectionString: settings.connectionString,
  application_name: settings.applicationName ?? 'tessera',
  connectionTimeoutMillis: timeouts.connect,
  statement_timeout: timeouts.statement,
  lock_timeout: lockTimeoutMs,
  query_timeout: timeouts.query,
  idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  types: parsers,
})

/** @see migrations of the schema run elsewhere, without these limits */
export function createPool(settings: PoolSettings): pg.Pool {
  const timeouts = { connect: acquireTimeoutMs, statement: statementTimeoutMs, query: queryTimeoutMs }
  const pool = new pg.Pool({ ...clientOptions(settings, timeouts), max: settings.max, idleTimeoutMillis: 30_000 })
  pool.on('error', (error) => settings.log?.('an idle database connection failed', describeFailure(error)))
  // Without a listener of its own the failure of a connection that is in use would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** Takes a connection, with the limits that are left to the caller. */
export async function acquire(pool: pg.Pool): Promise<Connection> {
  const askedAt = performance.now()
  const client = await connect(pool)
  const wasCrowded = performance.now() - askedAt > noticeableWaitMs
  return connectionOver(client, wasCrowded ? askedAt + crowdedDeadlineMs : Infinity)
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw judge(error, null).error
  }
}

/**
 * One statement at a time: what is asked in parallel waits here, as the protocol wants it.
 * @param deadline by `performance.now()`
 */
function connectionOver(client: pg.PoolClient, deadline: number): Connection {
  let isBroken = false
  let isReleased = false
  let last: Promise<unknown> = Promise.resolve()

  async function send<Row extends object>(name: string | null, text: string, values: readonly unknown[]): Promise<Outcome<Row>> {
    if (isReleased) throw new Error('a statement was sent after the end of its transaction')
    if (isBroken) throw unavailable(new DatabaseFailure('the connection was lost', undefined, name, undefined))
    try {
      return await runStatement<Row>(client, name, text, values, timeLeftMs(deadline))
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
      // A statement that was given up may still be answered: its connection must never serve another one.
      client.release(isBroken)
    },
  }
}

const timeLeftMs = (deadline: number) =>
  Math.max(shortestQueryTimeoutMs, Math.min(queryTimeoutMs, deadline - performance.now()))

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
