import { ConfigError, readConfig, type Config, type Environment } from './index.js'

/**
 * What the nodes of a fleet must agree on, as it would stand in the environment; null: not set, and without a default.
 * The service writes it into the database at its start.
 */
const agreed = {
  PUBLIC_URL: ({ publicUrl }) => publicUrl.href,
  AUDIENCE: ({ audience }) => audience,
  TOKENSET_CLIENT_ID: ({ tokensetClientId }) => tokensetClientId,
  VERIFY_TOKEN_AUDIENCES: ({ verifyTokenAudiences }) => list(verifyTokenAudiences),
  DIALECTS: ({ dialects }) => list(dialects),
  SIGNING_ALG: ({ signingAlg }) => signingAlg,
  SIGNING_KEY_MAX_AGE: ({ signingKeyMaxAgeSeconds }) => String(signingKeyMaxAgeSeconds),
  SIGNING_KEY_ROTATION_DAYS: ({ signingKeyRotationDays }) => orNull(signingKeyRotationDays),
  PIN_ACCESS_TTL: ({ lifetimes }) => String(lifetimes.pin.accessSeconds),
  PIN_REFRESH_TTL: ({ lifetimes }) => String(lifetimes.pin.refreshSeconds),
  DIRECTUS_ACCESS_TTL: ({ lifetimes }) => String(lifetimes.directus.accessSeconds),
  DIRECTUS_REFRESH_TTL: ({ lifetimes }) => String(lifetimes.directus.refreshSeconds),
  DIRECTUS_REFRESH_IDLE_TTL: ({ lifetimes }) => orNull(lifetimes.directus.idleSeconds),
  BEARER_ACCESS_TTL: ({ lifetimes }) => String(lifetimes.bearer.accessSeconds),
  BEARER_REFRESH_TTL: ({ lifetimes }) => String(lifetimes.bearer.refreshSeconds),
  TOKENSET_ACCESS_TTL: ({ lifetimes }) => String(lifetimes.tokenset.accessSeconds),
  TOKENSET_REFRESH_TTL: ({ lifetimes }) => String(lifetimes.tokenset.refreshSeconds),
  REFRESH_GRACE_SECONDS: ({ refreshGraceSeconds }) => String(refreshGraceSeconds),
  REFRESH_STATIC_CLIENTS: ({ refreshStaticClients }) => list(refreshStaticClients) ?? 'none',
  DIRECTUS_ENVELOPE: ({ directusEnvelope }) => directusEnvelope,
  DISCLOSE_UNKNOWN_USER: ({ discloseUnknownUser }) => String(discloseUnknownUser),
  COOKIE_DOMAIN: ({ cookieDomain }) => cookieDomain,
  COOKIE_SAMESITE: ({ cookieSameSite }) => cookieSameSite,
  ARGON2_MEMORY_KIB: ({ argon2 }) => String(argon2.memoryKiB),
  ARGON2_TIME: ({ argon2 }) => String(argon2.timeCost),
  ARGON2_PARALLELISM: ({ argon2 }) => String(argon2.parallelism),
} satisfies Record<string, (config: Config) => string | null>

export type AgreedSetting = keyof typeof agreed

/** What a new hash depends on. */
export const hashCost = ['ARGON2_MEMORY_KIB', 'ARGON2_TIME', 'ARGON2_PARALLELISM'] as const satisfies readonly AgreedSetting[]

/** What is in the database. */
export type AgreedValues = ReadonlyMap<string, string | null>

const list = (items: readonly string[]): string | null => (items.length === 0 ? null : items.join(','))
const orNull = (value: number | null): string | null => (value === null ? null : String(value))

const names = Object.keys(agreed).filter((name): name is AgreedSetting => name in agreed)

export const agreedValues = (config: Config): AgreedValues => new Map(names.map((name) => [name, agreed[name](config)]))

export interface Difference {
  readonly name: AgreedSetting
  readonly here: string | null
  readonly fleet: string | null
}

/** Of what the fleet has: a setting that a newer release knows alone is no difference. */
export function differences(config: Config, stored: AgreedValues): Difference[] {
  const here = agreedValues(config)
  return names.flatMap((name) => {
    const [ours, theirs] = [here.get(name) ?? null, stored.get(name)]
    return theirs === undefined || theirs === ours ? [] : [{ name, here: ours, fleet: theirs }]
  })
}

export const shown = (value: string | null): string => value ?? 'not set'

/** What a command of an operator works by, and its shell need not say. */
const followed: readonly AgreedSetting[] = ['SIGNING_ALG', 'SIGNING_KEY_MAX_AGE', ...hashCost]

export const isExplicit = (environment: Environment, name: string): boolean => (environment[name] ?? '') !== ''

/** The environment, and for what it does not say, the fleet. @throws ConfigError */
export function followFleet(environment: Environment, stored: AgreedValues): Config {
  const missing = followed.filter((name) => !isExplicit(environment, name))
  return readConfig({ ...environment, ...Object.fromEntries(missing.map((name) => [name, stored.get(name) ?? undefined])) })
}

/** For what a command is about to use. @throws ConfigError where the environment says something else than the fleet */
export function requireAgreement(environment: Environment, stored: AgreedValues, used: readonly AgreedSetting[]): void {
  const difference = differences(readConfig(environment), stored).find(({ name }) => used.includes(name) && isExplicit(environment, name))
  if (difference === undefined) return
  const { name, here, fleet } = difference
  throw new ConfigError(`${name} is ${shown(here)} here and ${shown(fleet)} in the fleet: remove it from this environment, or restart the service with it first; nothing was changed`)
}
