import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { readDatabaseUrl, type DatabaseTarget, type TlsCheck } from '../database-url.js'

/** A server that asks for a password in a way that would give it away, or that does not prove that it knows it. */
export class UntrustedServerError extends Error {
  override readonly name = 'UntrustedServerError'
}

/**
 * What the code reads comes in these formats, whatever the database or the role is set to. Parameters of the start of a
 * session: they win over ALTER DATABASE and ALTER ROLE, and cost no statement. A transaction pooler takes none.
 */
export const sessionFormats = [
  'datestyle=ISO', 'intervalstyle=postgres', 'timezone=UTC', 'bytea_output=hex', 'extra_float_digits=1', 'standard_conforming_strings=on',
  'transform_null_equals=off', 'quote_all_identifiers=off', 'default_transaction_isolation=read\\ committed', 'default_transaction_deferrable=off',
].map((setting) => `-c ${setting}`).join(' ')

/** A client of PostgreSQL by URL. It gives its password to nobody who asks for it in clear text, except over TLS that is checked. */
export class Client extends pg.Client {
  constructor({ connectionString, ...config }: pg.ClientConfig = {}) {
    if (connectionString === undefined) throw new TypeError('a client needs a URL')
    const target = readDatabaseUrl(connectionString)
    super({ ...config, ...configOf(target, config.options) })
    guard(this.connection, target)
  }
}

/** A client for a direct connection, whose session has the formats that the code reads. */
export const createDirectClient = (settings: pg.ClientConfig): Client => new Client({ ...settings, options: sessionFormats })

function configOf({ host, port, user, password, database, tls, certificates, options }: DatabaseTarget, ours: string | undefined): pg.ClientConfig {
  const allOptions = [options, ours].filter(Boolean).join(' ')
  return {
    ...(host !== null && { host }),
    ...(port !== null && { port }),
    ...(user !== null && { user }),
    ...(password !== null && { password }),
    ...(database !== null && { database }),
    ...(allOptions !== '' && { options: allOptions }),
    ...(tls !== 'unset' && { ssl: tls === 'off' ? false : tlsOptions(tls, certificates) }),
  }
}

const tlsOptions = (tls: TlsCheck, { authority, own, key }: DatabaseTarget['certificates']): ConnectionOptions => ({
  rejectUnauthorized: tls !== 'nothing',
  ...(tls === 'authority' && { checkServerIdentity: () => undefined }),
  ...(authority !== null && { ca: authority }),
  ...(own !== null && { cert: own }),
  ...(key !== null && { key }),
})

/**
 * The driver answers whatever it is asked, and takes an OK that comes before the server has proved that it knows the
 * password (RFC 5802 §3: the server's signature). A connection that is cut here sends nothing more.
 */
function guard(connection: pg.Connection, { tls, requireAuth }: DatabaseTarget): void {
  const isChecked = tls === 'authority' || tls === 'authority and name'
  const allows = (method: 'md5' | 'password' | 'none'): boolean => requireAuth?.includes(method) ?? (method !== 'password' || isChecked)
  let method: 'scram-sha-256' | 'md5' | 'password' | 'none' = 'none'
  let isProved = false
  let isAccepted = false
  const refuse = (why: string): void => {
    connection.stream.destroy(new UntrustedServerError(why))
  }
  connection.on('authenticationCleartextPassword', () => {
    method = 'password'
    if (!allows(method)) refuse('the server asks for the password in clear text')
  })
  connection.on('authenticationMD5Password', () => {
    method = 'md5'
    if (!allows(method)) refuse('the server asks for an MD5 hash of the password')
  })
  connection.on('authenticationSASL', () => {
    method = 'scram-sha-256'
    if (requireAuth?.includes(method) === false) refuse('the server asks for SCRAM')
  })
  connection.on('authenticationSASLFinal', () => {
    isProved = true
  })
  connection.on('authenticationOk', () => {
    isAccepted = true
    if (method === 'scram-sha-256' ? !isProved : !allows(method)) refuse('the server does not prove that it knows the password')
  })
  connection.on('readyForQuery', () => {
    if (!isAccepted) refuse('the server asks for nothing and accepts nothing')
  })
}
