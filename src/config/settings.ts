import { availableParallelism } from 'node:os'
import path from 'node:path'
import { dialectNames } from '../domain/model.js'
import { pathAllowances } from '../http/canonical-path.js'
import { packageRoot } from '../package-root.js'
import {
  addressList,
  audienceList,
  bytes,
  choice,
  choices,
  databaseUrl,
  days,
  duration,
  flag,
  httpUrl,
  integer,
  optionalInteger,
  originList,
  rate,
  redisUrl,
  text,
  type Setting,
} from './kinds.js'

/**
 * Every environment variable that the service knows: declared here once. The type of the configuration, the messages of
 * a refused start and docs/configuration.md all come from this table.
 */
export const settings = {
  HOST: text('The address to listen on.', { fallback: '127.0.0.1' }),
  PORT: integer('The port to listen on.', { fallback: 9154, min: 0, max: 65_535 }),
  PUBLIC_URL: httpUrl('Where clients reach the service: issuer of tokens, path and `Secure` of cookies. The same for all nodes of a fleet. Required when `HOST` is a wildcard.', { shownDefault: 'http://«HOST»:«PORT»' }),
  DATABASE_URL: databaseUrl('PostgreSQL 15 or newer. Without it an embedded server runs in `DATA_DIR`.'),
  DATABASE_PASSWORD: text('Replaces the password in `DATABASE_URL` and `DATABASE_LISTEN_URL`.', { secret: true, verbatim: true }),
  DATABASE_LISTEN_URL: databaseUrl('A direct connection for LISTEN, where a transaction pooler stands in front of `DATABASE_URL`.', { shownDefault: '`DATABASE_URL`' }),
  MIGRATION_DATABASE_URL: databaseUrl('The same database, as the role that owns the schema: with it, migrations run as that role, and that of `DATABASE_URL` is given what the service needs and no more (docs/operations.md).', { password: null, shownDefault: '`DATABASE_LISTEN_URL`' }),
  DATABASE_POOL: integer('Connections a node holds at most, besides the one that listens.', { fallback: 10, min: 2, max: 200 }),
  DATA_DIR: text('The embedded database and the generated master secret.', { fallback: path.join(packageRoot, '.data'), shownDefault: '`.data` in the package’s folder' }),
  MASTER_SECRET: bytes('Opens every other key. At least 32 bytes. Required with `DATABASE_URL`; embedded, one is generated in `DATA_DIR`.', { min: 32 }),
  MASTER_SECRET_PREVIOUS: bytes('The predecessor, while the master secret is being changed node by node.', { min: 32 }),
  REDIS_URL: redisUrl('Redis or Valkey for rate limits that all nodes share. Without it, each node counts in memory.'),
  TRUST_PROXY: addressList('Addresses and CIDRs of the proxies whose `X-Forwarded-*` headers are believed, separated by commas.'),
  DIALECTS: choices('The dialects that are served, separated by commas.', { of: dialectNames, fallback: dialectNames }),
  SIGNING_ALG: choice('The algorithm of access tokens. `Ed25519` is another name of `EdDSA`, and tokens say `EdDSA`.', { of: ['ES256', 'EdDSA', 'Ed25519', 'RS256'], fallback: 'ES256' }),
  SIGNING_KEY_ROTATION_DAYS: days('A new signing key after this many days.', { shownDefault: 'none: by hand' }),
  SIGNING_KEY_MAX_AGE: duration('How long verifiers may keep the published keys: for so long a new signing key is published before it signs. `@tessera-id/verify` reads them within a second of a change, others read them as often as they like.', { fallback: '30s' }),
  AUDIENCE: text('The `aud` of access tokens.', { shownDefault: 'the issuer' }),
  TOKENSET_CLIENT_ID: text('The client that users log in with: `client_id` of their access tokens and of refreshes by a public client, `aud` of id tokens.', { fallback: 'tessera' }),
  VERIFY_PATH_ALLOWS: choices('What an original URI at `/verify` may have in its path beyond the strict form, separated by commas, or `none`: `space` (`%20`), `slash` (`%2F`), `semicolon` (parameters of a segment). Allow only what your gateway and your services read in one way (docs/gateways.md).', { of: pathAllowances, fallback: ['space'], orNone: true }),
  VERIFY_PREFLIGHT: choice('`pass`: a CORS preflight that a gateway asks `/verify` about passes, without an identity. `refuse`: it needs a credential like any other request, for gateways that answer preflights themselves.', { of: ['pass', 'refuse'], fallback: 'pass' }),
  VERIFY_TOKEN_AUDIENCES: audienceList('The services that a gateway may ask an identity token for (`/verify?token_for=…`), separated by commas. None of them may be `PUBLIC_URL`, `AUDIENCE` or `TOKENSET_CLIENT_ID`. Needs `TRUST_PROXY`: only the proxies in it are answered.'),
  REFRESH_GRACE_SECONDS: integer('How long after a rotation the predecessor is answered with the same successor. Seconds.', { fallback: 60, min: 0, max: 3600 }),
  REFRESH_STATIC_CLIENTS: choices('Dialects whose clients may keep their first refresh token. `none` for no dialect.', { of: dialectNames, fallback: ['pin', 'bearer', 'tokenset'], orNone: true }),
  DIRECTUS_ENVELOPE: choice('Where the dialect directus puts its answer: at the top level (`none`), under `data`, or `both`.', { of: ['both', 'data', 'none'], fallback: 'both' }),
  DISCLOSE_UNKNOWN_USER: flag('The dialect bearer answers `User not found` for an unknown username, which lets strangers list your users.', { fallback: false }),
  REVOCATION_MAX_LAG_MS: integer('How old the news of revocations may be before tokens are checked in the database. Milliseconds.', { fallback: 2000, min: 100, max: 60_000 }),
  PIN_ACCESS_TTL: duration('Access token of the dialect pin.', { fallback: '60s' }),
  PIN_REFRESH_TTL: duration('Session of the dialect pin.', { fallback: '30d' }),
  DIRECTUS_ACCESS_TTL: duration('Access token of the dialect directus.', { fallback: '15m' }),
  DIRECTUS_REFRESH_TTL: duration('Session of the dialect directus, at most.', { fallback: '30d' }),
  DIRECTUS_REFRESH_IDLE_TTL: duration('Session of the dialect directus, from one refresh to the next.', { fallback: '7d' }),
  BEARER_ACCESS_TTL: duration('Access token of the dialect bearer.', { fallback: '1h' }),
  BEARER_REFRESH_TTL: duration('Session of the dialect bearer.', { fallback: '30d' }),
  TOKENSET_ACCESS_TTL: duration('Access and id token of the dialect tokenset.', { fallback: '1h' }),
  TOKENSET_REFRESH_TTL: duration('Session of the dialect tokenset.', { fallback: '30d' }),
  API_KEY_MAX_AGE: duration('How long after a login its session may make and roll API keys. Later they ask for a new login: 403. Refreshing the session does not count as a login.', { shownDefault: 'none: as long as the session lives' }),
  COOKIE_DOMAIN: text('The `Domain` of cookies.', { pattern: /^\.?[a-z0-9-]+(\.[a-z0-9-]+)*$/i, expected: 'a domain name' }),
  COOKIE_SAMESITE: choice('The `SameSite` of every cookie. `none` only with an https `PUBLIC_URL`.', { of: ['strict', 'lax', 'none'], shownDefault: 'as each dialect has it' }),
  ARGON2_MEMORY_KIB: integer('Memory of one hash. KiB.', { fallback: 19_456, min: 8, max: 4_194_304 }),
  ARGON2_TIME: integer('Passes of one hash.', { fallback: 2, min: 1, max: 100 }),
  ARGON2_PARALLELISM: integer('Lanes of one hash.', { fallback: 1, min: 1, max: 64 }),
  HASH_CONCURRENCY: integer('Hashes computed at once.', { fallback: availableParallelism(), shownDefault: 'the number of cores', min: 1, max: 256 }),
  UV_THREADPOOL_SIZE: integer('Threads of Node’s pool, which computes the hashes, and also looks up names of hosts. More than `HASH_CONCURRENCY`. `npm start` and the image give 32.', { fallback: 4, min: 1, max: 1024 }),
  HASH_QUEUE: integer('Logins that may wait for a hash. Past it: 503 with `Retry-After`.', { fallback: 64, min: 0, max: 100_000 }),
  RATE_LIMIT: choice('`off` for load tests. The lockout of accounts is no rate limit and stays on.', { of: ['on', 'off'], fallback: 'on' }),
  RATE_LIMIT_LOGIN: rate('Logins per address, and whatever else hashes a password or PIN: that per account too.', { fallback: '30/min' }),
  RATE_LIMIT_REFRESH: rate('Refreshes per address.', { fallback: '600/min' }),
  RATE_LIMIT_CLIENT: rate('Calls of a service at `/oauth/token`, `/oauth/introspect` and `/oauth/revoke`, per client or API key, from whatever address.', { fallback: '30000/min' }),
  RATE_LIMIT_FEED: rate('Questions at `/revocations`, per client or API key.', { fallback: '3000/min' }),
  RATE_LIMIT_HEALTH: rate('Probes of `/health`, per address.', { fallback: '6000/min' }),
  RATE_LIMIT_DEFAULT: rate('Everything else, per address.', { fallback: '3000/min' }),
  CONNECTIONS_PER_ADDRESS: optionalInteger('Connections that one address may hold at once, or one /64 of IPv6: one more is closed. The addresses of `TRUST_PROXY` are not bound by it.', { shownDefault: '`1000`; `4000` for the demo', min: 10, max: 1_000_000 }),
  CORS_ORIGINS: originList('Exact origins that browsers may call from, separated by commas: `https://app.example.com`, and those of apps and extensions, such as `capacitor://localhost`, `tauri://localhost`, `chrome-extension://«id»`.'),
  LOG_LEVEL: choice('What is logged.', { of: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], fallback: 'info' }),
} as const satisfies Record<string, Setting<unknown>>

/** Names that begin like this are ours: one that is not declared is a typing error, and stops the start. */
export const families = ['REFRESH_', 'RATE_LIMIT', 'ARGON2_', 'HASH_', 'DIRECTUS_', 'TOKENSET_', 'VERIFY_TOKEN', 'MASTER_SECRET', 'SIGNING_', 'REVOCATION_', 'COOKIE_', 'CORS_', 'MIGRATION_DATABASE']

/** They begin like ours, and are others': the shell example of source 001 has its reader export `REFRESH_TOKEN`. */
export const foreignNames: readonly string[] = ['REFRESH_TOKEN']
