import type { Keys, KeyWrap, StoredDataKey, StoredSigningKey } from '../domain/ports.js'
import { lock } from './locks.js'
import type { Database } from './transaction.js'

interface DataKeyRow {
  kid: string
  purpose: string
  created_at: Date
}

interface SigningKeyRow {
  kid: string
  alg: string
  public_jwk: Record<string, unknown>
  published_at: Date
  signs_from: Date
  revoked_at: Date | null
}

interface WrapRow {
  kid: string
  kek_id: string
  wrapped: Buffer
}

const signingKeys = `
  SELECT kid, alg, public_jwk, published_at, signs_from, revoked_at FROM signing_keys
  WHERE retired_at IS NULL ORDER BY published_at, kid`

const insertSigningKey = `
  INSERT INTO signing_keys (kid, alg, public_jwk, signs_from)
  VALUES ($1, $2, $3, tessera_now() + make_interval(secs => $4))`

const retireSigningKeys = `
  UPDATE signing_keys k SET retired_at = tessera_now()
  WHERE k.retired_at IS NULL AND EXISTS (
    SELECT 1 FROM signing_keys successor
    WHERE successor.revoked_at IS NULL
      AND successor.signs_from > k.signs_from
      AND successor.signs_from < tessera_now() - make_interval(secs => (SELECT longest_seconds FROM token_bound) + $1)
  )
  RETURNING k.kid`

/** Two nodes that re-wrap one after the other write the same. */
const insertWraps = `
  INSERT INTO key_wraps (kid, kek_id, wrapped)
  SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
  ON CONFLICT DO NOTHING`

/**
 * Older is the secret whose first wrap is older. And never the last wrap of a key: what nobody can open is lost for good.
 */
const deleteSupersededWraps = `
  DELETE FROM key_wraps w
  WHERE w.kek_id <> $1
    AND (SELECT min(created_at) FROM key_wraps WHERE kek_id = w.kek_id) < (SELECT min(created_at) FROM key_wraps WHERE kek_id = $1)
    AND EXISTS (SELECT 1 FROM key_wraps kept WHERE kept.kid = w.kid AND kept.kek_id = $1)`

export function createKeys(database: Database): Keys {
  const run = async (text: string, values: readonly unknown[]) => {
    await database.query(null, text, values)
  }

  return {
    async lock() {
      if (!database.isTransaction) throw new Error('keys are locked inside a transaction only')
      await lock(database, 'keys')
    },

    async dataKeys() {
      const { rows } = await database.query<DataKeyRow>(
        null,
        'SELECT kid, purpose, created_at FROM data_keys ORDER BY created_at, kid',
        [],
      )
      return rows.map(toDataKey)
    },

    insertDataKey: ({ kid, purpose }) => run('INSERT INTO data_keys (kid, purpose) VALUES ($1, $2)', [kid, purpose]),

    async signingKeys() {
      const { rows } = await database.query<SigningKeyRow>(null, signingKeys, [])
      return rows.map(toSigningKey)
    },

    insertSigningKey: ({ kid, alg, publicJwk, signsAfterSeconds }) =>
      run(insertSigningKey, [kid, alg, JSON.stringify(publicJwk), signsAfterSeconds]),

    async revokeSigningKey(kid) {
      const { count } = await database.query(
        null,
        'UPDATE signing_keys SET revoked_at = tessera_now() WHERE kid = $1 AND revoked_at IS NULL',
        [kid],
      )
      return count > 0
    },

    async retireSigningKeys(marginSeconds) {
      const { rows } = await database.query<{ kid: string }>(null, retireSigningKeys, [marginSeconds])
      return rows.map((row) => row.kid)
    },

    async wraps() {
      const { rows } = await database.query<WrapRow>(null, 'SELECT kid, kek_id, wrapped FROM key_wraps ORDER BY kid, kek_id', [])
      return rows.map(toWrap)
    },

    insertWraps: (wraps) =>
      run(insertWraps, [wraps.map((wrap) => wrap.kid), wraps.map((wrap) => wrap.kekId), wraps.map((wrap) => wrap.wrapped)]),

    deleteSupersededWraps: (kekId) => run(deleteSupersededWraps, [kekId]),

    notifyChange: () => run(`SELECT tessera_announce('{"keys":true}')`, []),
  }
}

const toDataKey = (row: DataKeyRow): StoredDataKey => ({ kid: row.kid, purpose: row.purpose, createdAt: row.created_at })

const toSigningKey = (row: SigningKeyRow): StoredSigningKey => ({
  kid: row.kid,
  alg: row.alg,
  publicJwk: row.public_jwk,
  publishedAt: row.published_at,
  signsFrom: row.signs_from,
  revokedAt: row.revoked_at,
})

const toWrap = (row: WrapRow): KeyWrap => ({ kid: row.kid, kekId: row.kek_id, wrapped: row.wrapped })
