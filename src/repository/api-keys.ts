import type { ApiKey } from '../domain/model.js'
import type { ApiKeys } from '../domain/ports.js'
import { idToFind } from './inputs.js'
import type { Database } from './transaction.js'
import { toUser, userColumns, type UserRow } from './user-row.js'

interface ApiKeyRow {
  key_id: string
  owner_id: string
  name: string
  hint: string
  scopes: string[] | null
  created_at: Date
  expires_at: Date | null
  last_used_at: Date | null
}

const keyColumns = `
  k.id AS key_id, k.user_id AS owner_id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.last_used_at`

export const live = '(k.expires_at IS NULL OR k.expires_at > tessera_now())'

const holdOwner = 'SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE'

/**
 * A rolled key, which is about to end, makes room for its successor. Not without limit: whoever rolls again and again would
 * have any number of keys until their overlaps are over.
 */
const insertWithinQuota = `
  INSERT INTO api_keys AS k (id, user_id, name, hash, hint, scopes, expires_at)
  SELECT $1, u.id, $3, $4, $5, $6, $7 FROM users u
  WHERE u.id = $2 AND (
    SELECT count(*) FILTER (WHERE NOT k.rolled) < $8 AND count(*) < 2 * $8 FROM api_keys k WHERE k.user_id = $2 AND ${live}
  )
  RETURNING ${keyColumns}`

const findByHash = `
  SELECT ${keyColumns}, ${userColumns} FROM api_keys k JOIN users u ON u.id = k.user_id
  WHERE k.hash = $1 AND ${live} AND u.status = 'active'`

const selectKeys = `SELECT ${keyColumns} FROM api_keys k`

/** The nearer end wins; `least` takes no notice of a key that had none. Rolled again, a key still passes on the end it was made with. */
const retire = `
  UPDATE api_keys k SET
    rolled = true,
    own_expires_at = CASE WHEN k.rolled THEN k.own_expires_at ELSE k.expires_at END,
    expires_at = least(k.expires_at, tessera_now() + make_interval(secs => $3))
  WHERE k.id = $1 AND k.user_id = $2 AND ${live}
  RETURNING ${keyColumns}, k.own_expires_at`

/** In the order of the ids, as `touch` takes them. */
const deleteAll = `
  WITH owned AS (SELECT k.id, ${live} AS alive FROM api_keys k WHERE k.user_id = $1 ORDER BY k.id FOR UPDATE),
    deleted AS (DELETE FROM api_keys WHERE id IN (SELECT id FROM owned))
  SELECT id, alive FROM owned ORDER BY id`

/** Always in the order of the ids: two nodes that report at once wait for each other instead of standing in a circle. */
const touch = `
  WITH used AS (
    SELECT k.id, t.at FROM api_keys k
    JOIN unnest($1::uuid[], $2::timestamptz[]) AS t (id, at) ON t.id = k.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < t.at
    ORDER BY k.id
    FOR NO KEY UPDATE OF k
  )
  UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, used.at) FROM used WHERE k.id = used.id`

export function createApiKeys(database: Database): ApiKeys {
  const many = async (text: string, values: readonly unknown[]) => {
    const { rows } = await database.query<ApiKeyRow>(null, text, values)
    return rows.map(toApiKey)
  }
  const changes = async (text: string, values: readonly unknown[]) => (await database.query(null, text, values)).count > 0

  return {
    insert: ({ id, userId, name, hash, hint, scopes, expiresAt }, quota) =>
      database.transaction(async (transaction) => {
        // Two statements: only one that begins after the wait for the row sees what another creation has committed.
        await transaction.query(null, holdOwner, [idToFind(userId)])
        const { rows: [row] } = await transaction.query<ApiKeyRow>(null, insertWithinQuota, [
          id, idToFind(userId), name, hash, hint, scopes, expiresAt, quota,
        ])
        return row ? toApiKey(row) : null
      }),

    async findByHash(hash) {
      const { rows: [row] } = await database.query<ApiKeyRow & UserRow>('api_key_find_by_hash', findByHash, [hash])
      return row ? { key: toApiKey(row), owner: toUser(row) } : null
    },

    async find(id, userId) {
      const [key] = await many(`${selectKeys} WHERE k.id = $1 AND k.user_id = $2`, [idToFind(id), idToFind(userId)])
      return key ?? null
    },

    list: (userId) => many(`${selectKeys} WHERE k.user_id = $1 ORDER BY k.id`, [idToFind(userId)]),

    listAll: ({ after, limit }) =>
      many(`${selectKeys} WHERE $1::uuid IS NULL OR k.id > $1 ORDER BY k.id LIMIT $2`, [
        after === null ? null : idToFind(after),
        limit,
      ]),

    async countAlive(userId) {
      const { rows: [row] } = await database.query<{ count: number }>(null, `SELECT count(*) FROM api_keys k WHERE k.user_id = $1 AND ${live}`, [idToFind(userId)])
      return row?.count ?? 0
    },

    async deleteAll(userId) {
      const { rows } = await database.query<{ id: string; alive: boolean }>(null, deleteAll, [idToFind(userId)])
      return { ids: rows.map(({ id }) => id), alive: rows.filter(({ alive }) => alive).length }
    },

    delete: (id, userId) =>
      changes('DELETE FROM api_keys WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)', [
        idToFind(id),
        userId === null ? null : idToFind(userId),
      ]),

    async retire(id, userId, seconds) {
      const { rows: [row] } = await database.query<ApiKeyRow & { own_expires_at: Date | null }>(null, retire, [idToFind(id), idToFind(userId), seconds])
      return row ? toApiKey({ ...row, expires_at: row.own_expires_at }) : null
    },

    async touch(lastUsed) {
      if (lastUsed.size === 0) return
      await database.query(null, touch, [[...lastUsed.keys()].map(idToFind), [...lastUsed.values()]])
    },
  }
}

const toApiKey = (row: ApiKeyRow): ApiKey => ({
  id: row.key_id,
  userId: row.owner_id,
  name: row.name,
  hint: row.hint,
  scopes: row.scopes,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  lastUsedAt: row.last_used_at,
})
