import type { FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import Fastify, { type FastifyInstance, type FastifyServerFactory } from 'fastify'
import accessToken from '../plugins/access-token.js'
import administration from '../plugins/administration.js'
import apiKeys from '../plugins/api-keys.js'
import auditSealer from '../plugins/audit-sealer.js'
import authenticate from '../plugins/authenticate.js'
import cookieTransport from '../plugins/cookie-transport.js'
import cors from '../plugins/cors.js'
import crossSite from '../plugins/cross-site.js'
import type { PrefixedShape } from '../plugins/error-shape.js'
import errors from '../plugins/errors.js'
import { countedIdentity } from '../plugins/counted-identity.js'
import health from '../plugins/health.js'
import housekeeping, { choreSeconds } from '../plugins/housekeeping.js'
import httpRules from '../plugins/http-rules.js'
import identity from '../plugins/identity.js'
import metrics, { type Metrics } from '../plugins/metrics.js'
import oauth from '../plugins/oauth.js'
import knownQuery from '../plugins/known-query.js'
import notFound from '../plugins/not-found.js'
import openapi from '../plugins/openapi.js'
import rateLimit from '../plugins/rate-limit.js'
import refreshRotation from '../plugins/refresh-rotation.js'
import requestLog from '../plugins/request-log.js'
import revocations from '../plugins/revocations.js'
import securityHeaders from '../plugins/security-headers.js'
import { createSharedCounters } from '../plugins/shared-counters.js'
import signingKeysPlugin from '../plugins/signing-keys.js'
import strictJson from '../plugins/strict-json.js'
import tokenExtraction from '../plugins/token-extraction.js'
import { account } from '../routes/account/index.js'
import { adminRoutes } from '../routes/admin/index.js'
import { healthRoutes } from '../routes/health/index.js'
import { metricsRoutes } from '../routes/metrics/index.js'
import { oauthRoutes } from '../routes/oauth/index.js'
import { revocationRoutes } from '../routes/revocations/index.js'
import { tokensetAccessClaims } from '../routes/tokenset/claims.js'
import { verifyRoutes } from '../routes/verify/index.js'
import { wellKnown } from '../routes/well-known/index.js'
import { longestTokenSeconds, type Config } from './config/index.js'
import type { Core } from './core.js'
import { createAdministration } from './domain/administration.js'
import { createApiKeyVerifier, type ApiKeyVerifier } from './domain/api-keys.js'
import { sealAudit } from './domain/audit-chain.js'
import { foldStoredNames } from './domain/fold-names.js'
import { createIdentity } from './domain/identity.js'
import { learnKnownPlaces } from './domain/known-places.js'
import type { DialectName, Revocation } from './domain/model.js'
import type { RevocationCheck } from './domain/ports.js'
import { createRevocationList, type RevocationList } from './domain/revocation-list.js'
import { createRevocationLog, type RevocationLog } from './domain/revocation-log.js'
import type { DialectPolicy, Service } from './domain/service.js'
import { openSigningKeys, type SigningKeys } from './domain/signing-keys.js'
import { openTokenBound } from './domain/token-bound.js'
import type { Connections } from './http/connections.js'
import { joinFleet } from './join-fleet.js'
import { doorsOf, errorShapes } from './doors.js'
import type { LogDestination } from './logging.js'
import { createRevocationFeed, databaseTime, sweep, type RevocationFeed } from './repository/index.js'
import { pendingMigrations } from './repository/migrate.js'
import { connectRedis } from './redis.js'
import { boundedConnections, serverOptions } from './server-options.js'
import { version } from './version.js'

export interface AppOptions {
  /** The server that listens already. */
  readonly serverFactory?: FastifyServerFactory
  /** Of the server that listens already. */
  readonly connections?: Connections
  readonly logDestination?: LogDestination
}

/** The one ordered list of plugins and routes. Whoever builds the app closes the core after it. */
export async function buildApp(config: Config, core: Core, options: AppOptions = {}): Promise<FastifyInstance> {
  const connections = options.connections ?? boundedConnections(config)
  const app = Fastify({ ...serverOptions(config, connections, options.logDestination), ...(options.serverFactory ? { serverFactory: options.serverFactory } : {}) })
  for (const warning of config.warnings) app.log.warn(warning)
  await registerTransport(app, config, errorShapes(config))
  await app.register(openapi, { config, version: version() })
  app.metrics.watchConnections(connections)
  await registerIdentity(app, config, core)
  for (const { routes } of doorsOf(config)) await app.register(routes)
  await app.register(account)
  await app.register(wellKnown)
  await app.register(oauthRoutes)
  await app.register(revocationRoutes)
  await app.register(verifyRoutes)
  await app.register(adminRoutes)
  await app.register(healthRoutes)
  await app.register(metricsRoutes)
  return app
}

/** With `REDIS_URL`, all nodes count together. */
function sharedLimits(app: FastifyInstance, { redisUrl }: Config): { store?: FastifyRateLimitStoreCtor } {
  if (redisUrl === null) return {}
  const redis = connectRedis(redisUrl)
  app.addHook('onClose', (_app, done) => {
    redis.disconnect()
    done()
  })
  const log = (message: string, error?: unknown): void => {
    app.log.warn({ err: error }, message)
  }
  return { store: createSharedCounters({ redis, log }) }
}

/** HTTP, and nothing about identity. The order is that of the checks a request meets. */
async function registerTransport(app: FastifyInstance, config: Config, shapes: readonly PrefixedShape[]): Promise<void> {
  await app.register(errors, { shapes })
  await app.register(requestLog)
  await app.register(metrics)
  await app.register(securityHeaders, { config })
  await app.register(cors, { config })
  await app.register(rateLimit, { config, ...sharedLimits(app, config) })
  await app.register(httpRules, { config })
  await app.register(crossSite, { config })
  await app.register(strictJson)
  await app.register(cookieTransport, { config })
  await app.register(tokenExtraction)
  await app.register(notFound)
  await app.register(knownQuery)
}

interface RevocationKnowledge {
  readonly feed: RevocationFeed
  readonly list: RevocationList
  readonly log: RevocationLog
  readonly check: RevocationCheck
  readonly apiKeyVerifier: ApiKeyVerifier
}

/** What was revoked, here or on another node: the feed and our own commits tell the list, the log, and whoever holds API keys in memory. */
function hearOfRevocations(app: FastifyInstance, config: Config, core: Core, onKeysChanged: () => void): RevocationKnowledge {
  const { repository, clock } = core.service
  const list = createRevocationList()
  const log = createRevocationLog()
  const feed = createRevocationFeed({
    connectionString: core.database.listenUrl,
    maxLagMs: config.revocationMaxLagMs,
    applicationName: 'tessera revocations',
    onRevocation: (revocation) => {
      log.append(revocation)
      obey(revocation)
    },
    onKeysChanged,
    log: (message, error) => {
      app.log.warn({ err: error }, message)
    },
  })
  const check: RevocationCheck = {
    isFresh: () => feed.isFresh(),
    isTokenDead: async (token) => list.isDead(token) || (!feed.isFresh() && (await repository.revocations.isTokenDead(token))),
  }
  const apiKeyVerifier = createApiKeyVerifier({ repository, clock, revocations: check })
  const obey = (revocation: Revocation): void => {
    list.add(revocation)
    apiKeyVerifier.forget(revocation)
  }
  core.onRevoked(obey)
  return { feed, list, log, check, apiKeyVerifier }
}

/** The domain, put together from its parts, and handed to the routes. */
async function registerIdentity(app: FastifyInstance, config: Config, core: Core): Promise<void> {
  const { repository, keyring, clock } = core.service
  await joinFleet(repository, config, (message) => {
    app.log.warn(message)
  })
  const signingKeys = await openSigningKeys({ repository, keyring, clock, alg: config.signingAlg, maxAgeSeconds: config.signingKeyMaxAgeSeconds })
  const bound = await openTokenBound(repository, longestTokenSeconds(config))
  const onKeysChanged = (): void => {
    Promise.all([signingKeys.reload(), bound.reload()]).catch((error: unknown) => {
      app.log.error({ err: error }, 'the signing keys and the longest life of a token could not be read again')
    })
  }
  const { feed, list, log, check, apiKeyVerifier } = hearOfRevocations(app, config, core, onKeysChanged)

  await app.register(accessToken, {
    signingKeys,
    clock,
    issuer: config.publicUrl.href,
    audience: config.audience,
    bound,
  })
  await app.register(signingKeysPlugin, { signingKeys, rotationDays: config.signingKeyRotationDays })
  await app.register(revocations, { feed, list, log, clock })
  await app.register(health, {
    clock,
    database: { time: () => databaseTime(core.pool), pendingMigrations: () => pendingMigrations(core.pool) },
    signingKeys,
    revocations: feed,
  })
  const dialectPolicies = policiesOf(config)
  const service: Service = {
    ...core.service,
    accessTokens: app.accessTokens,
    revocations: check,
    settings: { issuer: config.publicUrl.href, audience: config.audience, publicClientId: config.tokensetClientId, refreshGraceSeconds: config.refreshGraceSeconds, apiKeyMaxAgeSeconds: config.apiKeyMaxAgeSeconds, dialects: dialectPolicies },
  }
  await app.register(identity, { config, identity: countedIdentity(createIdentity(service, apiKeyVerifier), app.metrics), clock, dialectPolicies })
  await app.register(authenticate)
  await app.register(administration, { administration: createAdministration(service, signingKeys) })
  await app.register(oauth, { service, apiKeys: apiKeyVerifier, clientTokenSeconds: config.lifetimes.bearer.accessSeconds })
  await app.register(refreshRotation)
  await app.register(apiKeys, { verifier: apiKeyVerifier, repository: repository.apiKeys })
  await app.register(auditSealer, { seal: () => sealAudit({ repository, keyring }) })
  measure(app.metrics, core, { feed, signingKeys })
  app.addHook('onClose', async () => {
    await core.service.auditRepeats.tell(repository, true).catch((error: unknown) => {
      app.log.warn({ err: error }, 'how often some events were repeated could not be written to the audit trail')
    })
  })
  await learnKnownPlaces(core.service, null)
  await app.register(housekeeping, {
    chores: {
      'sweep what is over': () => sweep(core.pool),
      'fold names of before': () => foldStoredNames(repository),
      'tell of repeated events': () => core.service.auditRepeats.tell(repository),
      'learn from where users log in': () => learnKnownPlaces(core.service, 2 * choreSeconds),
      'learn stored costs': async () => core.service.hasher.learnStoredCosts(await repository.credentials.storedCosts()),
    },
  })
}

const auditBacklogShown = 10_000

/** What is looked at when somebody asks: sums and ages, and nobody's name. */
function measure(metrics: Metrics, { pool, hashQueue, service }: Core, { feed, signingKeys }: { feed: RevocationFeed; signingKeys: SigningKeys }): void {
  const { repository, clock } = service
  metrics.gauge('tessera_db_connections', 'Connections of the pool.', () => pool.totalCount)
  metrics.gauge('tessera_db_connections_idle', 'Connections of the pool that nobody uses.', () => pool.idleCount)
  metrics.gauge('tessera_db_waiting', 'Statements that wait for a connection.', () => pool.waitingCount)
  metrics.gauge('tessera_revocation_lag_seconds', 'How old the news of revocations may be.', () => feed.lagMs() / 1000)
  metrics.gauge('tessera_signing_key_age_seconds', 'Since when the current key signs.', () => (clock.now().getTime() - signingKeys.current().signsFrom.getTime()) / 1000)
  metrics.slowGauge('tessera_audit_unsealed', `Audit events without a seal; ${auditBacklogShown} stands for that many and more.`, () => repository.auditChain.countUnsealed(auditBacklogShown))
  metrics.watchHashes(hashQueue)
}

function policiesOf(config: Config): Readonly<Record<DialectName, DialectPolicy>> {
  const policy = (name: DialectName, accessClaims: DialectPolicy['accessClaims'] = () => ({})): DialectPolicy => ({
    name,
    ...config.lifetimes[name],
    staticClients: config.refreshStaticClients.includes(name),
    accessClaims,
  })
  return { pin: policy('pin'), directus: policy('directus'), bearer: policy('bearer'), tokenset: policy('tokenset', tokensetAccessClaims) }
}
