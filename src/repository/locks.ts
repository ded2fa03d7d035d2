import type { Queryable } from './pool.js'

/**
 * What one transaction at a time may do: a row of `service_locks` each, held to the end of the transaction. A row lock takes
 * rights on the table; an advisory lock would be free to every role that may connect to the database.
 */
type Waiting = 'keys' | 'administrators'
type Optional = 'sweep' | 'seal'

/** Waits until nobody else holds it. */
export async function lock(transaction: Queryable, name: Waiting): Promise<void> {
  await transaction.query(null, 'SELECT tessera_lock($1)', [name])
}

/** @returns false when another transaction holds it */
export async function tryLock(transaction: Queryable, name: Optional): Promise<boolean> {
  const { count } = await transaction.query(null, 'SELECT FROM service_locks WHERE name = $1 FOR NO KEY UPDATE SKIP LOCKED', [name])
  return count > 0
}
