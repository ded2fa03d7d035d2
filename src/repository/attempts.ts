import { randomUUID } from 'node:crypto'
import type { AttemptCounter, Attempts, OriginFailures, Reservation } from '../domain/ports.js'
import type { Queryable } from './pool.js'

interface ReservationRow {
  verdict: Reservation['verdict']
}

interface FailuresRow {
  origin: AttemptCounter['origin']
  failures: number
  pin_failures: number
  locked_until: Date | null
}

/** `pending` holds seconds since the epoch, by the database's clock. */
const now = 'extract(epoch FROM tessera_now())'

const isLocked = 'coalesce(a.locked_until > tessera_now(), false)'

/**
 * The row is locked before its columns are read, so parallel guesses are judged one after the other. Every attempt writes,
 * a refused one too: RETURNING tells about the row as it became, and whether our reservation is in it is the verdict.
 * $1 subject, $2 origin, $3 id of the reservation, $4 whether for a PIN, $5 free failures, $6 PIN failures, $7 seconds.
 */
const reserve = `
  INSERT INTO attempts AS a (subject, origin, pending, updated_at)
  VALUES ($1, $2, CASE WHEN NOT $4 OR 0 < $6 THEN jsonb_build_object($3::text, ${now}) ELSE '{}' END, tessera_now())
  ON CONFLICT (subject, origin) DO UPDATE SET
    updated_at = tessera_now(),
    pending = (
      SELECT CASE
        WHEN NOT ${isLocked}
          AND count(live.id) < greatest(1, $5 - a.failures)
          AND (NOT $4 OR a.pin_failures + count(live.id) < $6)
        THEN coalesce(jsonb_object_agg(live.id, live.since) FILTER (WHERE live.id IS NOT NULL), '{}')
          || jsonb_build_object($3::text, ${now})
        ELSE coalesce(jsonb_object_agg(live.id, live.since) FILTER (WHERE live.id IS NOT NULL), '{}')
      END
      FROM jsonb_each(a.pending) AS live (id, since)
      WHERE live.since::float8 > ${now} - $7
    )
  RETURNING CASE
    WHEN a.pending ? $3 THEN 'granted'
    WHEN ${isLocked} THEN 'locked'
    WHEN $4 AND a.pin_failures >= $6 THEN 'pin_closed'
    ELSE 'busy'
  END AS verdict`

/**
 * Without a reservation it writes the row as it was: a guess that was never evaluated costs the same time and counts
 * nothing. The exponent is capped, since the wait is anyway, and a power out of range would be an error.
 * $1 subject, $2 origin, $3 id or null, $4 whether for a PIN, $5 free failures, $6 first wait, $7 longest wait in seconds.
 */
const settleFailure = `
  UPDATE attempts AS a SET
    failures = a.failures + CASE WHEN $3::text IS NULL THEN 0 ELSE 1 END,
    pin_failures = a.pin_failures + CASE WHEN $3 IS NOT NULL AND $4 THEN 1 ELSE 0 END,
    pending = a.pending - coalesce($3, ''),
    locked_until = CASE
      WHEN $3 IS NOT NULL AND a.failures + 1 >= $5
      THEN tessera_now() + make_interval(secs => least($7, $6 * power(2, least(a.failures + 1 - $5, 30))))
      ELSE a.locked_until
    END,
    updated_at = CASE WHEN $3 IS NULL THEN a.updated_at ELSE tessera_now() END
  WHERE a.subject = $1 AND a.origin = $2`

/** A PIN that was closed stays closed, by whatever factor the user got in. */
const settleSuccess = `
  UPDATE attempts AS a SET
    failures = 0,
    pin_failures = CASE WHEN a.pin_failures >= $4 THEN a.pin_failures ELSE 0 END,
    pending = a.pending - $3::text,
    locked_until = NULL,
    updated_at = tessera_now()
  WHERE a.subject = $1 AND a.origin = $2`

const release = 'UPDATE attempts SET pending = pending - $3::text WHERE subject = $1 AND origin = $2'

const unlock = 'UPDATE attempts SET failures = 0, locked_until = NULL WHERE subject = $1'

const reopenPin = 'UPDATE attempts SET pin_failures = 0 WHERE subject = $1'

const find = `
  SELECT origin, failures, pin_failures, CASE WHEN locked_until > tessera_now() THEN locked_until END AS locked_until
  FROM attempts WHERE subject = $1`

/** In an order, so that two who hold them wait in a line. */
const hold = 'SELECT 1 FROM attempts WHERE subject = $1 ORDER BY origin FOR UPDATE'

export function createAttempts(database: Queryable): Attempts {
  const run = async (name: string | null, text: string, values: readonly unknown[]) => {
    await database.query(name, text, values)
  }

  return {
    async find(userId, { pinFailures }) {
      const { rows } = await database.query<FailuresRow>(null, find, [userId])
      return Object.fromEntries(rows.map((row) => [row.origin, toFailures(row, pinFailures)]))
    },

    async reserve({ subject, origin }, factor, policy) {
      const id = randomUUID()
      const { rows: [row] } = await database.query<ReservationRow>('attempt_reserve', reserve, [
        subject, origin, id, factor === 'pin', policy.freeFailures, policy.pinFailures, policy.reservationSeconds,
      ])
      if (!row) throw new Error('an upsert returned no row')
      return row.verdict === 'granted' ? { verdict: row.verdict, id } : { verdict: row.verdict }
    },

    settleFailure: ({ subject, origin }, reservationId, factor, policy) =>
      run('attempt_settle_failure', settleFailure, [
        subject, origin, reservationId, factor === 'pin',
        policy.freeFailures, policy.firstWaitSeconds, policy.longestWaitSeconds,
      ]),

    settleSuccess: ({ subject, origin }, reservationId, policy) =>
      run('attempt_settle_success', settleSuccess, [subject, origin, reservationId, policy.pinFailures]),

    release: ({ subject, origin }, reservationId) => run('attempt_release', release, [subject, origin, reservationId]),

    unlock: (userId) => run(null, unlock, [userId]),

    reopenPin: (userId) => run(null, reopenPin, [userId]),

    hold: (userId) => run(null, hold, [userId]),
  }
}

const toFailures = (row: FailuresRow, pinFailures: number): OriginFailures => ({
  failures: row.failures,
  wrongPins: row.pin_failures,
  lockedUntil: row.locked_until,
  pinClosed: row.pin_failures >= pinFailures,
})
