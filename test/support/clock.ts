import type pg from 'pg'
import type { Clock } from '../../src/domain/ports.js'

export interface TestClock extends Clock {
  /** Moves the node's time, and the database's for every connection of the attached pools. */
  advance(seconds: number): Promise<void>
  attach(pool: pg.Pool): void
}

/** A clock that runs with the real one, ahead of it by what it was advanced. */
export function createTestClock(): TestClock {
  let aheadSeconds = 0
  const inUse = new Set<pg.PoolClient>()
  const shifts = new WeakMap<pg.PoolClient, number>()

  /** It is queued before whatever the new user of the connection sends. */
  async function shift(client: pg.PoolClient): Promise<void> {
    if ((shifts.get(client) ?? 0) === aheadSeconds) return
    shifts.set(client, aheadSeconds)
    // A connection that has failed tells its user so.
    await client.query(`SET tessera.clock_shift = '${aheadSeconds} seconds'`).catch(() => shifts.delete(client))
  }

  return {
    now: () => new Date(Date.now() + aheadSeconds * 1000),
    attach(pool) {
      pool.on('acquire', (client) => {
        inUse.add(client)
        void shift(client)
      })
      pool.on('release', (_error, client) => {
        inUse.delete(client)
      })
    },
    async advance(seconds) {
      aheadSeconds += seconds
      const clients = [...inUse]
      await Promise.all(clients.map(shift))
      // A transaction that fails takes the setting back with it: it is set anew at the next use.
      for (const client of clients) shifts.delete(client)
    },
  }
}
