import type { AuthenticationMethod, DialectName, Session, SessionState } from '../domain/model.js'
import type { Sessions } from '../domain/ports.js'
import { effectiveEpoch } from './epoch.js'
import { addressToNote, idToFind } from './inputs.js'
import type { Queryable } from './pool.js'
import { toUser, userColumns, type UserRow } from './user-row.js'

interface SessionRow {
  session_id: string
  owner_id: string
  dialect: DialectName
  amr: AuthenticationMethod[]
  auth_time: Date
  ip: string | null
  user_agent: string | null
  epoch: number
  generation: number
  expires_at: Date
  idle_expires_at: Date | null
}

interface StateRow extends SessionRow, UserRow {
  alive: boolean
  seconds_since_rotation: number | null
  rotated_from: string | null
  remaining_seconds: number
}

/** Of `sessions s`. */
const notOver = `
  s.revoked_at IS NULL
  AND s.expires_at > tessera_now()
  AND (s.idle_expires_at IS NULL OR s.idle_expires_at > tessera_now())`

/** Of `sessions s` and `users u`. */
export const alive = `${notOver}
  AND u.status = 'active'
  AND s.epoch = ${effectiveEpoch('u.epoch')}`

const sessionColumns = `
  s.id AS session_id, s.user_id AS owner_id, s.dialect, s.amr, s.auth_time, host(s.ip) AS ip, s.user_agent, s.epoch,
  s.generation, s.expires_at, s.idle_expires_at`

/** A rotation that was committed while the statement began lies a moment ahead of its time: no age is below zero. */
const stateColumns = `${sessionColumns}, ${userColumns}, s.rotated_from,
  (${alive}) AS alive,
  CASE WHEN s.rotated_at IS NOT NULL
    THEN greatest(0, extract(epoch FROM tessera_now() - s.rotated_at)) END::float8 AS seconds_since_rotation,
  greatest(0, floor(extract(epoch FROM least(s.expires_at, s.idle_expires_at) - tessera_now())))::float8 AS remaining_seconds`

/** When `idleSeconds` ($n) is given, the sliding end, which never passes the absolute one. */
const idleEnd = (idleSeconds: string, absoluteEnd: string) =>
  `CASE WHEN ${idleSeconds}::float8 IS NOT NULL
    THEN least(${absoluteEnd}, tessera_now() + make_interval(secs => ${idleSeconds}::float8)) END`

/**
 * Holds the user's row against changes until the session stands: a change of password that is under way is waited for,
 * and found to have raised the epoch.
 */
const open = `
  WITH u AS (
    SELECT * FROM users WHERE id = $2 AND status = 'active' AND ${effectiveEpoch('epoch')} = $8 FOR SHARE
  ),
  s AS (
    INSERT INTO sessions (id, user_id, dialect, amr, auth_time, ip, user_agent, epoch, expires_at, idle_expires_at)
    SELECT $1, u.id, $3, $4, tessera_now(), $5, $6, $8, tessera_now() + make_interval(secs => $7),
      ${idleEnd('$9', 'tessera_now() + make_interval(secs => $7)')}
    FROM u
    RETURNING *
  )
  SELECT ${stateColumns} FROM s, u`

/**
 * A statement that had to wait for the row sees its newest version, but the user as of before the wait. So a session that
 * a change of credentials has just moved to the new epoch can look dead here, once: the caller looks again. The other
 * way round there is nothing to fear: what was advanced at an old epoch is dead with it.
 */
const advance = `
  UPDATE sessions s SET
    generation = s.generation + 1,
    rotated_at = tessera_now(),
    rotated_from = $5,
    idle_expires_at = coalesce(${idleEnd('$4', 's.expires_at')}, s.idle_expires_at)
  FROM users u
  WHERE s.id = $1 AND s.generation = $2 AND s.dialect = $3 AND u.id = s.user_id AND ${alive}
  RETURNING ${stateColumns}`

/** The row is read and held before it is changed: of several in one generation the first is told from the others. */
const noteCrossing = `
  UPDATE sessions s SET
    crossed_generation = s.generation,
    crossings = CASE s.crossed_generation WHEN s.generation THEN s.crossings WHEN s.generation - 1 THEN s.crossings + 1 ELSE 1 END
  FROM (SELECT id, crossed_generation FROM sessions WHERE id = $1 FOR NO KEY UPDATE) before
  WHERE s.id = before.id AND s.generation = $2 AND s.revoked_at IS NULL
  RETURNING s.crossings, before.crossed_generation IS DISTINCT FROM $2 AS is_first`

