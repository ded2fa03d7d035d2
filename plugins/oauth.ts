import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ApiKeyVerifier } from '../src/domain/api-keys.js'
import { clientSecretHash } from '../src/domain/clients.js'
import type { Client, DialectName, Origin } from '../src/domain/model.js'
import { introspect, issueClientToken, revokeToken, type Caller, type ClientToken, type Introspection } from '../src/domain/oauth.js'
import { decodeRefreshToken } from '../src/domain/refresh-token.js'
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

export default fp(oauthPlugin, { name: 'oauth', dependencies: ['identity'] })
