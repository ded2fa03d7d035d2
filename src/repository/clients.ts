import type { Client, PublicKeySet } from '../domain/model.js'
import type { Clients } from '../domain/ports.js'
import { effectiveEpoch } from './epoch.js'
import { idToFind } from './inputs.js'
import type { Database } from './transaction.js'

interface ClientRow {
  id: string
  name: string
  scopes: string[]
  access_seconds: number | null
  jwks: PublicKeySet | null
  has_secret: boolean
  epoch: number
  created_at: Date
}

const columns = `
  id, name, scopes, access_seconds, jwks, secret_hash IS NOT NULL AS has_secret, ${effectiveEpoch('epoch')} AS epoch, created_at`

const insert = `
  INSERT INTO clients (id, name, secret_hash, jwks, scopes, access_seconds) VALUES ($1, $2, $3, $4, $5, $6)
  RETURNING ${columns}`

/** The hash is of 256 random bits: comparing it byte by byte tells nobody how to come nearer. */
const findBySecret = `
  SELECT ${columns} FROM clients
  WHERE id = $1 AND (secret_hash = $2 OR (previous_secret_hash = $2 AND previous_secret_expires_at > tessera_now()))`

const replaceSecret = `
  UPDATE clients SET
    previous_secret_hash = CASE WHEN $3 > 0 THEN secret_hash END,
    previous_secret_expires_at = CASE WHEN $3 > 0 THEN tessera_now() + make_interval(secs => $3) END,
    secret_hash = $2
  WHERE id = $1 AND secret_hash IS NOT NULL`

const replaceKeys = `
  UPDATE clients SET jwks = $2, secret_hash = NULL, previous_secret_hash = NULL, previous_secret_expires_at = NULL WHERE id = $1`

const raiseEpoch = `UPDATE clients SET epoch = epoch + 1 WHERE id = $1 RETURNING ${effectiveEpoch('epoch')} AS epoch`

/** Of a client that is deleted meanwhile no assertion is accepted, and none is an error. */
const useAssertion = `
  INSERT INTO client_assertions (client_id, jti, expires_at)
  SELECT id, $2, $3 FROM clients WHERE id = $1 FOR KEY SHARE
  ON CONFLICT DO NOTHING`

export function createClients(database: Database): Clients {
  const one = async (name: string | null, text: string, values: readonly unknown[]): Promise<Client | null> => {
    const { rows: [row] } = await database.query<ClientRow>(name, text, values)
    return row ? toClient(row) : null
  }
  const changes = async (text: string, values: readonly unknown[]) => (await database.query(null, text, values)).count > 0

  return {
    async insert({ id, name, secretHash, jwks, scopes, accessSeconds }) {
      const client = await one(null, insert, [id, name, secretHash, jwks === null ? null : JSON.stringify(jwks), scopes, accessSeconds])
      if (client === null) throw new Error('an insert returned no row')
      return client
    },
    find: (id) => one('client_find', `SELECT ${columns} FROM clients WHERE id = $1`, [idToFind(id)]),
    findBySecret: (id, secretHash) => one('client_find_by_secret', findBySecret, [idToFind(id), secretHash]),
    async hold(id) {
      await database.query(null, 'SELECT 1 FROM clients WHERE id = $1 FOR NO KEY UPDATE', [idToFind(id)])
    },
    async list() {
      const { rows } = await database.query<ClientRow>(null, `SELECT ${columns} FROM clients ORDER BY name, id`, [])
      return rows.map(toClient)
    },
    replaceSecret: (id, secretHash, overlapSeconds) => changes(replaceSecret, [idToFind(id), secretHash, overlapSeconds]),
    replaceKeys: (id, jwks) => changes(replaceKeys, [idToFind(id), JSON.stringify(jwks)]),
    async raiseEpoch(id) {
      const { rows: [row] } = await database.query<{ epoch: number }>(null, raiseEpoch, [idToFind(id)])
      return row?.epoch ?? null
    },
    delete: (id) => changes('DELETE FROM clients WHERE id = $1', [idToFind(id)]),
    useAssertion: (id, jti, expiresAt) => changes(useAssertion, [idToFind(id), jti, expiresAt]),
  }
}

const toClient = (row: ClientRow): Client => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  accessSeconds: row.access_seconds,
  jwks: row.jwks,
  hasSecret: row.has_secret,
  epoch: row.epoch,
  createdAt: row.created_at,
})
