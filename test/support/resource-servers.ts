import type { Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { createClient } from '../../src/domain/clients.js'
import { startTestApp, type TestApp } from './app.js'
import { call } from './auth-client.js'
import { clients, enter, newPerson } from './dialect-clients.js'
import { freePort } from './free-port.js'
import { clientOf, postForm } from './oauth.js'

/** What is shown to somebody else's resource server. */
export interface ShownTokens {
  readonly node: TestApp
  readonly userId: string
  /** A client with the scope `introspect`. */
  readonly client: { readonly id: string; readonly secret: string }
  /** Good, by name. */
  readonly good: Readonly<Record<string, string>>
  readonly apiKey: string
  /** Ours, and not for a resource server, by name. */
  readonly others: Readonly<Record<string, string>>
  /** A token like the good ones, for another audience. */
  readonly forAnother: string
}

/** A node, a user, and every kind of token that they can get hold of. @param publicUrl by default where the node listens */
export async function issueEveryKind(t: Test, publicUrl?: string): Promise<ShownTokens> {
  const port = await freePort()
  const common = { PUBLIC_URL: publicUrl ?? `http://127.0.0.1:${port}` }
  const node = await startTestApp(t, { port, environment: common })
  const gateway = await startTestApp(t, { database: node.database, clock: node.clock, environment: { ...common, TRUST_PROXY: '127.0.0.1', VERIFY_TOKEN_AUDIENCES: 'orders' } })
  const elsewhere = await startTestApp(t, { database: node.database, clock: node.clock, environment: { ...common, AUDIENCE: 'https://other.example.com' } })
  const person = await newPerson(node)
  const { client, secret } = await createClient(node.core.service, { name: 'resource server', scopes: ['introspect'], accessSeconds: null, jwks: null }, { kind: 'service', id: 'test' }, 3600)

  const { tokens } = (await clients.tokenset.login(node, person)).json as { tokens: { idToken: string; accessToken: string; refreshToken: string } }
  const pin = await enter(node, 'pin', person)
  const refreshed = await postForm(node, '/oauth/token', { ...clientOf(client.id, secret ?? ''), form: { grant_type: 'refresh_token', refresh_token: tokens.refreshToken, scope: 'profile' } })
  const { access_token: accessToken, refresh_token: refreshToken } = refreshed.json as { access_token: string; refresh_token: string }
  const identity = await call(gateway, '/verify?token_for=orders', { method: 'GET', headers: { authorization: `Bearer ${tokens.accessToken}`, 'x-original-uri': '/' } })
  const { secret: apiKey } = await createApiKey(node.core.service, person.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  return {
    node,
    userId: person.id,
    client: { id: client.id, secret: secret ?? '' },
    good: { 'access token of tokenset': tokens.accessToken, 'access token of pin': pin.accessToken, 'access token of the refresh grant': accessToken },
    apiKey,
    others: { 'refresh token': tokens.refreshToken, 'successor of it': refreshToken, 'ID token': tokens.idToken, 'identity token': identity.headers.get('x-auth-token') ?? '' },
    forAnother: (await enter(elsewhere, 'bearer', person)).accessToken,
  }
}
