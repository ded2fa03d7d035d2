import type { Credentials } from '../domain/ports.js'
import { idToFind } from './inputs.js'
import type { Queryable } from './pool.js'

/**
 * Every insert takes its user from `users` and holds the row: a user who is deleted meanwhile gets no credential, and
 * nobody an error.
 */
const setPassword = `
  INSERT INTO passwords (user_id, hash, cost)
  SELECT u.id, $2, $3 FROM users u WHERE u.id = $1 FOR KEY SHARE
  ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, cost = excluded.cost, updated_at = tessera_now()`

const replacePasswordHash = `
  UPDATE passwords SET hash = $3, cost = $4, updated_at = tessera_now() WHERE user_id = $1 AND hash = $2`

const setPin = `
  INSERT INTO pins (user_id, hash, cost, pepper_kid)
  SELECT u.id, $2, $3, $4 FROM users u WHERE u.id = $1 FOR KEY SHARE
  ON CONFLICT (user_id) DO UPDATE
  SET hash = excluded.hash, cost = excluded.cost, pepper_kid = excluded.pepper_kid, updated_at = tessera_now()`

const replacePinHash = `
  UPDATE pins SET hash = $3, cost = $4, pepper_kid = $5, updated_at = tessera_now() WHERE user_id = $1 AND hash = $2`

const enableTotp = `
  WITH owner AS (SELECT u.id FROM users u WHERE u.id = $1 FOR KEY SHARE),
    enabled AS (
      INSERT INTO totp (user_id, secret, last_used_step) SELECT id, $2, $3 FROM owner
      ON CONFLICT (user_id) DO UPDATE
      SET secret = excluded.secret, last_used_step = excluded.last_used_step, enabled_at = tessera_now()
    ),
    outdated AS (DELETE FROM recovery_codes WHERE user_id = $1)
  INSERT INTO recovery_codes (user_id, code_hash) SELECT id, unnest($4::bytea[]) FROM owner`

const disableTotp = `
  WITH outdated AS (DELETE FROM recovery_codes WHERE user_id = $1)
  DELETE FROM totp WHERE user_id = $1`

const consumeTotpStep = 'UPDATE totp SET last_used_step = $2 WHERE user_id = $1 AND last_used_step < $2'

const consumeRecoveryCode = `
  UPDATE recovery_codes SET used_at = tessera_now() WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL`

const saveTotpEnrolment = `
  INSERT INTO totp_enrolments (session_id, secret, expires_at)
  SELECT s.id, $2, tessera_now() + make_interval(secs => $3) FROM sessions s WHERE s.id = $1 FOR KEY SHARE
  ON CONFLICT (session_id) DO UPDATE SET secret = excluded.secret, expires_at = excluded.expires_at`

const findTotpEnrolment = 'SELECT secret FROM totp_enrolments WHERE session_id = $1 AND expires_at > tessera_now()'

/** Jumps from one value of an index to the next: a handful of look-ups, however many hashes are stored. */
const distinctCosts = (table: 'passwords' | 'pins') => `
  SELECT cost FROM (
    WITH RECURSIVE next AS (
      SELECT min(cost) AS cost FROM ${table}
      UNION ALL
      SELECT (SELECT min(t.cost) FROM ${table} t WHERE t.cost > next.cost) FROM next WHERE next.cost IS NOT NULL
    )
    SELECT cost FROM next
  ) AS ${table}_costs WHERE cost IS NOT NULL`

const storedCosts = `${distinctCosts('passwords')} UNION ${distinctCosts('pins')} ORDER BY cost`

export function createCredentials(database: Queryable): Credentials {
  const run = async (text: string, values: readonly unknown[]) => {
    await database.query(null, text, values)
  }
  const changes = async (name: string | null, text: string, values: readonly unknown[]) =>
    (await database.query(name, text, values)).count > 0

  return {
    setPassword: async (userId, hash) => run(setPassword, [idToFind(userId), hash, costOf(hash)]),

    replacePasswordHash: async (userId, previous, hash) =>
      run(replacePasswordHash, [idToFind(userId), previous, hash, costOf(hash)]),

    setPin: async (userId, { hash, pepperKid }) => run(setPin, [idToFind(userId), hash, costOf(hash), pepperKid]),

    replacePinHash: async (userId, previous, { hash, pepperKid }) =>
      run(replacePinHash, [idToFind(userId), previous, hash, costOf(hash), pepperKid]),

    enableTotp: (userId, sealedSecret, lastUsedStep, recoveryCodeHashes) =>
      run(enableTotp, [idToFind(userId), sealedSecret, lastUsedStep, recoveryCodeHashes]),

    disableTotp: (userId) => changes(null, disableTotp, [idToFind(userId)]),

    async hasTotp(userId) {
      const { rows } = await database.query(null, 'SELECT 1 FROM totp WHERE user_id = $1', [idToFind(userId)])
      return rows.length > 0
    },

    consumeTotpStep: (userId, step) => changes('totp_consume', consumeTotpStep, [idToFind(userId), step]),

    consumeRecoveryCode: (userId, codeHash) => changes(null, consumeRecoveryCode, [idToFind(userId), codeHash]),

    saveTotpEnrolment: (sessionId, sealedSecret, lifetimeSeconds) =>
      run(saveTotpEnrolment, [idToFind(sessionId), sealedSecret, lifetimeSeconds]),

    async findTotpEnrolment(sessionId) {
      const { rows: [row] } = await database.query<{ secret: Buffer }>(null, findTotpEnrolment, [idToFind(sessionId)])
      return row?.secret ?? null
    },

    deleteTotpEnrolment: (sessionId) => run('DELETE FROM totp_enrolments WHERE session_id = $1', [idToFind(sessionId)]),

    async storedCosts() {
      const { rows } = await database.query<{ cost: string }>(null, storedCosts, [])
      return rows.map((row) => row.cost)
    },
  }
}

/** `$argon2id$v=19$m=19456,t=2,p=1$…`: the third field, the same for every hash of one cost. */
function costOf(hash: string): string {
  const cost = /\$(m=\d+,t=\d+,p=\d+)\$/.exec(hash)?.[1]
  if (cost === undefined) throw new TypeError('what should be stored is not a hash of argon2')
  return cost
}
