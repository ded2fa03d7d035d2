import type { Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { usernameIdentifier } from '../../src/domain/identifiers.js'
import { startTestApp } from './app.js'
import { RawClient, statusOf } from './http.js'

/** A node behind a trusted proxy, a user with a session by the domain, and a key. */
export async function withUser(t: Test, environment: Record<string, string> = { TRUST_PROXY: '127.0.0.1', VERIFY_TOKEN_AUDIENCES: 'orders, https://shop.example.com/api' }) {
  const node = await startTestApp(t, { environment })
  const user = await node.createUser({ username: 'jané', password: 'correct horse battery' })
  const { accessToken } = await node.app.identity.login({
    dialect: node.app.dialectPolicies.bearer,
    identifier: usernameIdentifier('jané'),
    factor: 'password',
    secret: 'correct horse battery',
    otp: null,
    origin: { ip: '127.0.0.1', userAgent: null, requestId: null },
    refreshCookies: [],
    replaces: null,
  })
  const { secret: apiKey } = await createApiKey(node.core.service, user.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const ask = (headers: Record<string, string>, path = '/verify', method = 'GET') => fetch(`${node.url}${path}`, { method, headers })
  /** As it is written: no client tidies the target up. */
  const say = async (target: string, headers: readonly string[] = [], method = 'GET'): Promise<{ status: number; text: string }> => {
    const client = new RawClient(Number(new URL(node.url).port))
    client.say([`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n'))
    await client.closed
    return { status: statusOf(client.heard), text: client.heard }
  }
  return { node, user, accessToken, apiKey, ask, say }
}

