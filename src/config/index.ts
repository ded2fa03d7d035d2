import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import path from 'node:path'
import { dialectNames, type DialectName } from '../domain/model.js'
import type { PathAllowance } from '../http/canonical-path.js'
import { ownerOfAudience } from './audiences.js'
import type { Rate, Setting } from './kinds.js'
import { isLoopback } from './loopback.js'
import { misspelledName } from './names.js'
import { decodeText, withoutLastLineBreak } from './plain-text.js'
import { settings } from './settings.js'

export type { Rate } from './kinds.js'

/** A start that is refused: one line, naming the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export type Environment = Readonly<Record<string, string | undefined>>

type Values = { readonly [Name in keyof typeof settings]: (typeof settings)[Name] extends Setting<infer T> ? T : never }

export interface Lifetimes {
  readonly accessSeconds: number
  readonly refreshSeconds: number
  /** null: no sliding end. */
  readonly idleSeconds: number | null
}

export interface PublicUrl {
  /** Without a trailing slash; the issuer. */
  readonly href: string
  readonly origin: string
  /** `/` or `/identity`: where a gateway put the service. */
  readonly path: string
  readonly isHttps: boolean
  readonly isLoopback: boolean
}

export interface Config {
  readonly host: string
  readonly port: number
  readonly publicUrl: PublicUrl
  /** null: the embedded server. */
  readonly databaseUrl: string | null
  /** null: `databaseUrl`. */
  readonly databaseListenUrl: string | null
  /** null: the service's role owns the schema itself, or somebody else migrates. */
  readonly migrationDatabaseUrl: string | null
  readonly databasePool: number
  readonly dataDir: string
  readonly masterSecret: string | null
  readonly masterSecretPrevious: string | null
  readonly redisUrl: string | null
  readonly trustProxy: readonly string[] | null
  readonly dialects: readonly DialectName[]
  readonly lifetimes: Readonly<Record<DialectName, Lifetimes>>
  readonly signingAlg: Exclude<Values['SIGNING_ALG'], 'Ed25519'>
  readonly signingKeyRotationDays: number | null
  readonly signingKeyMaxAgeSeconds: number
  readonly audience: string
  readonly tokensetClientId: string
  /** Whom identity tokens may be for. */
  readonly verifyPathAllows: readonly PathAllowance[]
  /** A CORS preflight passes at /verify. */
  readonly verifyPreflight: boolean
  readonly verifyTokenAudiences: readonly string[]
  readonly refreshGraceSeconds: number
  readonly refreshStaticClients: readonly DialectName[]
  /** null: a session makes API keys as long as it lives. */
  readonly apiKeyMaxAgeSeconds: number | null
  readonly directusEnvelope: Values['DIRECTUS_ENVELOPE']
  readonly discloseUnknownUser: boolean
  readonly revocationMaxLagMs: number
  readonly cookieDomain: string | null
  readonly cookieSameSite: Values['COOKIE_SAMESITE']
  readonly argon2: { readonly memoryKiB: number; readonly timeCost: number; readonly parallelism: number }
  readonly hashConcurrency: number
  readonly hashQueue: number
  /** Threads of Node's pool. */
  readonly threadPoolSize: number
  /** null: switched off. */
  readonly rateLimits: Readonly<Record<'login' | 'refresh' | 'client' | 'feed' | 'health' | 'default', Rate>> | null
  readonly connectionsPerAddress: number
  readonly corsOrigins: readonly string[]
  readonly logLevel: Values['LOG_LEVEL']
  /** The demo accounts may be created: embedded, on loopback, with no proxy in front. */
  readonly demoAllowed: boolean
  /** What an operator should hear at the start. */
  readonly warnings: readonly string[]
}

/**
 * Reads the whole environment once.
 * @throws ConfigError one line that names the variable and says what was expected
 */
export function readConfig(environment: Environment): Config {
  const misspelled = misspelledName(environment)
  if (misspelled !== null) throw new ConfigError(misspelled)
  return Object.freeze(assemble(createReader(environment)))
}

const names = new Map<Setting<unknown>, string>(Object.entries(settings).map(([name, setting]) => [setting, name]))

type Reader = <T>(setting: Setting<T>) => T

function createReader(environment: Environment): Reader {
  return (setting) => {
    const name = names.get(setting) ?? ''
    const given = readText(environment, name, setting.secret)
    if (given === null) return setting.fallback
    const parsed = flawOf(given, setting.verbatim) ?? setting.parse(given.text)
    if ('value' in parsed) return parsed.value
    const shown = setting.secret || holdsCredentials(given.text) ? '' : ` (it is ${JSON.stringify(given.text.slice(0, 80))})`
    throw new ConfigError(`${name} must be ${parsed.expected}${shown}`)
  }
}

