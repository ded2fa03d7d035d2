import type { Identifier, KnownLogin, LoginRecord, Users } from '../domain/ports.js'
import { effectiveEpoch, lowestEpochOf } from './epoch.js'
import { DatabaseFailure } from './failures.js'
import { idToFind } from './inputs.js'
import { lock } from './locks.js'
import type { Queryable } from './pool.js'
import { alive } from './sessions.js'
import { toUser, userColumns, type UserRow } from './user-row.js'

/** For how long a network that somebody logged in from counts as theirs. */
export const knownOriginDays = 30

/** Everything is null where nobody has the name. */
interface NobodyRow {
  user_id: null
}

interface LoginRow extends UserRow {
  password_hash: string | null
  pin_hash: string | null
  pepper_kid: string | null
  totp_secret: Buffer | null
  totp_last_used_step: number | null
  recovery_code_hashes: Buffer[] | null
  network_known: boolean
  /** Of the sessions that were named, those that are alive. */
  session_owners: string[] | null
}

const selectUser = (condition: string) => `SELECT ${userColumns} FROM users u WHERE ${condition}`

/**
 * One row, whether or not there is such a user: whose the named sessions are is looked up either way, so that neither the
 * statements nor the time tell a name.
 */
const selectForLogin = (condition: string, network: string, sessionIds: string) => `
  SELECT ${userColumns},
    passwords.hash AS password_hash, pins.hash AS pin_hash, pins.pepper_kid,
    totp.secret AS totp_secret, totp.last_used_step AS totp_last_used_step,
    (SELECT array_agg(r.code_hash) FROM recovery_codes r WHERE r.user_id = u.id AND r.used_at IS NULL) AS recovery_code_hashes,
    (
      SELECT array_agg(owner.id::text) FROM (
        SELECT u.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ANY (${sessionIds}::uuid[]) AND ${alive}
      ) owner
    ) AS session_owners,
    EXISTS (
      SELECT 1 FROM known_origins k
      WHERE k.user_id = u.id AND k.network = ${network} AND k.last_login_at > tessera_now() - interval '${knownOriginDays} days'
    ) AS network_known
  FROM (VALUES (1)) AS asked
  LEFT JOIN LATERAL (SELECT * FROM users u WHERE ${condition}) u ON true
  LEFT JOIN passwords ON passwords.user_id = u.id
  LEFT JOIN pins ON pins.user_id = u.id
  LEFT JOIN totp ON totp.user_id = u.id`

/** What no other user may have: what users_username_folded and users_email_folded index. */
const foldedUsername = 'coalesce(u.username_folded, u.username_canonical)'
const foldedEmail = 'coalesce(u.email_folded, u.email_canonical)'

/** The user of exactly this name goes first: before names were folded, two users could have names that fold to one. */
const byIdentifier = {
  username: `(u.username_canonical = $1 OR ${foldedUsername} = $2) ORDER BY u.username_canonical = $1 DESC LIMIT 1`,
  email: `(u.email_canonical = $1 OR ${foldedEmail} = $2) ORDER BY u.email_canonical = $1 DESC LIMIT 1`,
} satisfies Record<Identifier['by'], string>

const insert = `
  INSERT INTO users (id, username, username_canonical, username_folded, email, email_canonical, email_folded, role, email_verified, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, tessera_now()))
  ON CONFLICT DO NOTHING`

/** Of plain ASCII the canonical form is the folded one, and says enough. */
const foldedToStore = (handle: Omit<Identifier, 'by'> | null | undefined): string | null =>
  handle && /\P{ASCII}/u.test(handle.canonical) ? handle.folded : null

const list = `
  ${selectUser(`($1::uuid IS NULL OR u.id > $1)
    AND ($3::text IS NULL OR u.username_canonical LIKE $3 OR u.email_canonical LIKE $3 OR ${foldedUsername} LIKE $6 OR ${foldedEmail} LIKE $6)
    AND ($4::text IS NULL OR u.role = $4) AND ($5::text IS NULL OR u.status = $5)`)}
  ORDER BY u.id LIMIT $2`

const listForExport = `
  SELECT ${userColumns}, passwords.hash AS password_hash
  FROM users u LEFT JOIN passwords ON passwords.user_id = u.id
  WHERE $1::uuid IS NULL OR u.id > $1
  ORDER BY u.id LIMIT $2`

const beginningWith = (prefix: string): string => `${prefix.replace(/[\\%_]/g, '\\$&')}%`