const find = `SELECT ${stateColumns} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1`

/** Neither end nor epoch is asked for: an access token may outlive its session's idle end, and must die with a logout. */
const revoke = `
  UPDATE sessions s SET revoked_at = tessera_now(), revoked_because = $2
  WHERE s.id = $1 AND s.revoked_at IS NULL
  RETURNING ${sessionColumns}`

/** The user's row is held by whoever raised its epoch, so nobody else raises it meanwhile. */
const moveToEpoch = `
  UPDATE sessions s SET epoch = $2
  WHERE s.id = $1 AND s.epoch = $2::bigint - 1 AND ${notOver}`

const countAlive = `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE ${alive} AND s.user_id = $1`

const selectAlive = `SELECT ${sessionColumns} FROM sessions s JOIN users u ON u.id = s.user_id WHERE ${alive}`

export function createSessions(database: Queryable): Sessions {
  const state = async (name: string, text: string, values: readonly unknown[]) => {
    const { rows: [row] } = await database.query<StateRow>(name, text, values)
    return row ? toSessionState(row) : null
  }
  const many = async (text: string, values: readonly unknown[]) => {
    const { rows } = await database.query<SessionRow>(null, text, values)
    return rows.map(toSession)
  }

  return {
    open: ({ id, userId, dialect, amr, ip, userAgent, epoch, lifetimeSeconds, idleSeconds }) =>
      state('session_open', open, [
        id, idToFind(userId), dialect, amr, addressToNote(ip), userAgent, lifetimeSeconds, epoch, idleSeconds,
      ]),

    advance: (id, generation, dialect, idleSeconds, network = null) =>
      state('session_advance', advance, [idToFind(id), generation, dialect, idleSeconds, network]),

    async noteCrossing(id, generation) {
      const { rows: [row] } = await database.query<{ crossings: number; is_first: boolean }>('session_note_crossing', noteCrossing, [idToFind(id), generation])
      return row ? { inARow: row.crossings, isFirst: row.is_first } : null
    },

    find: (id) => state('session_find', find, [idToFind(id)]),

    async revoke(id, because) {
      const { rows: [row] } = await database.query<SessionRow>('session_revoke', revoke, [idToFind(id), because])
      return row ? toSession(row) : null
    },

    async moveToEpoch(id, epoch) {
      const { count } = await database.query(null, moveToEpoch, [idToFind(id), epoch])
      return count > 0
    },

    async moveAllToEpoch(userId, from, to) {
      await database.query(
        null,
        `UPDATE sessions SET epoch = $3
         WHERE user_id = $1 AND epoch = $2 AND revoked_at IS NULL AND expires_at > tessera_now()`,
        [idToFind(userId), from, to],
      )
    },

    async countAlive(userId) {
      const { rows: [row] } = await database.query<{ count: number }>(null, countAlive, [idToFind(userId)])
      return row?.count ?? 0
    },

    listAlive: (userId) => many(`${selectAlive} AND s.user_id = $1 ORDER BY s.id DESC`, [idToFind(userId)]),

    listAllAlive: ({ before, limit, userId = null }) =>
      many(`${selectAlive} AND ($1::uuid IS NULL OR s.id < $1) AND ($3::uuid IS NULL OR s.user_id = $3) ORDER BY s.id DESC LIMIT $2`, [
        before === null ? null : idToFind(before),
        limit,
        userId === null ? null : idToFind(userId),
      ]),
  }
}

const toSession = (row: SessionRow): Session => ({
  id: row.session_id,
  userId: row.owner_id,
  dialect: row.dialect,
  amr: row.amr,
  authTime: row.auth_time,
  ip: row.ip,
  userAgent: row.user_agent,
  epoch: row.epoch,
  generation: row.generation,
  expiresAt: row.expires_at,
  idleExpiresAt: row.idle_expires_at,
})

const toSessionState = (row: StateRow): SessionState => ({
  session: toSession(row),
  user: toUser(row),
  alive: row.alive,
  secondsSinceRotation: row.seconds_since_rotation,
  rotatedFrom: row.rotated_from,
  remainingSeconds: row.remaining_seconds,
})
