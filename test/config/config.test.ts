import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ConfigError, longestTokenSeconds, readConfig, type Config, type Environment } from '../../src/config/index.js'
import { families, settings } from '../../src/config/settings.js'
import { packageRoot } from '../../src/package-root.js'

const secret = 'a master secret of more than 32 bytes'
const otherSecret = 'another master secret, also long enough'
const database = 'postgresql://tessera@db.example:5432/identity'
const withDatabase = { DATABASE_URL: database, MASTER_SECRET: secret }

/** @returns the one line that a refused start prints */
function refusal(environment: Environment): string {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

type Reading = [name: string, value: string, read: (config: Config) => unknown, expected: unknown, besides?: Environment]

/** One accepted value of every setting, other than its default, and where it is found. */
const readings: Reading[] = [
  ['HOST', '127.0.0.2', (c) => c.host, '127.0.0.2'],
  ['PORT', '8080', (c) => c.port, 8080],
  ['PUBLIC_URL', 'https://id.example.com/identity/', (c) => c.publicUrl, {
    href: 'https://id.example.com/identity', origin: 'https://id.example.com', path: '/identity', isHttps: true, isLoopback: false,
  }],
  ['DATABASE_URL', database, (c) => c.databaseUrl, database, { MASTER_SECRET: secret }],
  ['DATABASE_PASSWORD', 'p@ss/word?', (c) => c.databaseUrl, 'postgresql://tessera:p%40ss%2Fword%3F@db.example:5432/identity', withDatabase],
  ['DATABASE_LISTEN_URL', 'postgres://direct/identity', (c) => c.databaseListenUrl, 'postgres://direct/identity', withDatabase],
  ['MIGRATION_DATABASE_URL', 'postgres://owner@db.example/identity', (c) => c.migrationDatabaseUrl, 'postgres://owner@db.example/identity', withDatabase],
  ['DATABASE_POOL', '25', (c) => c.databasePool, 25],
  ['DATA_DIR', '/var/lib/tessera/../tessera', (c) => c.dataDir, '/var/lib/tessera'],
  ['MASTER_SECRET', secret, (c) => c.masterSecret, secret],
  ['MASTER_SECRET_PREVIOUS', otherSecret, (c) => c.masterSecretPrevious, otherSecret, { MASTER_SECRET: secret }],
  ['REDIS_URL', 'rediss://cache:6380/1', (c) => c.redisUrl, 'rediss://cache:6380/1'],
  ['TRUST_PROXY', '10.0.0.0/8, ::1,192.0.2.1', (c) => c.trustProxy, ['10.0.0.0/8', '::1', '192.0.2.1']],
  ['DIALECTS', 'tokenset,pin', (c) => c.dialects, ['pin', 'tokenset']],
  ['SIGNING_ALG', 'EdDSA', (c) => c.signingAlg, 'EdDSA'],
  ['SIGNING_KEY_ROTATION_DAYS', '90', (c) => c.signingKeyRotationDays, 90],
  ['SIGNING_KEY_MAX_AGE', '1m', (c) => c.signingKeyMaxAgeSeconds, 60],
  ['AUDIENCE', 'fleet', (c) => c.audience, 'fleet'],
  ['TOKENSET_CLIENT_ID', '7abc', (c) => c.tokensetClientId, '7abc'],
  ['VERIFY_PATH_ALLOWS', 'slash, space', (c) => c.verifyPathAllows, ['space', 'slash']],
  ['VERIFY_PREFLIGHT', 'refuse', (c) => c.verifyPreflight, false],
  ['VERIFY_TOKEN_AUDIENCES', 'orders, https://shop.example.com/api', (c) => c.verifyTokenAudiences, ['orders', 'https://shop.example.com/api'], { TRUST_PROXY: '10.0.0.1' }],
  ['REFRESH_GRACE_SECONDS', '0', (c) => c.refreshGraceSeconds, 0],
  ['REFRESH_STATIC_CLIENTS', 'none', (c) => c.refreshStaticClients, []],
  ['DIRECTUS_ENVELOPE', 'data', (c) => c.directusEnvelope, 'data'],
  ['DISCLOSE_UNKNOWN_USER', 'true', (c) => c.discloseUnknownUser, true],
  ['REVOCATION_MAX_LAG_MS', '500', (c) => c.revocationMaxLagMs, 500],
  ['PIN_ACCESS_TTL', '90', (c) => c.lifetimes.pin.accessSeconds, 90],
  ['PIN_REFRESH_TTL', '2d', (c) => c.lifetimes.pin.refreshSeconds, 172_800],
  ['DIRECTUS_ACCESS_TTL', '5m', (c) => c.lifetimes.directus.accessSeconds, 300],
  ['DIRECTUS_REFRESH_TTL', '12h', (c) => c.lifetimes.directus.refreshSeconds, 43_200],
  ['DIRECTUS_REFRESH_IDLE_TTL', '1h', (c) => c.lifetimes.directus.idleSeconds, 3600],
  ['BEARER_ACCESS_TTL', '2h', (c) => c.lifetimes.bearer.accessSeconds, 7200],
  ['BEARER_REFRESH_TTL', '1d', (c) => c.lifetimes.bearer.refreshSeconds, 86_400],
  ['TOKENSET_ACCESS_TTL', '30m', (c) => c.lifetimes.tokenset.accessSeconds, 1800],
  ['TOKENSET_REFRESH_TTL', '2h', (c) => c.lifetimes.tokenset.refreshSeconds, 7200],
  ['API_KEY_MAX_AGE', '10m', (c) => c.apiKeyMaxAgeSeconds, 600],
  ['COOKIE_DOMAIN', 'example.com', (c) => c.cookieDomain, 'example.com'],
  ['COOKIE_SAMESITE', 'none', (c) => c.cookieSameSite, 'none', { PUBLIC_URL: 'https://id.example.com' }],
  ['ARGON2_MEMORY_KIB', '65536', (c) => c.argon2.memoryKiB, 65_536],
  ['ARGON2_TIME', '3', (c) => c.argon2.timeCost, 3],
  ['ARGON2_PARALLELISM', '4', (c) => c.argon2.parallelism, 4],
  ['HASH_CONCURRENCY', '3', (c) => c.hashConcurrency, 3],
  ['UV_THREADPOOL_SIZE', '7', (c) => c.threadPoolSize, 7],
  ['HASH_QUEUE', '0', (c) => c.hashQueue, 0],
  ['RATE_LIMIT', 'off', (c) => c.rateLimits, null],
  ['RATE_LIMIT_LOGIN', '5/s', (c) => c.rateLimits?.login, { max: 5, windowMs: 1000 }],
  ['RATE_LIMIT_REFRESH', '100/h', (c) => c.rateLimits?.refresh, { max: 100, windowMs: 3_600_000 }],
  ['RATE_LIMIT_CLIENT', '7/s', (c) => c.rateLimits?.client, { max: 7, windowMs: 1000 }],
  ['RATE_LIMIT_FEED', '8/min', (c) => c.rateLimits?.feed, { max: 8, windowMs: 60_000 }],
  ['RATE_LIMIT_HEALTH', '9/min', (c) => c.rateLimits?.health, { max: 9, windowMs: 60_000 }],
  ['RATE_LIMIT_DEFAULT', '10/min', (c) => c.rateLimits?.default, { max: 10, windowMs: 60_000 }],
  ['CONNECTIONS_PER_ADDRESS', '50', (c) => c.connectionsPerAddress, 50],
  ['CORS_ORIGINS', 'https://app.example.com,http://localhost:3000', (c) => c.corsOrigins, ['https://app.example.com', 'http://localhost:3000']],
  ['LOG_LEVEL', 'silent', (c) => c.logLevel, 'silent'],
]

void t.test('every setting is read from the variable of its name', (t) => {
  t.strictSame(readings.map(([name]) => name), Object.keys(settings), 'none is missing here')
  for (const [name, value, read, expected, besides] of readings) {
    t.strictSame(read(readConfig({ ...besides, [name]: value })), expected, name)
    t.notSame(read(readConfig(besides ?? {})), expected, `without ${name} it is something else`)
  }
  t.end()
})

void t.test('Ed25519 is another name of EdDSA', (t) => {
  t.equal(readConfig({ SIGNING_ALG: 'Ed25519' }).signingAlg, 'EdDSA')
  t.end()
})

void t.test('an empty environment is an embedded development service', (t) => {
  const config = readConfig({})
  t.match(config, {
    host: '127.0.0.1', port: 9154, databaseUrl: null, databaseListenUrl: null, masterSecret: null, redisUrl: null, trustProxy: null,
    dialects: ['pin', 'directus', 'bearer', 'tokenset'], signingAlg: 'ES256', audience: 'http://127.0.0.1:9154', refreshGraceSeconds: 60,
    refreshStaticClients: ['pin', 'bearer', 'tokenset'], directusEnvelope: 'both', revocationMaxLagMs: 2000,
    lifetimes: {
      pin: { accessSeconds: 60, refreshSeconds: 2_592_000, idleSeconds: null },
      directus: { accessSeconds: 900, refreshSeconds: 2_592_000, idleSeconds: 604_800 },
      bearer: { accessSeconds: 3600, refreshSeconds: 2_592_000, idleSeconds: null },
      tokenset: { accessSeconds: 3600, refreshSeconds: 2_592_000, idleSeconds: null },
    },
    argon2: { memoryKiB: 19_456, timeCost: 2, parallelism: 1 }, hashConcurrency: availableParallelism(), hashQueue: 64,
    rateLimits: { login: { max: 30, windowMs: 60_000 }, refresh: { max: 600, windowMs: 60_000 }, default: { max: 3000, windowMs: 60_000 } },
    logLevel: 'info', demoAllowed: true, threadPoolSize: 4,
  })
  t.equal(config.dataDir, path.join(packageRoot, '.data'))
  t.throws(() => Object.assign(config, { port: 1 }), 'nobody changes it later')
  t.end()
})

void t.test('an empty value is no value', (t) => {
  const blank = Object.fromEntries(Object.keys(settings).map((name) => [name, '']))
  t.strictSame(readConfig(blank), readConfig({}))
  t.strictSame(readConfig({ ...withDatabase, MASTER_SECRET_FILE: '' }), readConfig(withDatabase))
  t.end()
})

/** Values that a start is refused for. */
const malformed: Record<string, string[]> = {
  PORT: ['x', '-1', '65536', '1.5', '1e3', ' 80', '0x50'],
  PUBLIC_URL: ['id.example.com', 'ftp://id.example.com', 'https://id.example.com/?a=1', 'https://id.example.com/#a', 'https://u:p@id.example.com', 'http://'],
  DATABASE_URL: ['mysql://db/identity', 'db.example', 'postgres://'],
  DATABASE_LISTEN_URL: ['db.example'],
  MIGRATION_DATABASE_URL: ['db.example'],
  DATABASE_POOL: ['1', '201', 'many'],
  MASTER_SECRET: ['short', 'x'.repeat(31)],
  MASTER_SECRET_PREVIOUS: ['x'.repeat(31)],
  REDIS_URL: ['cache:6379', 'http://cache'],
  TRUST_PROXY: ['1', 'true', '*', '0.0.0.0/0', '::/0', '127.0.0.1,::ffff:0:0/0', '10.0.0.0/08', '10.0.0.0/33', '::1/129', 'proxy.local', '10.0.0.1/8/8', ',', '10.0.0.0/'],
  DIALECTS: ['none', 'oauth', 'pin,nope', ','],
  SIGNING_ALG: ['HS256', 'es256', 'none'],
  SIGNING_KEY_ROTATION_DAYS: ['0', '3651'],
  REFRESH_GRACE_SECONDS: ['-1', '3601', '60s'],
  REFRESH_STATIC_CLIENTS: ['all', 'none,pin'],
  DIRECTUS_ENVELOPE: ['yes'],
  DISCLOSE_UNKNOWN_USER: ['1', 'yes', 'TRUE'],
  REVOCATION_MAX_LAG_MS: ['99', '60001'],
  PIN_ACCESS_TTL: ['0', '1y', '-60', '1.5h', '3651d', '15 m'],
  COOKIE_DOMAIN: ['exa mple.com', 'https://example.com', 'a;b'],
  COOKIE_SAMESITE: ['Lax', 'any'],
  ARGON2_MEMORY_KIB: ['7'],
  ARGON2_TIME: ['0'],
  ARGON2_PARALLELISM: ['0', '65'],
  HASH_CONCURRENCY: ['0'],
  UV_THREADPOOL_SIZE: ['0'],
  HASH_QUEUE: ['-1'],
  RATE_LIMIT: ['false', '0'],
  RATE_LIMIT_LOGIN: ['30', '0/min', '30/day', '/min'],
  CORS_ORIGINS: [
    '*', 'null', 'app.example.com', 'https://app.example.com/', 'https://app.example.com,null', 'https://app.example.com/path', 'https://me@app.example.com', 'https://*.example.com',
    'https://app.example.com:443', 'HTTPS://app.example.com', 'https://App.example.com', 'https://app.example.com?x', 'https://app.example.com#', 'https:app.example.com', 'https://', 'https://bücher.example', 'http://localhost:0', 'http://localhost:65536',
    'capacitor://', 'capacitor://localhost/', 'capacitor://user@localhost', 'Capacitor://localhost', 'capacitor://*', 'capacitor:localhost', 'chrome-extension://*', 'app://./', 'tauri://localhost:x', 'file://', 'file://x', 'data://x', 'blob:https://x', 'javascript://x', 'wss://app.example.com', 'about:blank',
  ],
  VERIFY_PATH_ALLOWS: ['backslash', 'space,%2f', ','],
  VERIFY_PREFLIGHT: ['true', 'PASS'],
  LOG_LEVEL: ['verbose'],
}

void t.test('case 58: a malformed value is refused in one line that names it', (t) => {
  for (const [name, values] of Object.entries(malformed)) {
    for (const value of values) {
      const line = refusal({ ...withDatabase, MASTER_SECRET_PREVIOUS: otherSecret, [name]: value })
      t.match(line, new RegExp(`^${name} must be `), `${name}=${value}`)
      t.notMatch(line, '\n')
    }
  }
  t.end()
})

void t.test('a message repeats no secret', (t) => {
  const hidden = 'tr0ub4dor'
  for (const [name, setting] of Object.entries(settings).filter(([name, { secret }]) => secret && name !== 'DATABASE_PASSWORD')) {
    t.ok(setting.secret)
    const line = refusal({ ...withDatabase, [name]: hidden })
    t.match(line, new RegExp(`^${name} must be `))
    t.notMatch(line, hidden)
  }
  t.notMatch(refusal({ PUBLIC_URL: `https://me:${hidden}@id.example.com` }), hidden, 'nor one that came with a URL')
  t.notMatch(refusal({ CORS_ORIGINS: `https://me:${hidden}@app.example.com` }), hidden)
  t.match(refusal({ LOG_LEVEL: 'loud\nand clear' }), /\(it is "loud\\nand clear"\)$/, 'what is no secret is shown, on one line')
  t.end()
})

void t.test('a name that begins like ours and is not declared stops the start', (t) => {
  for (const family of families) {
    const stranger = `${family}TYPING_ERROR`
    t.match(refusal({ [stranger]: 'x' }), new RegExp(`^${stranger} is not a setting of tessera`))
    t.match(refusal({ [stranger]: '' }), stranger, 'an empty one too')
  }
  t.match(refusal({ REFRESH_GRACE_SECONDS_FILE: '/x' }), /^REFRESH_GRACE_SECONDS_FILE is not/, 'only secrets come from files')
  t.equal(refusal({ HOME: '/root', DATABASE_HOST: 'x', PINENTRY: 'x', npm_config_x: 'y' }), 'accepted', 'other names are not ours')
  t.equal(refusal({ REFRESH_TOKEN: 'x', ACCESS_TOKEN: 'y' }), 'accepted', 'what the shell example of source 001 exports')
  t.end()
})

void t.test('a name one or two letters from a setting stops the start, and says which is meant [attack:misspelled-setting]', (t) => {
  const slips: [string, string][] = [
    ['DATABSE_URL', 'DATABASE_URL'], ['DATABASE_URI', 'DATABASE_URL'], ['DATABASE_URLS', 'DATABASE_URL'], ['database_url', 'DATABASE_URL'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'], ['PUBLIC_URI', 'PUBLIC_URL'], ['PUBLICURL', 'PUBLIC_URL'], ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['MASTER_SECRT', 'MASTER_SECRET'], ['MASTER_SECRET_FIL', 'MASTER_SECRET_FILE'], ['DATABASE_URL_FLIE', 'DATABASE_URL_FILE'], ['LOGLEVEL', 'LOG_LEVEL'],
    ['DIALECT', 'DIALECTS'], ['PORTS', 'PORT'], ['HOSTS', 'HOST'],
  ]
  for (const [name, meant] of slips) t.match(refusal({ [name]: 'x' }), new RegExp(`^${name} is not a setting of tessera, and ${meant} is: `), name)
  for (const name of ['BEARER_TTL', 'PIN_TTL', 'TOKENSET_TOKEN_TTL', 'CORS_ALLOWED_HEADERS']) t.match(refusal({ [name]: '1h' }), new RegExp(`^${name} is not a setting of tessera`), name)
  for (const name of ['HOME', 'HOSTNAME', 'PATH', 'PWD', 'TERM', 'LANG', 'DATABASE_HOST', 'DATABASE_NAME', 'DATABASE_USER', 'PINENTRY', 'BEARER_TOKEN', 'npm_config_port']) {
    t.equal(refusal({ [name]: 'x' }), 'accepted', name)
  }
  t.end()
})

void t.test('names that Kubernetes writes for a service next to us are no mistakes [attack:variables-of-kubernetes]', (t) => {
  for (const service of ['DIRECTUS', 'TOKENSET', 'COOKIE_SHOP', 'DATABASE', 'REDIS', 'SIGNING', 'RATE_LIMIT', 'CORS_PROXY']) {
    const written = ['SERVICE_HOST', 'SERVICE_PORT', 'SERVICE_PORT_HTTP', 'PORT', 'PORT_8055_TCP', 'PORT_8055_TCP_PROTO', 'PORT_8055_TCP_PORT', 'PORT_8055_TCP_ADDR', 'PORT_53_UDP_ADDR']
    t.equal(refusal(Object.fromEntries(written.map((name) => [`${service}_${name}`, 'tcp://10.0.0.1:8055']))), 'accepted', service)
  }
  t.match(refusal({ DIRECTUS_SERVICE_HOSTS: 'x' }), /^DIRECTUS_SERVICE_HOSTS is not a setting/, 'the ends are exact')
  t.end()
})

void t.test('control characters and surrounding blanks are refused by name [attack:control-character-in-a-setting]', (t) => {
  const judged = new Set(Object.entries(settings).flatMap(([name, { verbatim }]) => (verbatim ? [] : [name])))
  for (const [name, value, , , besides] of readings.filter(([name]) => judged.has(name))) {
    for (const odd of [`${value}\r`, `${value}\n`, `\t${value}`, `${value} `, ` ${value}`, `${value}\u00a0`, `${value}\u0000`, `${value}\u0085`]) {
      t.match(refusal({ ...besides, [name]: odd }), new RegExp(`^${name} must be without (control characters|blanks)`), `${name}=${JSON.stringify(odd)}`)
    }
  }
  t.match(refusal({ AUDIENCE: 'x\r' }), /^AUDIENCE must be without control characters, such as a line break or a tab \(it is "x\\r"\)$/)
  t.match(refusal({ ...withDatabase, MASTER_SECRET: `${secret}\r` }), /^MASTER_SECRET must be without control characters, such as a line break or a tab$/, 'a secret too, and it is not repeated')
  t.equal(refusal({ ...withDatabase, DATABASE_PASSWORD: ' a password with blanks ' }), 'accepted', 'blanks of a password count')
  t.end()
})

void t.test('what contradicts itself is refused', (t) => {
  const cases: [Environment, RegExp][] = [
    [{ DATABASE_URL: database }, /^MASTER_SECRET is required with DATABASE_URL/],
    [{ DATABASE_LISTEN_URL: database }, /^DATABASE_LISTEN_URL is set without DATABASE_URL/],
    [{ MIGRATION_DATABASE_URL: database }, /^MIGRATION_DATABASE_URL is set without DATABASE_URL/],
    [{ DATABASE_PASSWORD: 'x' }, /^DATABASE_PASSWORD is set without DATABASE_URL/],
    [{ ...withDatabase, DATABASE_URL: 'postgresql:///identity?host=/run', DATABASE_PASSWORD: 'x' }, /^DATABASE_PASSWORD needs a DATABASE_URL such as/],
    [{ MASTER_SECRET_PREVIOUS: secret }, /^MASTER_SECRET_PREVIOUS is set without MASTER_SECRET/],
    [{ COOKIE_SAMESITE: 'none' }, /^COOKIE_SAMESITE=none needs an https PUBLIC_URL/],
    [{ ARGON2_PARALLELISM: '4', ARGON2_MEMORY_KIB: '31' }, /^ARGON2_MEMORY_KIB must be at least 8 times ARGON2_PARALLELISM/],
    [{ PIN_ACCESS_TTL: '60d', PIN_REFRESH_TTL: '1d' }, /^PIN_ACCESS_TTL is longer than PIN_REFRESH_TTL/],
    [{ TOKENSET_REFRESH_TTL: '59m' }, /^TOKENSET_ACCESS_TTL is longer than TOKENSET_REFRESH_TTL/],
    [{ DIRECTUS_ACCESS_TTL: '31d' }, /^DIRECTUS_ACCESS_TTL is longer than DIRECTUS_REFRESH_TTL/],
    [{ SIGNING_KEY_ROTATION_DAYS: '1', SIGNING_KEY_MAX_AGE: '1d' }, /^SIGNING_KEY_MAX_AGE is not shorter than SIGNING_KEY_ROTATION_DAYS/],
    [{ VERIFY_TOKEN_AUDIENCES: 'orders' }, /^VERIFY_TOKEN_AUDIENCES is set without TRUST_PROXY/],
    ...['http://127.0.0.1:9154', 'HTTP://127.0.0.1:9154//', 'tessera', 'orders,Tessera', 'https://api.example.com'].map((audiences): [Environment, RegExp] => [{ VERIFY_TOKEN_AUDIENCES: audiences, TRUST_PROXY: '10.0.0.1', AUDIENCE: 'https://api.example.com/' }, /^VERIFY_TOKEN_AUDIENCES has .* which is (PUBLIC_URL|AUDIENCE|TOKENSET_CLIENT_ID): an identity token for it would pass/]),
    [{ HOST: '0.0.0.0' }, /^PUBLIC_URL is required when HOST is 0\.0\.0\.0/],
    [{ HOST: '::' }, /^PUBLIC_URL is required when HOST is ::/],
    [{ HOST: 'not a host' }, /^HOST must be an address or a host name/],
  ]
  for (const [environment, line] of cases) t.match(refusal(environment), line)
  t.end()
})

void t.test('a secret may come from a file', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-config-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = async (name: string, content: string) => {
    await writeFile(path.join(folder, name), content)
    return path.join(folder, name)
  }
  const given = await file('secret', `${secret}\n`)
  t.equal(readConfig({ MASTER_SECRET_FILE: given }).masterSecret, secret, 'the line break at the end does not count')
  t.equal(readConfig({ MASTER_SECRET_FILE: await file('windows', `${secret}\r\n`) }).masterSecret, secret)
  t.equal(readConfig({ MASTER_SECRET_FILE: await file('spaces', ` ${secret} \n\n`) }).masterSecret, ` ${secret} \n`, 'everything else does')
  const databaseFile = await file('database', database)
  t.equal(readConfig({ DATABASE_URL_FILE: databaseFile, MASTER_SECRET_FILE: given }).databaseUrl, database)

  const both = refusal({ MASTER_SECRET: secret, MASTER_SECRET_FILE: given })
  t.equal(both, 'MASTER_SECRET and MASTER_SECRET_FILE are both set: keep one of them')
  t.match(refusal({ MASTER_SECRET_FILE: path.join(folder, 'none') }), /^MASTER_SECRET_FILE: cannot read .*\/none \(ENOENT\)$/)
  t.match(refusal({ MASTER_SECRET_FILE: folder }), /^MASTER_SECRET_FILE: cannot read .* \(EISDIR\)$/)
  t.match(refusal({ MASTER_SECRET_FILE: await file('empty', '\n') }), /^MASTER_SECRET_FILE: .*\/empty is empty$/)
  const utf16 = Buffer.from(`\ufeff${secret}\r\n`, 'utf16le')
  for (const [name, content] of [['utf-8', Buffer.from(`\ufeff${secret}\r\n`)], ['utf-16le', utf16], ['utf-16be', Buffer.from(utf16).swap16()]] as const) {
    const marked = path.join(folder, name)
    await writeFile(marked, content)
    t.equal(readConfig({ MASTER_SECRET_FILE: marked }).masterSecret, secret, `a byte order mark of ${name} is no part of it`)
  }
  const short = refusal({ MASTER_SECRET_FILE: await file('short', 'tr0ub4dor') })
  t.match(short, /^MASTER_SECRET must be at least 32 bytes$/)
})

void t.test('the demo is for an embedded database on loopback with nothing in front', (t) => {
  const allowed: Environment[] = [{}, { HOST: 'localhost' }, { HOST: '::1' }, { HOST: '127.9.9.9' }, { PUBLIC_URL: 'http://localhost:9154' }, { MASTER_SECRET: secret }]
  const refused: Environment[] = [
    withDatabase,
    { HOST: '0.0.0.0', PUBLIC_URL: 'http://127.0.0.1:9154' },
    { HOST: '192.0.2.1' },
    { PUBLIC_URL: 'https://id.example.com' },
    { TRUST_PROXY: '127.0.0.1' },
    { HOST: '127.example.com' },
  ]
  for (const environment of allowed) t.equal(readConfig(environment).demoAllowed, true, JSON.stringify(environment))
  for (const environment of refused) t.equal(readConfig(environment).demoAllowed, false, JSON.stringify(environment))
  t.end()
})

void t.test('the public address follows HOST and PORT, and http in the open is warned of', (t) => {
  t.equal(readConfig({ HOST: '::1', PORT: '80' }).publicUrl.href, 'http://[::1]:80')
  const oneHash = { HASH_CONCURRENCY: '1' }
  t.strictSame(readConfig({ ...oneHash, PUBLIC_URL: 'http://localhost' }).warnings, [])
  t.strictSame(readConfig({ ...oneHash, PUBLIC_URL: 'https://id.example.com' }).warnings, [])
  t.match(readConfig({ ...oneHash, PUBLIC_URL: 'http://id.example.com' }).warnings, [/^PUBLIC_URL http:\/\/id\.example\.com is http and not loopback/])
  t.match(readConfig({ HASH_CONCURRENCY: '4' }).warnings, [/^HASH_CONCURRENCY is 4, and Node has 4 threads .* set UV_THREADPOOL_SIZE higher/])
  t.strictSame(readConfig({ HASH_CONCURRENCY: '4', UV_THREADPOOL_SIZE: '5' }).warnings, [])
  t.end()
})

void t.test('what is allowed and hardly meant is warned of', (t) => {
  const base = { HASH_CONCURRENCY: '1', PUBLIC_URL: 'https://id.example.com' }
  const warnings = (environment: Environment) => readConfig({ ...base, ...environment }).warnings
  for (const range of ['0.0.0.0/1', '128.0.0.0/7', '::ffff:0:0/96', '2000::/3']) t.match(warnings({ TRUST_PROXY: `10.0.0.1,${range}` }), [new RegExp(`^TRUST_PROXY ${range} is much of the internet`)])
  t.strictSame(warnings({ TRUST_PROXY: '10.0.0.0/8,fc00::/7,::ffff:10.0.0.0/104,192.0.2.1,2001:db8::1' }), [])
  for (const domain of ['other.com', 'le.com', 'a.id.example.com', '127.0.0.1']) t.match(warnings({ COOKIE_DOMAIN: domain }), [/^COOKIE_DOMAIN .* is neither the host of PUBLIC_URL https:\/\/id\.example\.com nor a domain above it/], domain)
  for (const domain of ['id.example.com', 'example.com', '.example.com', 'EXAMPLE.com']) t.strictSame(warnings({ COOKIE_DOMAIN: domain }), [], domain)
  t.match(warnings({ COOKIE_DOMAIN: '0.0.1', PUBLIC_URL: 'https://127.0.0.1' }), [/^COOKIE_DOMAIN 0\.0\.1 /])
  t.end()
})

void t.test('the longest token of all dialects is known', (t) => {
  t.equal(longestTokenSeconds(readConfig({})), 3600)
  t.equal(longestTokenSeconds(readConfig({ PIN_ACCESS_TTL: '2h' })), 7200)
  t.end()
})

void t.test('docs/configuration.md says what the settings say', async (t) => {
  const script = path.join(packageRoot, 'scripts', 'document-configuration.mjs')
  const { stderr } = await promisify(execFile)(process.execPath, [script, '--check']).catch((error: unknown) => ({ stderr: String(error) }))
  t.equal(stderr, '')
})

void t.test('CORS_ORIGINS takes the origins of apps and extensions, as browsers send them', (t) => {
  const origins = [
    'capacitor://localhost', 'ionic://localhost', 'tauri://localhost', 'http://localhost', 'http://localhost:3000', 'https://tauri.localhost', 'app://.', 'app://obsidian.md', 'http://[::1]:3000', 'http://127.0.0.1:8080',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'moz-extension://0b5d1e0a-6a52-4d1c-9c3d-0f6f2f1f3a11', 'safari-web-extension://3F2504E0-4F89-41D3-9A0C-0305E82C3301', 'vscode-webview://1a2b3c', 'capacitor-electron://-', 'https://xn--bcher-kva.example',
  ]
  t.strictSame(readConfig({ CORS_ORIGINS: origins.join(',') }).corsOrigins, origins)
  t.end()
})