/** $7 and $8: whether the username and the email change. Nothing does where somebody else has one of the names. */
const setNames = `
  UPDATE users SET
    username = CASE WHEN $7 THEN $2 ELSE username END, username_canonical = CASE WHEN $7 THEN $3 ELSE username_canonical END,
    username_folded = CASE WHEN $7 THEN $9 ELSE username_folded END,
    email = CASE WHEN $8 THEN $4 ELSE email END, email_canonical = CASE WHEN $8 THEN $5 ELSE email_canonical END,
    email_folded = CASE WHEN $8 THEN $10 ELSE email_folded END,
    email_verified = $6
  WHERE id = $1 AND NOT EXISTS (
    SELECT 1 FROM users u
    WHERE u.id <> $1 AND (
      u.username_canonical = $3 OR ${foldedUsername} = coalesce($9, $3) OR u.email_canonical = $5 OR ${foldedEmail} = coalesce($10, $5)
    )
  )
  RETURNING true AS changed`

/** Exactly the condition of the index users_names_to_fold. */
const isUnfolded = `
  (username_folded IS NULL AND username_canonical ~ '[^[:ascii:]]')
  OR (email_folded IS NULL AND email_canonical ~ '[^[:ascii:]]')`

/** A name whose folded form somebody else has keeps its own, which nothing else folds to. */
const noteFolded = `
  UPDATE users m SET
    username_folded = CASE WHEN EXISTS (SELECT 1 FROM users u WHERE u.id <> m.id AND ${foldedUsername} = $2) THEN username_canonical ELSE $2 END,
    email_folded = CASE WHEN EXISTS (SELECT 1 FROM users u WHERE u.id <> m.id AND ${foldedEmail} = $3) THEN email_canonical ELSE $3 END
  WHERE id = $1 AND (${isUnfolded})`

/** The counters of failures refer to nothing, since strangers have some too: they go with their user here. */
const remove = `
  WITH removed AS (DELETE FROM users WHERE id = $1 RETURNING id),
    forgotten AS (DELETE FROM attempts WHERE subject IN (SELECT id::text FROM removed))
  SELECT id FROM removed`

/**
 * Writes nothing at all while the last login is fresh enough, not even a lock on the row: an upsert whose condition
 * fails would still dirty its page at every login.
 */
const rememberNetwork = `
  INSERT INTO known_origins (user_id, network, last_login_at)
  SELECT u.id, $2, tessera_now() FROM users u
  WHERE u.id = $1 AND NOT EXISTS (
    SELECT 1 FROM known_origins k
    WHERE k.user_id = $1 AND k.network = $2 AND k.last_login_at > tessera_now() - interval '1 hour'
  )
  FOR KEY SHARE OF u
  ON CONFLICT (user_id, network) DO UPDATE
  SET last_login_at = greatest(known_origins.last_login_at, excluded.last_login_at)`

const recentNetworks = `
  SELECT username, email, network FROM (
    SELECT u.username, u.email, k.network, k.last_login_at FROM known_origins k JOIN users u ON u.id = k.user_id
    WHERE k.last_login_at > tessera_now() - coalesce(make_interval(secs => $1::float8), interval '${knownOriginDays} days')
    ORDER BY k.last_login_at DESC LIMIT $2
  ) newest ORDER BY last_login_at`

