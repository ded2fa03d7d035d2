import t, { type Test } from 'tap'
import { startTestApp } from '../../support/app.js'
import { call } from '../../support/auth-client.js'
import { badBodies, sendBad, type BadBody } from '../../support/bad-input.js'
import { logIn } from '../../support/log-in.js'

const path = '/api/v1/auth/keys'
const password = 'correct horse battery staple'

const node = await startTestApp(t)
const user = await node.createUser({ username: 'jane.doe', password })
const headers = { authorization: `Bearer ${(await logIn(node, 'jane.doe', password)).accessToken}` }

const keys = () => node.app.identity.apiKeys.list(user.id)

const { json: created } = await call(node, path, { headers })
const { keyId } = created as { keyId: string }
const roll = `${path}/${keyId}/roll`

async function refuses(t: Test, target: string, bad: readonly BadBody[]) {
  const before = await keys()
  for (const body of bad) {
    const answer = await sendBad(node, target, body, headers)
    t.same([answer.status, answer.text], [body.status, JSON.stringify({ error: body.reason })], body.what)
  }
  t.same(await keys(), before)
}

const json = (what: string, body: object | string, reason: string): BadBody => ({ what, body: typeof body === 'string' ? body : JSON.stringify(body), status: 400, reason })

await t.test('a body that describes no key is refused, and no key is made', async (t) => {
  await refuses(t, path, badBodies({ name: 'deploy' }, []))
  await refuses(t, path, [
    json('an empty name', { name: '' }, 'name must not be empty'),
    json('a long name', { name: '🔑'.repeat(101) }, 'name must be at most 100 characters'),
    json('scopes as text', { scopes: 'admin' }, 'scopes must be a list'),
    json('scopes as an object', { scopes: { 0: 'admin' } }, 'scopes must be a list'),
    json('no scopes', { scopes: null }, 'scopes must be a list'),
    json('scopes of numbers', { scopes: [1] }, 'scopes.0 must be a string'),
    json('a nested scope', { scopes: [['admin']] }, 'scopes.0 must be a string'),
    json('an unknown scope', { scopes: ['profile', 'fly'] }, 'scopes has an unknown scope'),
    json('a scope of the prototype', { scopes: ['toString'] }, 'scopes has an unknown scope'),
    json('an empty scope', { scopes: [''] }, 'scopes has an unknown scope'),
    json('too many scopes', { scopes: Array.from({ length: 33 }, () => 'profile') }, 'scopes must have at most 32 items'),
  ])
})

await t.test('an end that is no time, or is over, is refused', async (t) => {
  const noTime = 'expiresAt must be a time such as 2030-01-31T12:00:00Z'
  const texts = ['', 'tomorrow', '2030-01-31', '12:00:00Z', '2030-01-31T12:00:00', '2030-02-30T12:00:00Z', '2030-13-01T12:00:00Z', '2030-01-31T25:00:00Z', '1900000000', '2030-01-31T12:00Z', '+030000-01-01T00:00:00Z', '2030-12-31T23:59:60Z']
  await refuses(t, path, [
    ...texts.map((expiresAt) => json(expiresAt, { expiresAt }, noTime)),
    ...[1_900_000_000, null, {}].map((expiresAt) => json(JSON.stringify(expiresAt), { expiresAt }, 'expiresAt must be a string')),
    json('a moment ago', { expiresAt: new Date(node.clock.now().getTime() - 1000).toISOString() }, 'expiresAt must be in the future'),
    json('long ago', { expiresAt: '0001-01-01T00:00:00Z' }, 'expiresAt must be in the future'),
    json('a year of five digits, in UTC', { expiresAt: '9999-12-31T23:59:59-23:59' }, 'expiresAt must be before the year 10000: leave it out for a key that never ends'),
  ])
})

await t.test('an end may stand in any form of RFC 3339', async (t) => {
  for (const [expiresAt, shown] of [['2099-01-31T12:00:00Z', '2099-01-31T12:00:00Z'], ['2099-01-31T12:00:00.123456+01:00', '2099-01-31T11:00:00Z'], ['2099-01-31t12:00:00z', '2099-01-31T12:00:00Z'], ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z']] as const) {
    const { status, json: key } = await call(node, path, { headers, body: { name: expiresAt, expiresAt } })
    t.equal(status, 201, expiresAt)
    const list = (await call(node, path, { method: 'GET', headers })).json as { keyId: string; expiresAt: string }[]
    t.equal(list.find((listed) => listed.keyId === (key as { keyId: string }).keyId)?.expiresAt, shown)
  }
})

await t.test('names are taken as they are', async (t) => {
  for (const name of ["Robert'); DROP TABLE api_keys;--", '<b>x</b>', '🔑'.repeat(100), ' ', '__proto__']) {
    const answer = await call(node, path, { headers, body: { name } })
    t.match([answer.status, answer.json], [201, { name }])
  }
})

await t.test('a body that describes no roll is refused, and the key stays as it is', async (t) => {
  await refuses(t, roll, badBodies({ note: 'x' }, []).filter(({ what }) => !what.startsWith('note is')))
  const notWhole = 'overlapSeconds must be a whole number'
  await refuses(t, roll, [
    json('text', { overlapSeconds: '60' }, notWhole),
    json('half a second', { overlapSeconds: 0.5 }, notWhole),
    json('null', { overlapSeconds: null }, notWhole),
    json('a list', { overlapSeconds: [60] }, notWhole),
    json('too large for a number', '{"overlapSeconds":1e400}', notWhole),
    json('negative', { overlapSeconds: -1 }, 'overlapSeconds must be at least 0'),
    json('more than 30 days', { overlapSeconds: 2_592_001 }, 'overlapSeconds must be at most 2592000'),
  ])
})

await t.test('the largest overlap is taken', async (t) => {
  t.equal((await call(node, roll, { headers, body: { overlapSeconds: 2_592_000 } })).status, 201)
})

await t.test('other methods are answered with those that there are', async (t) => {
  const before = await keys()
  for (const [target, methods, allow] of [
    [path, ['PUT', 'PATCH', 'DELETE', 'OPTIONS'], 'GET, HEAD, POST'],
    [`${path}/${keyId}`, ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'OPTIONS'], 'DELETE'],
    [roll, ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], 'POST'],
  ] as const) {
    for (const method of methods) {
      const answer = await call(node, target, { method, headers })
      t.same([answer.status, answer.headers.get('allow')?.split(', ').sort().join(', ')], [405, allow], `${method} ${target}`)
    }
  }
  t.same(await keys(), before)
})

await t.test('a deletion looks at no body', async (t) => {
  const { json: key } = await call(node, path, { headers })
  const target = `${path}/${(key as { keyId: string }).keyId}`
  t.equal((await call(node, target, { method: 'DELETE', headers: { ...headers, 'content-type': 'text/plain' }, body: 'x'.repeat(20_000) })).status, 204)
})
