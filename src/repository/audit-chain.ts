import type { AuditChain, Checkpoint, Seal, SealableEvent, SealedEvent } from '../domain/ports.js'
import { tryLock } from './locks.js'
import type { Database } from './transaction.js'

interface SealRow {
  seq: number
  event_id: number
  mac: Buffer
  kid: string
}

/** A transaction that was open when its event got a number has long ended, one way or the other. */
const settledAfter = "interval '5 minutes'"
/** How far apart the numbers of events can be that are written at one time. */
const lateNumbers = 10_000

/**
 * Numbers are given before a transaction ends, so an event below the last sealed one may appear late; but not later than this.
 * The search begins where everything was sealed by then, and not at the beginning of time.
 */
const unsealed = `
  SELECT e.id, tessera_audit_text(e) AS text FROM audit_events e
  WHERE e.id > coalesce((
      SELECT s.event_id FROM audit_seals s WHERE s.sealed_at < tessera_now() - ${settledAfter} ORDER BY s.sealed_at DESC, s.seq DESC LIMIT 1
    ), 0) - ${lateNumbers}
    AND NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.event_id = e.id)
  ORDER BY e.id LIMIT $1`

const insertSeals = `
  INSERT INTO audit_seals (seq, event_id, mac, kid)
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[])`

const sealsAfter = `
  SELECT s.seq, s.event_id, s.mac, s.kid, tessera_audit_text(e) AS text, e.id IS NOT NULL AS is_there
  FROM audit_seals s LEFT JOIN audit_events e ON e.id = s.event_id
  WHERE s.seq > $1 ORDER BY s.seq LIMIT $2`

const overlooked = `
  SELECT e.id FROM audit_events e
  WHERE e.at < tessera_now() - ${settledAfter} AND NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.event_id = e.id)
  ORDER BY e.id LIMIT 100`

/** Nothing younger stands at or before it. */
const lastSealBefore = `
  SELECT s.seq, s.event_id, s.mac, s.kid FROM audit_seals s
  WHERE s.seq < coalesce((SELECT min(y.seq) FROM audit_seals y JOIN audit_events e ON e.id = y.event_id WHERE e.at >= $1), 9223372036854775807)
  ORDER BY s.seq DESC LIMIT 1`

export function createAuditChain(database: Database): AuditChain {
  const oneSeal = async (text: string, values: readonly unknown[]): Promise<Seal | null> => {
    const { rows: [row] } = await database.query<SealRow>(null, text, values)
    return row ? toSeal(row) : null
  }

  return {
    tryLock: () => tryLock(database, 'seal'),

    lastSeal: () => oneSeal('SELECT seq, event_id, mac, kid FROM audit_seals ORDER BY seq DESC LIMIT 1', []),

    async unsealed(limit) {
      const { rows } = await database.query<SealableEvent>('audit_unsealed', unsealed, [limit])
      return rows
    },

    async countUnsealed(most) {
      const { rows: [row] } = await database.query<{ count: number }>('audit_unsealed_count', `SELECT count(*) FROM (${unsealed}) AS waiting`, [most])
      return row?.count ?? 0
    },

    async insertSeals(seals) {
      const columns = [seals.map(({ seq }) => seq), seals.map(({ eventId }) => eventId), seals.map(({ mac }) => mac), seals.map(({ kid }) => kid)]
      await database.query(null, insertSeals, columns)
    },

    async sealsAfter(seq, limit) {
      const { rows } = await database.query<SealRow & { text: string; is_there: boolean }>(null, sealsAfter, [seq, limit])
      return rows.map((row): SealedEvent => ({ ...toSeal(row), text: row.is_there ? row.text : null }))
    },

    async overlooked() {
      const { rows } = await database.query<{ id: number }>(null, overlooked, [])
      return rows.map(({ id }) => id)
    },

    async lastCheckpoint() {
      const { rows: [row] } = await database.query<Checkpoint>(null, 'SELECT seq, mac, proof, kid FROM audit_checkpoints ORDER BY seq DESC LIMIT 1', [])
      return row ?? null
    },

    async insertCheckpoint({ seq, mac, proof, kid }) {
      await database.query(null, 'INSERT INTO audit_checkpoints (seq, mac, proof, kid) VALUES ($1, $2, $3, $4)', [seq, mac, proof, kid])
    },

    lastSealBefore: (at) => oneSeal(lastSealBefore, [at]),

    async deleteUpTo(seq) {
      const { count } = await database.query(null, 'DELETE FROM audit_events e USING audit_seals s WHERE s.event_id = e.id AND s.seq <= $1', [seq])
      await database.query(null, 'DELETE FROM audit_seals WHERE seq <= $1', [seq])
      return count
    },
  }
}

const toSeal = (row: SealRow): Seal => ({ seq: row.seq, eventId: row.event_id, mac: row.mac, kid: row.kid })