export function createUsers(database: Queryable): Users {
  const one = async (name: string | null, text: string, values: readonly unknown[]) => {
    const { rows: [row] } = await database.query<UserRow>(name, text, values)
    return row ? toUser(row) : null
  }
  const oneForLogin = async (name: string, text: string, values: readonly unknown[]) => {
    const { rows: [row] } = await database.query<LoginRow | NobodyRow>(name, text, values)
    return row === undefined || row.user_id === null ? null : toLoginRecord(row)
  }
  const changes = async (text: string, values: readonly unknown[]) => (await database.query(null, text, values)).count > 0

  return {
    insert: ({ id, username, email, role, emailVerified = false, createdAt }) =>
      changes(insert, [
        id, username?.given, username?.canonical, foldedToStore(username), email?.given, email?.canonical, foldedToStore(email), role, emailVerified, createdAt,
      ]),

    find: (id) => one('user_find', selectUser('u.id = $1'), [idToFind(id)]),

    // What refers to the row, such as a new session's audit, need not wait.
    hold: (id) => one(null, `${selectUser('u.id = $1')} FOR NO KEY UPDATE OF u`, [idToFind(id)]),

    holdAdministrators: () => lock(database, 'administrators'),

    findByIdentifier: ({ by, canonical, folded }) => one(null, selectUser(byIdentifier[by]), [canonical, folded]),

    findForLogin: ({ by, canonical, folded }, network, sessionIds = []) =>
      oneForLogin(`login_by_${by}`, selectForLogin(byIdentifier[by], '$3', '$4'), [canonical, folded, network, sessionIds.map(idToFind)]),

    findForReauthentication: (id, network) => oneForLogin('login_by_id', selectForLogin('u.id = $1', '$2', '$3'), [idToFind(id), network, []]),

    async list({ after, limit, prefix = null, role = null, status = null }) {
      const { rows } = await database.query<UserRow>(null, list, [after === null ? null : idToFind(after), limit, prefix && beginningWith(prefix.canonical), role, status, prefix && beginningWith(prefix.folded)])
      return rows.map(toUser)
    },

    async listForExport({ after, limit }) {
      const { rows } = await database.query<UserRow & { password_hash: string | null }>(null, listForExport, [after === null ? null : idToFind(after), limit])
      return rows.map((row) => ({ user: toUser(row), passwordHash: row.password_hash }))
    },

    setNames: async (id, { username, email, emailVerified }) => {
      const values = [idToFind(id), username?.given, username?.canonical, email?.given, email?.canonical, emailVerified, username !== undefined, email !== undefined, foldedToStore(username), foldedToStore(email)]
      try {
        const { rows: [row] } = await database.query<{ changed: boolean }>(null, setNames, values)
        return row?.changed ?? false
      } catch (error) {
        // Somebody else took the name in the same moment.
        if (error instanceof DatabaseFailure && error.code === '23505') return false
        throw error
      }
    },

    setStatus: (id, status) => changes('UPDATE users SET status = $2 WHERE id = $1', [idToFind(id), status]),

    setRole: (id, role) => changes('UPDATE users SET role = $2 WHERE id = $1', [idToFind(id), role]),

    async raiseEpoch(id) {
      const { rows: [row] } = await database.query<{ epoch: number }>(
        null,
        `UPDATE users SET epoch = epoch + 1 WHERE id = $1 RETURNING ${effectiveEpoch('epoch')} AS epoch`,
        [idToFind(id)],
      )
      return row?.epoch ?? null
    },

    async raiseGlobalEpoch() {
      // From the column that was just written: a look into the table would still find the value of before.
      const { rows: [row] } = await database.query<{ epoch: number }>(
        null,
        `UPDATE service_state SET global_epoch = global_epoch + 1 RETURNING ${lowestEpochOf('global_epoch')} AS epoch`,
        [],
      )
      if (!row) throw new Error('service_state has lost its row')
      return row.epoch
    },

    delete: (id) => changes(remove, [idToFind(id)]),

    async isEmpty() {
      const { rows: [row] } = await database.query<{ empty: boolean }>(
        null,
        'SELECT NOT EXISTS (SELECT 1 FROM users) AS empty',
        [],
      )
      return row?.empty ?? true
    },

    async listUnfolded(limit) {
      const { rows } = await database.query<UserRow>(null, `SELECT ${userColumns} FROM users u WHERE ${isUnfolded} LIMIT $1`, [limit])
      return rows.map(toUser)
    },

    async noteFolded(id, { username, email }) {
      await database.query(null, noteFolded, [idToFind(id), username, email])
    },

    async recentNetworks(seconds, limit) {
      const { rows } = await database.query<KnownLogin>(null, recentNetworks, [seconds, limit])
      return rows
    },

    async rememberNetwork(id, network) {
      await database.query('user_remember_network', rememberNetwork, [idToFind(id), network])
    },
  }
}

const toLoginRecord = (row: LoginRow): LoginRecord => ({
  user: toUser(row),
  passwordHash: row.password_hash,
  pin: row.pin_hash !== null && row.pepper_kid !== null ? { hash: row.pin_hash, pepperKid: row.pepper_kid } : null,
  totp: row.totp_secret === null ? null : { sealedSecret: row.totp_secret, lastUsedStep: row.totp_last_used_step ?? 0, recoveryCodeHashes: row.recovery_code_hashes ?? [] },
  networkKnown: row.network_known,
  ownsSession: row.session_owners?.includes(row.user_id) ?? false,
})