interface Given {
  readonly text: string
  readonly isFromFile: boolean
}

/** A value from a file with line ends of another system, or copied with a blank, would be part of every token or URL, unseen. */
function flawOf({ text, isFromFile }: Given, verbatim: boolean): { expected: string } | null {
  if (verbatim && isFromFile) return null
  if (/\p{Cc}/u.test(text)) return { expected: 'without control characters, such as a line break or a tab' }
  return !verbatim && text.trim() !== text ? { expected: 'without blanks before and after it' } : null
}

/** A URL with a password in it, where none is expected. */
const holdsCredentials = (text: string): boolean => /\/\/[^/]*@/.test(text)

/** An empty value is none: compose files pass unset variables on like that. */
function readText(environment: Environment, name: string, secret: boolean): Given | null {
  const valueOf = (variable: string): string | null => (environment[variable] === '' ? null : (environment[variable] ?? null))
  const direct = valueOf(name)
  const file = secret ? valueOf(`${name}_FILE`) : null
  if (file === null) return direct === null ? null : { text: direct, isFromFile: false }
  if (direct !== null) throw new ConfigError(`${name} and ${name}_FILE are both set: keep one of them`)
  return { text: readSecretFile(`${name}_FILE`, file), isFromFile: true }
}

function readSecretFile(name: string, file: string): string {
  const content = withoutLastLineBreak(textOf(readBytes(name, file)))
  if (content === '') throw new ConfigError(`${name}: ${file} is empty`)
  return content
}

function readBytes(name: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new ConfigError(`${name}: cannot read ${file} (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`)
  }
}

/** A secret of random bytes is read as it always was: read otherwise, it would no longer open what it has sealed. */
function textOf(bytes: Buffer): string {
  try {
    return decodeText(bytes)
  } catch {
    return bytes.toString('utf8')
  }
}

function assemble(read: Reader): Config {
  const host = read(settings.HOST)
  const publicUrl = readPublicUrl(read, host)
  const databaseUrl = read(settings.DATABASE_URL)
  const password = read(settings.DATABASE_PASSWORD)
  if (databaseUrl === null && password !== null) throw new ConfigError('DATABASE_PASSWORD is set without DATABASE_URL: set both or none')
  const trustProxy = read(settings.TRUST_PROXY)
  const demoAllowed = databaseUrl === null && isLoopback(host) && publicUrl.isLoopback && trustProxy === null
  const config: Omit<Config, 'warnings'> = {
    host,
    port: read(settings.PORT),
    publicUrl,
    databaseUrl: withPassword(databaseUrl, password),
    databaseListenUrl: withPassword(read(settings.DATABASE_LISTEN_URL), password),
    migrationDatabaseUrl: read(settings.MIGRATION_DATABASE_URL),
    databasePool: read(settings.DATABASE_POOL),
    dataDir: path.resolve(read(settings.DATA_DIR)),
    masterSecret: read(settings.MASTER_SECRET),
    masterSecretPrevious: read(settings.MASTER_SECRET_PREVIOUS),
    redisUrl: read(settings.REDIS_URL),
    trustProxy,
    dialects: read(settings.DIALECTS),
    lifetimes: readLifetimes(read),
    signingAlg: readSigningAlg(read),
    signingKeyRotationDays: read(settings.SIGNING_KEY_ROTATION_DAYS),
    signingKeyMaxAgeSeconds: read(settings.SIGNING_KEY_MAX_AGE),
    audience: read(settings.AUDIENCE) ?? publicUrl.href,
    tokensetClientId: read(settings.TOKENSET_CLIENT_ID),
    verifyPathAllows: read(settings.VERIFY_PATH_ALLOWS),
    verifyPreflight: read(settings.VERIFY_PREFLIGHT) === 'pass',
    verifyTokenAudiences: read(settings.VERIFY_TOKEN_AUDIENCES) ?? [],
    refreshGraceSeconds: read(settings.REFRESH_GRACE_SECONDS),
    refreshStaticClients: read(settings.REFRESH_STATIC_CLIENTS),
    apiKeyMaxAgeSeconds: read(settings.API_KEY_MAX_AGE),
    directusEnvelope: read(settings.DIRECTUS_ENVELOPE),
    discloseUnknownUser: read(settings.DISCLOSE_UNKNOWN_USER),
    revocationMaxLagMs: read(settings.REVOCATION_MAX_LAG_MS),
    cookieDomain: read(settings.COOKIE_DOMAIN),
    cookieSameSite: read(settings.COOKIE_SAMESITE),
    argon2: { memoryKiB: read(settings.ARGON2_MEMORY_KIB), timeCost: read(settings.ARGON2_TIME), parallelism: read(settings.ARGON2_PARALLELISM) },
    hashConcurrency: read(settings.HASH_CONCURRENCY),
    hashQueue: read(settings.HASH_QUEUE),
    threadPoolSize: read(settings.UV_THREADPOOL_SIZE),
    rateLimits: readRateLimits(read),
    connectionsPerAddress: read(settings.CONNECTIONS_PER_ADDRESS) ?? (demoAllowed ? 4000 : 1000),
    corsOrigins: read(settings.CORS_ORIGINS) ?? [],
    logLevel: read(settings.LOG_LEVEL),
    demoAllowed,
  }
  refuseContradictions(config)
  return { ...config, warnings: warningsOf(config) }
}

