import type { AuthenticationMethod, Authority, Standing } from '../domain/model.js'
import type { Authorities } from '../domain/ports.js'
import { live } from './api-keys.js'
import { effectiveEpoch } from './epoch.js'
import { idToFind } from './inputs.js'
import type { Queryable } from './pool.js'
import { alive } from './sessions.js'
import { toUser, userColumns, type UserRow } from './user-row.js'

type Holder = Authority['holder']

interface StandingRow extends UserRow {
  stands: boolean
  scopes: string[] | null
  amr: AuthenticationMethod[] | null
  seconds_ago: number | null
}

/**
 * The rows that an end of the authority writes. Shared: what is done on one authority may be done side by side, and what ends it
 * waits, or is waited for.
 */
const locks = {
  user: 'SELECT 1 FROM users WHERE id = $1 FOR SHARE',
  session: 'SELECT 1 FROM sessions WHERE id = $1 FOR SHARE',
  apiKey: 'SELECT 1 FROM api_keys WHERE id = $1 FOR SHARE',
  client: 'SELECT 1 FROM clients WHERE id = $1 FOR SHARE',
  globalEpoch: 'SELECT 1 FROM service_state FOR SHARE',
} as const

/** In the order in which every change takes them: the user, then what is the user's, then what is everybody's. */
function locksOf(holder: Holder): readonly (readonly [text: string, values: readonly string[]])[] {
  switch (holder.kind) {
    case 'session':
      return [[locks.user, [holder.userId]], [locks.session, [holder.sessionId]], [locks.globalEpoch, []]]
    case 'api_key':
      return [[locks.user, [holder.userId]], [locks.apiKey, [holder.apiKeyId]]]
    case 'client':
    case 'authenticated_client':
      return [[locks.client, [holder.clientId]], [locks.globalEpoch, []]]
  }
}

const session = `
  SELECT ${userColumns}, coalesce(${alive}, false) AS stands, NULL AS scopes,
    s.amr, extract(epoch FROM tessera_now() - s.auth_time)::float8 AS seconds_ago
  FROM users u LEFT JOIN sessions s ON s.id = $2 AND s.user_id = u.id WHERE u.id = $1`

const apiKey = `
  SELECT ${userColumns}, (k.id IS NOT NULL AND ${live} AND u.status = 'active') AS stands, k.scopes, NULL AS amr, NULL AS seconds_ago
  FROM users u LEFT JOIN api_keys k ON k.id = $2 AND k.user_id = u.id WHERE u.id = $1`

const client = `SELECT scopes, ${effectiveEpoch('epoch')} AS epoch FROM clients WHERE id = $1`

const gone: Standing = { stands: false, user: null, scopes: null, login: null }

/** The half of an effective epoch that is the client's own: the end of everybody's tokens leaves its secret as it is. */
const ownHalf = (epoch: number): number => epoch % 2 ** 32

export function createAuthorities(database: Queryable): Authorities {
  async function ofUser(text: string, userId: string, id: string): Promise<Standing> {
    const { rows: [row] } = await database.query<StandingRow>(null, text, [idToFind(userId), idToFind(id)])
    return row ? toStanding(row) : gone
  }

  async function ofClient(id: string, isStill: (epoch: number) => boolean): Promise<Standing> {
    const { rows: [row] } = await database.query<{ scopes: string[]; epoch: number }>(null, client, [idToFind(id)])
    return row ? { ...gone, stands: isStill(row.epoch), scopes: row.scopes } : gone
  }

  return {
    async hold(holder) {
      // A statement each: one that locks several rows says nothing about their order.
      for (const [text, ids] of locksOf(holder)) await database.query(null, text, ids.map(idToFind))
    },

    find(holder) {
      switch (holder.kind) {
        case 'session':
          return ofUser(session, holder.userId, holder.sessionId)
        case 'api_key':
          return ofUser(apiKey, holder.userId, holder.apiKeyId)
        case 'client':
          return ofClient(holder.clientId, (epoch) => epoch === holder.epoch)
        case 'authenticated_client':
          return ofClient(holder.clientId, (epoch) => ownHalf(epoch) === ownHalf(holder.epoch))
      }
    },
  }
}

const toStanding = (row: StandingRow): Standing => ({
  stands: row.stands,
  user: toUser(row),
  scopes: row.scopes,
  login: row.amr === null || row.seconds_ago === null ? null : { amr: row.amr, secondsAgo: row.seconds_ago },
})
