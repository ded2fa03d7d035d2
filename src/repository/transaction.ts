import { unavailable } from '../domain/errors.js'
import { DatabaseFailure, isConflict, isNotificationQueueFull } from './failures.js'
import { acquire, type Connection, type Outcome, type Pool, type Queryable, type Wait } from './pool.js'

/** Where statements run: on the pool, each by itself, or inside a transaction. */
export interface Database extends Queryable {
  readonly isTransaction: boolean
  /**
   * All or nothing. Inside a transaction it joins that one. When two transactions stood in each other's way `work` runs
   * again from its beginning, so it must do nothing but ask the database.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** The same, for the steps of one request: what they wait for connections adds up. Inside a transaction it is that one. */
  forOneRequest(): Database
}

export interface Transaction extends Database {
  readonly isTransaction: true
  /** Runs once the server has acknowledged the commit, and never if it has not. */
  afterCommit(act: () => void): void
}

const retriesAfterConflict = 2

export const createDatabase = (pool: Pool): Database => databaseOn(pool, () => ({ ms: 0 }))

/** @param waitSoFar of whoever asks now */
function databaseOn(pool: Pool, waitSoFar: () => Wait): Database {
  return {
    isTransaction: false,
    query: (name, text, values) => queryOnce(pool, waitSoFar(), name, text, values),
    transaction: (work) => withRetries((announces) => runTransaction(pool, waitSoFar(), work, announces)),
    forOneRequest() {
      const wait: Wait = { ms: 0 }
      return databaseOn(pool, () => wait)
    },
  }
}

async function queryOnce<Row extends object>(
  pool: Pool,
  wait: Wait,
  name: string | null,
  text: string,
  values: readonly unknown[],
): Promise<Outcome<Row>> {
  const connection = await acquire(pool, wait)
  try {
    return await connection.query<Row>(name, text, values)
  } finally {
    connection.release()
  }
}

/**
 * Any role can fill the server's queue of notifications. The work then counts without one: nodes look by themselves, a
 * little later.
 */
async function withRetries<T>(run: (announces: boolean) => Promise<T>): Promise<T> {
  let announces = true
  for (let retries = retriesAfterConflict; ; retries -= 1) {
    try {
      return await run(announces)
    } catch (error) {
      const isQueueFull = announces && isNotificationQueueFull(error)
      if (!isQueueFull && (retries === 0 || !isConflict(error))) throw error
      if (isQueueFull) announces = false
    }
  }
}

async function runTransaction<T>(pool: Pool, wait: Wait, work: (transaction: Transaction) => Promise<T>, announces: boolean): Promise<T> {
  const connection = await acquire(pool, wait)
  const acts: (() => void)[] = []
  const result = await betweenBeginAndCommit(connection, async () => {
    if (!announces) await connection.query(null, 'SET LOCAL tessera.announce = off', [])
    return work(transactionOn(connection, acts))
  })
  for (const act of acts) act()
  return result
}

async function betweenBeginAndCommit<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    // What counts after it has waited for a lock relies on this level, whatever the server's default is.
    await connection.query(null, 'BEGIN ISOLATION LEVEL READ COMMITTED', [])
    const result = await work()
    await commit(connection)
    return result
  } catch (error) {
    await rollBack(connection)
    throw error
  } finally {
    connection.release()
  }
}

/** A lost answer to COMMIT is `unavailable` like any other: nobody knows whether it happened. */
async function commit(connection: Connection): Promise<void> {
  const { command } = await connection.query(null, 'COMMIT', [])
  // The server answers so when a statement had failed and `work` did not pass its error on.
  if (command !== 'COMMIT') throw unavailable(new DatabaseFailure('the transaction had failed', undefined, null, undefined))
}

async function rollBack(connection: Connection): Promise<void> {
  if (connection.isBroken) return
  try {
    await connection.query(null, 'ROLLBACK', [])
  } catch {
    // What made the transaction fail is told already; a connection that cannot roll back is broken, and closed.
  }
}

function transactionOn(connection: Connection, acts: (() => void)[]): Transaction {
  const transaction: Transaction = {
    isTransaction: true,
    query: (name, text, values) => connection.query(name, text, values),
    transaction: (work) => work(transaction),
    forOneRequest: () => transaction,
    afterCommit: (act) => void acts.push(act),
  }
  return transaction
}
