import type { NewRevocation, Revocation } from '../domain/model.js'
import type { Revocations } from '../domain/ports.js'
import { idToFind } from './inputs.js'
import type { Queryable } from './pool.js'
import type { Database } from './transaction.js'

interface RevocationRow {
  seq: number
  kind: Revocation['kind']
  subject: string
  epoch: number | null
  survivor: string | null
  created_at: Date
  expires_at: Date
}

const columns = 'seq, kind, subject, epoch, survivor, created_at, expires_at'

/**
 * A trigger draws the number behind a lock and tells the nodes (migration 0021); another moves `expires_at` behind the end of
 * every token (0015): the lifetimes of the fleet stand in the database, and nowhere else.
 */
const write = `
  INSERT INTO revocations (kind, subject, epoch, survivor, expires_at)
  VALUES ($1, $2, $3, $4, tessera_now())
  RETURNING ${columns}`

const selectLive = `SELECT ${columns} FROM revocations WHERE expires_at > tessera_now()`

/**
 * $1 session, $2 user or client, $3 token, $4 the epoch that the token carries, $5 which of the two $2 is.
 * Every epoch is an effective one, so the end of everything ends the tokens of clients too.
 */
const isTokenDead = `
  SELECT EXISTS (
    SELECT 1 FROM revocations
    WHERE expires_at > tessera_now() AND subject IN ($1, $2, $3, '*') AND (
      (kind = 'session' AND subject = $1)
      OR (kind = 'token' AND subject = $3)
      OR (kind = 'all' AND epoch > $4)
      OR (kind = $5 AND subject = $2 AND epoch > $4 AND survivor::text IS DISTINCT FROM $1)
    )
  ) AS dead`

export interface RevocationOptions {
  readonly onRevoked: (revocation: Revocation) => void
}

export function createRevocations(database: Database, { onRevoked }: RevocationOptions): Revocations {
  return {
    announce: (revocation) =>
      database.transaction(async (transaction) => {
        const { rows: [row] } = await transaction.query<RevocationRow>('revocation_write', write, writtenValues(revocation))
        if (!row) throw new Error('an insert returned no row')
        transaction.afterCommit(() => {
          onRevoked(toRevocation(row))
        })
      }),

    recall: (sessionId) =>
      database.transaction(async (transaction) => {
        const { rows } = await transaction.query<RevocationRow>(null, `${selectLive} AND kind = 'session' AND subject = $1`, [idToFind(sessionId)])
        transaction.afterCommit(() => {
          for (const row of rows) onRevoked(toRevocation(row))
        })
      }),

    async after(seq) {
      const { rows } = await database.query<RevocationRow>(null, `${selectLive} AND seq > $1 ORDER BY seq`, [seq])
      return rows.map(toRevocation)
    },

    async isTokenDead({ kind, subject, sessionId, epoch, tokenId }) {
      const ownerKind: Revocation['kind'] = kind === 'session' ? 'user' : 'client'
      const { rows: [row] } = await database.query<{ dead: boolean }>('token_is_dead', isTokenDead, [
        sessionId, subject, tokenId, epoch, ownerKind,
      ])
      // No answer is never a living token.
      return row?.dead ?? true
    },
  }
}

/** kind, subject, epoch, survivor */
function writtenValues(revocation: NewRevocation): [string, string, number | null, string | null] {
  switch (revocation.kind) {
    case 'session':
    case 'api_key':
    case 'token':
      return [revocation.kind, revocation.subject, null, null]
    case 'user':
      return [revocation.kind, revocation.subject, revocation.epoch, revocation.survivor]
    case 'client':
      return [revocation.kind, revocation.subject, revocation.epoch, null]
    case 'all':
      return [revocation.kind, '*', revocation.epoch, null]
  }
}

/** How far somebody has read. The stamp tells a row from another one that got its number after a backup was restored. */
export interface Cursor {
  readonly seq: number
  readonly stamp: number
}

export interface News {
  readonly revocation: Revocation
  readonly cursor: Cursor
}

const microseconds = '(extract(epoch FROM created_at) * 1000000)::bigint'

/**
 * While the row at the cursor is there, what lies above it is news. When it is gone, it has expired, and with it what lay
 * below; or an older state of the database was restored. In both cases the news is everything that lives.
 */
const news = `
  SELECT ${columns}, ${microseconds} AS stamp FROM revocations
  WHERE expires_at > tessera_now()
    AND seq > CASE WHEN EXISTS (SELECT 1 FROM revocations WHERE seq = $1 AND ${microseconds} = $2) THEN $1::bigint ELSE 0 END
  ORDER BY seq`

/** @param cursor null: nothing was read yet */
export async function readNews(database: Queryable, cursor: Cursor | null): Promise<News[]> {
  const { rows } = await database.query<RevocationRow & { stamp: number }>('revocation_news', news, [
    cursor?.seq ?? 0,
    cursor?.stamp ?? 0,
  ])
  return rows.map((row) => ({ revocation: toRevocation(row), cursor: { seq: row.seq, stamp: row.stamp } }))
}

const toRevocation = (row: RevocationRow): Revocation => ({
  seq: row.seq,
  kind: row.kind,
  subject: row.subject,
  epoch: row.epoch,
  survivor: row.survivor,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
})
