import t from 'tap'
import { createApiKey } from '../../../src/domain/api-keys.js'
import { setRole } from '../../../src/domain/operators.js'
import type { Role } from '../../../src/domain/model.js'
import { call } from '../../support/auth-client.js'
import { startFleet, startVerifier, untilAnswer, verifierFate, verify } from '../../support/fleet.js'

const operator = { kind: 'operator', id: 'test' } as const

const [a, b = a] = await startFleet(t, 2)
const verifier = await startVerifier(t, b)
const user = await a.createUser({ username: 'root', password: 'correct horse', role: 'admin' })

const scopesOf = async (headers: Record<string, string>) => {
  const answer = await call(b, '/verify', { method: 'GET', headers })
  return answer.status === 200 ? answer.headers.get('x-auth-scopes') : answer.status
}

const change = async (role: Role) => {
  const now = await a.core.service.repository.users.find(user.id)
  await setRole(a.core.service, now ?? user, role, operator)
}

await t.test('a role that is taken away on one node is gone on the other, and in a verifier, as a revocation is', async (t) => {
  const { secret: apiKey } = await createApiKey(a.core.service, user.id, { name: 'k', scopes: ['admin', 'introspect'], expiresAt: null }, { origin: null })
  const { json } = await call(b, '/api/v1/auth/login', { body: { username: 'root', password: 'correct horse' } })
  const { token, refreshToken } = { token: '', refreshToken: '', ...(typeof json === 'object' ? json : {}) }
  const bearer = { authorization: `Bearer ${token}` }
  t.strictSame([await scopesOf(bearer), await scopesOf({ 'x-api-key': apiKey })], ['profile introspect revoke revocations admin', 'introspect admin'])
  t.strictSame([await verifierFate(verifier, token), (await verifier.verify(apiKey)).scopes], ['alive', ['introspect', 'admin']])

  await change('user')
  const tookMs = await untilAnswer(() => scopesOf(bearer), 401, 5000)
  t.ok(tookMs < 2000, `refused on the other node after ${Math.round(tookMs)} ms`)
  t.ok((await untilAnswer(() => scopesOf({ 'x-api-key': apiKey }), '', 5000)) < 2000, 'the key has none of its scopes')
  t.ok((await untilAnswer(() => verifierFate(verifier, token), 'revoked', 5000)) < 5000, 'in the verifier too')
  t.ok(Number.isFinite(await untilAnswer(() => verifier.verify(apiKey).then(({ scopes }) => scopes.length), 0, 5000)))

  const refreshed = await call(b, '/api/v1/auth/refresh', { body: { refreshToken } })
  t.equal(refreshed.status, 200, 'the session lives on')
  const next = { token: '', ...(typeof refreshed.json === 'object' ? refreshed.json : {}) }.token
  t.equal(await scopesOf({ authorization: `Bearer ${next}` }), 'profile')
  t.equal(await verifierFate(verifier, next), 'alive')

  await change('admin')
  t.ok(Number.isFinite(await untilAnswer(() => scopesOf({ 'x-api-key': apiKey }), 'introspect admin', 5000)), 'what is given back arrives as well')
  t.comment(`a role taken away: refused on the other node after ${tookMs.toFixed(0)} ms`)
})

await t.test('the operators’ calls are closed at once to whom the role was taken away', async (t) => {
  const { json } = await call(b, '/api/v1/auth/login', { body: { username: 'root', password: 'correct horse' } })
  const { token } = { token: '', ...(typeof json === 'object' ? json : {}) }
  const ask = async () => (await verify(b.url, token)).status
  t.equal((await call(b, '/verify?role=admin', { method: 'GET', headers: { authorization: `Bearer ${token}` } })).status, 200)
  await change('user')
  t.equal((await call(a, '/verify?role=admin', { method: 'GET', headers: { authorization: `Bearer ${token}` } })).status, 401, 'on the node that was told, with the acknowledgement')
  t.ok((await untilAnswer(ask, 401, 5000)) < 2000)
})
