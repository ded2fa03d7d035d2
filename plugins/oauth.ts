import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ApiKeyVerifier } from '../src/domain/api-keys.js'
import { clientSecretHash } from '../src/domain/clients.js'
import type { Client, DialectName, Origin } from '../src/domain/model.js'
import { introspect, issueClientToken, revokeToken, type Caller, type ClientToken, type Introspection } from '../src/domain/oauth.js'
import { decodeRefreshToken } from '../src/domain/refresh-token.js'
import type { Clock } from '../src/domain/ports.js'
import type { Service } from '../src/domain/service.js'
import { createAssertionVerifier } from './client-assertion.js'

declare module 'fastify' {
  interface FastifyInstance {
    oauth: OAuthOperations
  }
}

export interface OAuthOperations {
  clientBySecret(id: string, secret: string): Promise<Client | null>
  clientByAssertion(assertion: string): Promise<Client | null>
  issueClientToken(client: Client, requested: readonly string[] | null): ClientToken
  dialectOfRefreshToken(token: string): DialectName | null
  introspect(token: string): Promise<Introspection>
  revoke(caller: Caller, token: string, origin: Origin): Promise<void>
}

export interface OAuthOptions {
  service: Service
  apiKeys: ApiKeyVerifier
  /** The life of a client's token, unless the client has a figure of its own. Seconds. */
  clientTokenSeconds: number
}

function oauthPlugin(fastify: FastifyInstance, { service, apiKeys, clientTokenSeconds }: OAuthOptions, done: () => void): void {
  const { issuer } = service.settings
  const clientByAssertion = createAssertionVerifier({
    clients: service.repository.clients,
    clock: service.clock,
    audiences: [issuer, `${issuer}/oauth/token`, `${issuer}/oauth/introspect`, `${issuer}/oauth/revoke`],
    onBadKey: createBadKeyReport(fastify, service.clock),
  })
  fastify.decorate('oauth', {
    clientBySecret: (id, secret) => service.repository.clients.findBySecret(id, clientSecretHash(secret)),
    clientByAssertion,
    issueClientToken: (client, requested) => issueClientToken(service, client, requested, clientTokenSeconds),
    dialectOfRefreshToken: (token) => decodeRefreshToken(token, service.keyring)?.dialect ?? null,
    introspect: (token) => introspect(service, apiKeys, token),
    revoke: (caller, token, origin) => revokeToken(service, apiKeys, caller, token, origin),
  })
  done()
}

const quietMs = 60_000
const rememberedReports = 1000

/** Anybody can send an assertion that names a client and a key: of each key it is said once a minute. */
function createBadKeyReport({ log }: FastifyInstance, clock: Clock): (clientId: string, key: string, fault: string) => void {
  const toldAt = new Map<string, number>()
  return (clientId, key, fault) => {
    const now = clock.now().getTime()
    const name = `${clientId} ${key}`
    if (now - (toldAt.get(name) ?? -Infinity) < quietMs) return
    if (toldAt.size >= rememberedReports) toldAt.clear()
    toldAt.set(name, now)
    log.warn({ client: clientId, key, fault }, 'a key of this client is refused: give it another one with `tessera client rotate --jwks`')
  }
}

export default fp(oauthPlugin, { name: 'oauth', dependencies: ['identity'] })