function warningsOf({ audience, tokensetClientId, publicUrl, trustProxy, cookieDomain, hashConcurrency, threadPoolSize }: Omit<Config, 'warnings'>): string[] {
  const warnings = []
  if (!publicUrl.isHttps && !publicUrl.isLoopback) warnings.push(`PUBLIC_URL ${publicUrl.href} is http and not loopback: tokens and cookies travel in the clear; put https in front`)
  for (const range of (trustProxy ?? []).filter(isMuchOfTheInternet)) {
    warnings.push(`TRUST_PROXY ${range} is much of the internet: whoever calls from there says which address is counted; name your proxies`)
  }
  if (cookieDomain !== null && !isAtOrAbove(cookieDomain, new URL(publicUrl.href).hostname)) {
    warnings.push(`COOKIE_DOMAIN ${cookieDomain} is neither the host of PUBLIC_URL ${publicUrl.href} nor a domain above it: browsers drop such cookies`)
  }
  if (audience === tokensetClientId) {
    warnings.push(`AUDIENCE and TOKENSET_CLIENT_ID are both ${audience}: a service that does not look at \`typ\` takes id tokens for access tokens; give them different names`)
  }
  if (hashConcurrency >= threadPoolSize) {
    warnings.push(`HASH_CONCURRENCY is ${hashConcurrency}, and Node has ${threadPoolSize} threads for hashes and for names of hosts: set UV_THREADPOOL_SIZE higher than HASH_CONCURRENCY`)
  }
  return warnings
}

/** More than the largest ranges that anybody has for themselves (10.0.0.0/8, fc00::/7). IPv4 may stand in IPv6. */
function isMuchOfTheInternet(range: string): boolean {
  const [address = '', prefix] = range.split('/')
  const fewestBits = isIP(address) === 4 ? 8 : /^::ffff:/i.test(address) ? 104 : 7
  return prefix !== undefined && Number(prefix) < fewestBits
}

