import type { Fleet } from '../domain/ports.js'
import type { Database } from './transaction.js'

/** Without a change there is no write, and no lock on the row that every revocation reads. */
const raise = 'UPDATE token_bound SET longest_seconds = $1 WHERE longest_seconds < $1'

const adopt = `
  INSERT INTO fleet_settings (name, value) SELECT * FROM unnest($1::text[], $2::text[])
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = tessera_now()
  WHERE fleet_settings.value IS DISTINCT FROM excluded.value`

export function createFleet(database: Database): Fleet {
  return {
    async longestTokenSeconds() {
      const { rows: [row] } = await database.query<{ longest_seconds: number }>(null, 'SELECT longest_seconds FROM token_bound', [])
      if (row === undefined) throw new Error('the table token_bound has lost its row')
      return row.longest_seconds
    },

    async allowTokensOf(seconds) {
      await database.query(null, raise, [seconds])
    },

    async settings() {
      const { rows } = await database.query<{ name: string; value: string | null }>(null, 'SELECT name, value FROM fleet_settings', [])
      return new Map(rows.map(({ name, value }) => [name, value]))
    },

    async adopt(settings) {
      await database.query(null, adopt, [[...settings.keys()], [...settings.values()]])
    },
  }
}
