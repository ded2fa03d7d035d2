import t from 'tap'
import { lastEvent } from '../../support/clients.js'
import { logIn, send, type Answer, type Call } from '../../support/account.js'
import { dataOf, newAdmin, problem } from '../../support/admin.js'
import { startTestApp } from '../../support/app.js'

const node = await startTestApp(t)
const admin = await newAdmin(node)
const ask = (call: Call): Promise<Answer> => send(node, { token: admin.token, ...call })

interface Key {
  kid: string
  state: string
}
const keys = async () => dataOf(await ask({ path: '/admin/keys' })) as Key[]

await t.test('a new key is published at once, and signs when verifiers know it', async (t) => {
  const [first] = await keys()
  t.match(first, { kid: /./, alg: 'ES256', state: 'signs', published_at: /Z$/, signs_from: /Z$/, revoked_at: null })
  t.strictSame(Object.keys(first ?? {}).sort(), ['alg', 'kid', 'published_at', 'revoked_at', 'signs_from', 'state'])
  const rotated = await ask({ method: 'POST', path: '/admin/keys/rotate' })
  t.match(rotated, { status: 201, body: { data: { state: 'signs soon' } } })
  const { kid } = dataOf(rotated) as Key
  t.match(await lastEvent(node), { type: 'signing_key_rotated', actor: { kind: 'operator', id: `user:${admin.id}` }, origin: { ip: '127.0.0.1' }, detail: { kid } })
  const { keys: published } = (await send(node, { path: '/.well-known/jwks.json' })).body as { keys: Key[] }
  t.ok(published.some((key) => key.kid === kid))
  await node.clock.advance(31)
  t.strictSame((await keys()).map(({ state }) => state), ['verifies', 'signs'])
})

await t.test('a revoked key: what it signed is refused, and there is always one that signs', async (t) => {
  const { accessToken } = await logIn(node, admin.username)
  const signing = (await keys()).find(({ state }) => state === 'signs')?.kid ?? ''
  const key = (call: Call): Promise<Answer> => send(node, { token: admin.key, ...call })
  t.match(await key({ method: 'POST', path: `/admin/keys/${signing}/revoke` }), { status: 200, body: { data: { kid: signing, state: 'revoked', revoked_at: /Z$/ } } })
  t.match(await lastEvent(node), { type: 'signing_key_revoked', actor: { kind: 'operator', id: /^api_key:/ }, detail: { kid: signing } })
  t.match(await ask({ path: '/admin/keys', token: accessToken }), { status: 401 }, 'the token that it signed')
  t.equal((await send(node, { path: '/admin/keys', token: (await logIn(node, admin.username)).accessToken })).status, 200)
  t.match(await key({ method: 'POST', path: `/admin/keys/${signing}/revoke` }), problem(409, 'that signing key is revoked already'))
  for (const kid of ['nothing', '%00', "'--", 'x'.repeat(500)]) t.match(await key({ method: 'POST', path: `/admin/keys/${kid}/revoke` }), problem(404, 'there is no such signing key'))
})
