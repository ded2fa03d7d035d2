import { placeOf, readDatabaseUrl } from './database-url.js'
import { UntrustedServerError } from './repository/client.js'

/** Why a database is of no use, in one line, and whether it may be in a moment. */
export interface Obstacle {
  readonly message: string
  readonly passes: boolean
}

/** What was asked: the setting that names the URL, and whether a transaction pooler stands there. */
export interface Place {
  readonly setting: string
  readonly url: string
  readonly pooled: boolean
}

export interface ServerFacts {
  readonly version: string
  readonly encoding: string
  readonly is_standby: boolean
  readonly read_only: string
  readonly datestyle: string
  readonly database: string
}

export const serverFacts = `
  SELECT current_setting('server_version_num') AS version, pg_encoding_to_char(d.encoding) AS encoding, pg_is_in_recovery() AS is_standby,
    current_setting('default_transaction_read_only') AS read_only, current_setting('datestyle') AS datestyle, d.datname AS database
  FROM pg_database d WHERE d.datname = current_database()`

const oldestVersion = 150_000

/** @returns what is wrong with a server that lets us in, or null */
export function judgeServer({ setting, url, pooled }: Place, { version, encoding, is_standby, read_only, datestyle, database }: ServerFacts): Obstacle | null {
  const place = placeOf(url)
  const stays = (message: string): Obstacle => ({ message, passes: false })
  if (Number(version) < oldestVersion) return stays(`the PostgreSQL at ${place} is too old: tessera needs version 15 or newer`)
  if (encoding !== 'UTF8') {
    return stays(`the database ${database} at ${place} has the encoding ${encoding}, and names need UTF8: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in ${setting}`)
  }
  // A failover may be under way.
  if (is_standby) return { message: `the PostgreSQL at ${place} is a standby, which takes no writes: name the primary in ${setting}`, passes: true }
  if (read_only === 'on') return { message: `the database ${database} at ${place} takes no writes (default_transaction_read_only is on): switch that off with ALTER DATABASE or ALTER ROLE, or name another one in ${setting}`, passes: true }
  if (pooled && !datestyle.startsWith('ISO')) {
    return stays(`the sessions of the pooler at ${place} have the DateStyle ${datestyle}, and none can be set through it: ALTER ROLE … SET datestyle = 'ISO', and reconnect the pooler`)
  }
  return null
}

const tlsAdvice: readonly (readonly [codes: RegExp, cause: string, cure: string])[] = [
  [/^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT.*|CERT_UNTRUSTED)$/, 'its certificate comes from an authority that is not known here', 'add sslrootcert=FILE with the certificate of that authority'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name', 'name the host as the certificate does, or have one made for this name'],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired', 'have it renewed'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet', 'see to the clocks, or have it made anew'],
  [/^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO|ERR_OSSL_)/, 'TLS does not come about', 'see to its certificate and its TLS versions'],
]

/** @returns why there is no connection. The texts of the system and of the driver are not repeated: they hold pieces of the URL. */
export function explainFailure({ setting, url, pooled }: Place, error: unknown): Obstacle {
  const [code, text] = [codeOf(error), error instanceof Error ? error.message : '']
  const { tls } = readDatabaseUrl(url)
  const because = (cause: string, cure: string, passes: boolean): Obstacle => ({ message: `cannot use PostgreSQL at ${placeOf(url)} (${cause}): ${cure}`, passes })

  if (error instanceof UntrustedServerError) {
    return because(text, `add sslmode=verify-full to ${setting}, so that it goes to nobody else (docs/operations.md), or see who answers there`, false)
  }
  if (text.includes('unsupported startup parameter')) {
    return because('a transaction pooler such as PgBouncer answers', pooled ? `it takes no parameters: take options out of ${setting}` : `give a direct connection as ${setting === 'DATABASE_URL' ? 'DATABASE_LISTEN_URL' : setting}, past the pooler`, false)
  }
  if (text.includes('does not support SSL')) return because('it has no TLS', `switch TLS on there, or write sslmode=disable in ${setting}`, false)
  const refused = tlsAdvice.find(([codes]) => codes.test(code))
  if (refused) return because(`${code}: ${refused[1]}`, `${refused[2]} (${setting}; docs/operations.md)`, false)
  if (code === '28000' && /no encryption|SSL off/i.test(text) && (tls === 'off' || tls === 'unset')) {
    return because('28000: it takes no connection without TLS from here', `add sslmode=verify-full to ${setting}, or let this host in (pg_hba.conf)`, false)
  }
  if (code === '28000' && text.includes('pg_hba')) return because('28000: its pg_hba.conf does not let this host, user and database in', `add a line there, or correct ${setting}`, false)
  if (code.startsWith('28')) return because(code, `check user, password and database name in ${setting}`, false)
  if (code === '3D000') return because('3D000: there is no such database', `create it, or correct the name in ${setting}; check user, password and database name in ${setting}`, false)
  if (code.startsWith('42')) return because(`${code}: this role may not connect`, `GRANT CONNECT ON DATABASE …, or check user, password and database name in ${setting}`, false)
  if (code === 'ENOTFOUND') return because('ENOTFOUND: there is no such host', `check that it runs and that ${setting} is right`, true)
  if (code === '' && !/timeout|timed out/i.test(text)) return because('what answers there does not speak as PostgreSQL does', `check that it runs and that ${setting} is right`, true)
  return because(code === '' ? 'no answer' : code, `check that it runs and that ${setting} is right`, true)
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '')
