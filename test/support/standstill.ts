import type { TestApp } from './app.js'
import { untilSomebodyWaits } from './repository.js'

/** Lets the statements of a node wait for locks as long as a test needs: how fast the machine is does not matter then. */
export function beUnhurried({ core: { pool } }: TestApp): void {
  pool.options.query_timeout = 30_000
  const told = new WeakSet<object>()
  pool.on('acquire', (client) => {
    if (told.has(client)) return
    told.add(client)
    client.query('SET lock_timeout = 25000; SET statement_timeout = 25000').catch(() => undefined)
  })
}

/** What waits, and how it is let go. */
export interface Standstill {
  /** Resolves when so many transactions wait for a lock. */
  until(waiting: number): Promise<void>
  release(): Promise<void>
}

/** No transaction gets past its audit event until the release: it has written its rows, and is not committed. */
export async function holdTrail(node: TestApp): Promise<Standstill> {
  return holdBy(node, 'LOCK TABLE audit_events IN SHARE ROW EXCLUSIVE MODE')
}

/** Whoever wants what this statement locks waits until the release. */
export async function holdBy({ database, core }: TestApp, statement: string, values: readonly unknown[] = []): Promise<Standstill> {
  const client = await database.client()
  await client.query('BEGIN')
  await client.query(statement, [...values])
  return {
    until: (waiting) => untilSomebodyWaits(core.pool, waiting),
    async release() {
      await client.query('ROLLBACK')
    },
  }
}

/** Begins to end something, then asks: the request waits for the end that is under way, and is answered after it. */
export async function askWhileEnding<T>(node: TestApp, end: () => Promise<unknown>, ask: () => Promise<T>): Promise<T> {
  const trail = await holdTrail(node)
  const ending = end()
  await trail.until(1)
  const answer = ask()
  await trail.until(2)
  await trail.release()
  await ending
  return answer
}
