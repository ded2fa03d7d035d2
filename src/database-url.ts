import { readFileSync } from 'node:fs'

/** How a server may ask for a password. `none`: not at all (trust, peer, a client certificate). */
const authMethods = ['scram-sha-256', 'md5', 'password', 'none'] as const
export type AuthMethod = (typeof authMethods)[number]

/** What is checked of the server's certificate; `off`: no TLS; `unset`: what PGSSLMODE says. Unlike in libpq, `prefer` and `require` check all of it. */
const tlsModes = {
  disable: 'off',
  'no-verify': 'nothing',
  'verify-ca': 'authority',
  prefer: 'authority and name',
  require: 'authority and name',
  'verify-full': 'authority and name',
} as const
export type TlsCheck = (typeof tlsModes)[keyof typeof tlsModes] | 'unset'

/** Parameters of such a URL that we read, and those of libpq that may stay in it and change nothing here. */
const parametersRead = ['host', 'port', 'user', 'password', 'sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'require_auth', 'options']
const parametersLeft = [
  'application_name', 'fallback_application_name', 'connect_timeout', 'channel_binding', 'gssencmode', 'client_encoding', 'target_session_attrs',
  'keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout', 'sslnegotiation', 'sslcompression', 'sslsni', 'uselibpqcompat',
]

export interface DatabaseTarget {
  /** A name, an address, or the folder of a socket; null: what PGHOST says, or localhost. */
  readonly host: string | null
  readonly port: number | null
  readonly user: string | null
  readonly password: string | null
  readonly database: string | null
  readonly tls: TlsCheck
  readonly certificates: { readonly authority: string | null; readonly own: string | null; readonly key: string | null }
  /** null: anything but a password in clear text, and that too over TLS that is checked. */
  readonly requireAuth: readonly AuthMethod[] | null
  readonly options: string | null
}

const unreserved = String.raw`[\w.~!$&'()*+,;=-]|%[0-9a-f]{2}`
const grammar = new RegExp(
  `^postgres(?:ql)?://(?:(?:${unreserved}|:)*@)?(?:\\[[0-9a-f:.]+\\]|(?:${unreserved})*)(?::\\d{1,5})?(?:/(?:${unreserved})*)?(?:\\?[^@#\\s[\\]<>"\\\\^\`{|}]*)?$`,
  'i',
)

/** @returns what is wrong, or null. Nothing of the text is repeated: a piece of it may be a piece of a password. */
export function problemOfDatabaseUrl(text: string): string | null {
  if (!/^postgres(?:ql)?:\/\/./i.test(text)) return 'a URL such as postgresql://user@host:5432/database'
  if (!grammar.test(text) || !URL.canParse(text) || !canDecode(text)) {
    return 'a URL such as postgresql://user@host:5432/database, percent-encode what is special in the password (/ is %2F, @ is %40, # is %23, ? is %3F, % is %25)'
  }
  const { searchParams } = new URL(text)
  const unknown = [...searchParams.keys()].find((name) => !parametersRead.includes(name) && !parametersLeft.includes(name))
  // A name that looks like a parameter is none of a password: that would have to be followed by "=".
  if (unknown !== undefined) return 'a URL whose parameters (after the ?) are those of PostgreSQL, such as sslmode and sslrootcert; a ? in a password is written %3F'
  const mode = searchParams.get('sslmode')
  if (mode !== null && !(mode in tlsModes)) return `a URL with an sslmode that is one of ${Object.keys(tlsModes).join(', ')}`
  const auth = searchParams.get('require_auth')
  if (auth !== null && !auth.split(',').every(isAuthMethod)) return `a URL with a require_auth that names some of ${authMethods.join(', ')}`
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const file = searchParams.get(name)
    if (file !== null && file !== 'system' && !isReadable(file)) return `a URL whose ${name} names a file that can be read`
  }
  return null
}

const isAuthMethod = (name: string): name is AuthMethod => authMethods.some((method) => method === name)

/** Percent signs stand before two digits, and together they are UTF-8. */
export function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file)
    return true
  } catch {
    return false
  }
}

/** @param text judged before */
export function readDatabaseUrl(text: string): DatabaseTarget {
  const url = new URL(text)
  const parameter = (name: string): string | null => url.searchParams.get(name)
  const file = (name: string): string | null => {
    const path = parameter(name)
    return path === null || path === 'system' ? null : readFileSync(path, 'utf8')
  }
  const host = parameter('host') ?? (decodeURIComponent(url.hostname).replace(/^\[(.+)\]$/, '$1') || null)
  const port = parameter('port') ?? url.port
  return {
    host,
    port: port === '' ? null : Number(port),
    user: parameter('user') ?? (decodeURIComponent(url.username) || null),
    password: parameter('password') ?? (decodeURIComponent(url.password) || null),
    database: decodeURIComponent(url.pathname.slice(1)) || null,
    tls: tlsOf(parameter('sslmode'), url.searchParams),
    certificates: { authority: file('sslrootcert'), own: file('sslcert'), key: file('sslkey') },
    requireAuth: parameter('require_auth')?.split(',').filter(isAuthMethod) ?? null,
    options: parameter('options'),
  }
}

function tlsOf(mode: string | null, parameters: URLSearchParams): TlsCheck {
  const known = Object.entries(tlsModes).find(([name]) => name === mode)
  if (known) return known[1]
  const ssl = parameters.get('ssl')
  if (ssl === 'no-verify') return 'nothing'
  const isWanted = ssl === 'true' || ssl === '1' || ['sslrootcert', 'sslcert', 'sslkey'].some((name) => parameters.has(name))
  return isWanted ? 'authority and name' : ssl === null ? 'unset' : 'off'
}

/** Host, port and database: never the password. */
export function placeOf(text: string): string {
  const { host, port, database } = readDatabaseUrl(text)
  return `${host ?? 'localhost'}:${port ?? 5432}${database === null ? '' : `/${database}`}`
}