/** Domain matching (RFC 6265 §5.1.3). An address has nothing above it. */
function isAtOrAbove(domain: string, host: string): boolean {
  const name = domain.replace(/^\./, '').toLowerCase()
  return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`))
}

function refuseContradictions(config: Omit<Config, 'warnings'>): void {
  const { memoryKiB, parallelism } = config.argon2
  if (config.databaseUrl === null && config.databaseListenUrl !== null) {
    throw new ConfigError('DATABASE_LISTEN_URL is set without DATABASE_URL: set both or none')
  }
  if (config.databaseUrl === null && config.migrationDatabaseUrl !== null) {
    throw new ConfigError('MIGRATION_DATABASE_URL is set without DATABASE_URL: set both or none')
  }
  if (config.databaseUrl !== null && config.masterSecret === null) {
    throw new ConfigError('MASTER_SECRET is required with DATABASE_URL: at least 32 random bytes, the same for all nodes, such as from `openssl rand -base64 32`')
  }
  if (config.masterSecretPrevious !== null && config.masterSecret === null) {
    throw new ConfigError('MASTER_SECRET_PREVIOUS is set without MASTER_SECRET: set the new secret too')
  }
  if (config.cookieSameSite === 'none' && !config.publicUrl.isHttps) {
    throw new ConfigError('COOKIE_SAMESITE=none needs an https PUBLIC_URL: browsers drop such cookies otherwise')
  }
  if (config.verifyTokenAudiences.length > 0 && config.trustProxy === null) {
    throw new ConfigError('VERIFY_TOKEN_AUDIENCES is set without TRUST_PROXY: identity tokens are for gateways, and none is named; set both or none')
  }
  for (const audience of config.verifyTokenAudiences) {
    const owner = ownerOfAudience(audience, config)
    if (owner !== null) throw new ConfigError(`VERIFY_TOKEN_AUDIENCES has ${JSON.stringify(audience)}, which is ${owner}: an identity token for it would pass for another token of ours; give the service a name of its own`)
  }
  for (const name of dialectNames) {
    const { accessSeconds, refreshSeconds } = config.lifetimes[name]
    const dialect = name.toUpperCase()
    if (accessSeconds > refreshSeconds) throw new ConfigError(`${dialect}_ACCESS_TTL is longer than ${dialect}_REFRESH_TTL: an access token would outlive its session; shorten the one or lengthen the other`)
  }
  if (config.signingKeyRotationDays !== null && config.signingKeyMaxAgeSeconds >= config.signingKeyRotationDays * 86_400) {
    throw new ConfigError('SIGNING_KEY_MAX_AGE is not shorter than SIGNING_KEY_ROTATION_DAYS: each key would be replaced before it signs; shorten the one or lengthen the other')
  }
  if (memoryKiB < 8 * parallelism) {
    throw new ConfigError('ARGON2_MEMORY_KIB must be at least 8 times ARGON2_PARALLELISM')
  }
}

function readPublicUrl(read: Reader, host: string): PublicUrl {
  const given = read(settings.PUBLIC_URL)
  if (given === null && ['0.0.0.0', '::', '[::]'].includes(host)) {
    throw new ConfigError(`PUBLIC_URL is required when HOST is ${host}: the address that clients use, such as https://id.example.com`)
  }
  const href = given ?? `http://${isIP(host) === 6 ? `[${host}]` : host}:${read(settings.PORT)}`
  if (!URL.canParse(href)) throw new ConfigError(`HOST must be an address or a host name (it is ${JSON.stringify(host)})`)
  const url = new URL(href)
  return Object.freeze({ href, origin: url.origin, path: url.pathname, isHttps: url.protocol === 'https:', isLoopback: isLoopback(url.hostname) })
}

function withPassword(databaseUrl: string | null, password: string | null): string | null {
  if (databaseUrl === null || password === null) return databaseUrl
  const url = URL.canParse(databaseUrl) ? new URL(databaseUrl) : null
  // A URL without a host takes no password, and says nothing.
  if (!url?.hostname) throw new ConfigError('DATABASE_PASSWORD needs a DATABASE_URL such as postgresql://user@host:5432/database')
  url.password = encodeURIComponent(password)
  return url.href
}

/** One algorithm under two names (RFC 9864). The older one is what libraries know. */
function readSigningAlg(read: Reader): Config['signingAlg'] {
  const name = read(settings.SIGNING_ALG)
  return name === 'Ed25519' ? 'EdDSA' : name
}

function readLifetimes(read: Reader): Config['lifetimes'] {
  const s = settings
  return Object.freeze({
    pin: { accessSeconds: read(s.PIN_ACCESS_TTL), refreshSeconds: read(s.PIN_REFRESH_TTL), idleSeconds: null },
    directus: {
      accessSeconds: read(s.DIRECTUS_ACCESS_TTL),
      refreshSeconds: read(s.DIRECTUS_REFRESH_TTL),
      idleSeconds: read(s.DIRECTUS_REFRESH_IDLE_TTL),
    },
    bearer: { accessSeconds: read(s.BEARER_ACCESS_TTL), refreshSeconds: read(s.BEARER_REFRESH_TTL), idleSeconds: null },
    tokenset: { accessSeconds: read(s.TOKENSET_ACCESS_TTL), refreshSeconds: read(s.TOKENSET_REFRESH_TTL), idleSeconds: null },
  })
}

function readRateLimits(read: Reader): Config['rateLimits'] {
  const limits = {
    login: read(settings.RATE_LIMIT_LOGIN),
    refresh: read(settings.RATE_LIMIT_REFRESH),
    client: read(settings.RATE_LIMIT_CLIENT),
    feed: read(settings.RATE_LIMIT_FEED),
    health: read(settings.RATE_LIMIT_HEALTH),
    default: read(settings.RATE_LIMIT_DEFAULT),
  }
  return read(settings.RATE_LIMIT) === 'on' ? limits : null
}

/** The longest life of any access or id token: how long a revocation or a retired key must be remembered. Seconds. */
export const longestTokenSeconds = (config: Config): number =>
  Math.max(3600, ...Object.values(config.lifetimes).map((lifetimes) => lifetimes.accessSeconds))
