import t, { type Test } from 'tap'
import { createApiKey, deleteApiKey } from '../../src/domain/api-keys.js'
import type { DialectName } from '../../src/domain/model.js'
import { setPassword, setStatus } from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { faultOf } from '../support/attacks.js'
import { auditCount, call, claimsOf, footprint, type Answer } from '../support/auth-client.js'
import { clients, enter, everyDialect, isLive, newPerson, renew, untilDead, type Tokens } from '../support/dialect-clients.js'

const operator = { kind: 'operator', id: 'test' } as const
const environment = { PIN_ACCESS_TTL: '15m' }
const node = await startTestApp(t, { environment })
const other = await startTestApp(t, { environment, database: node.database, clock: node.clock })

/** **X**: nothing is cleared, and nothing shows. */
function isRefused(t: Test, dialect: DialectName, answer: Answer, what = '') {
  t.same([answer.status, answer.text], clients[dialect].invalidRefresh, what)
  t.same(answer.cookies, {}, what)
  t.equal(faultOf({ ...answer, header: (name) => answer.headers.get(name) ?? '' }), null, what)
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** One of the six bits of a letter turned over. */
function flipped(token: string, place: number, bit: number): string {
  const value = letters.indexOf(token.charAt(place))
  const letter = value === -1 ? 'x' : letters.charAt(value ^ (1 << bit))
  return token.slice(0, place) + letter + token.slice(place + 1)
}

function splices(one: string, two: string): string[] {
  const [a, b] = [one.split('.'), two.split('.')]
  const mixed = [0, 1, 2, 3, 4, 5, 6].map((which) => [0, 1, 2].map((part) => ((which >> part) & 1 ? b : a)[part] ?? '').join('.'))
  return mixed.filter((token) => token !== one && token !== two)
}

for (const dialect of everyDialect) {
  await t.test(`case 21: ${dialect}: a bit flipped anywhere, or two tokens spliced, is no token and ends no session`, async (t) => {
    const first = await enter(node, dialect, await newPerson(node))
    const second = await enter(node, dialect, await newPerson(node))
    const next = await renew(node, dialect, second.refreshToken)
    const before = await footprint(node)
    const audited = await auditCount(node, 'refresh_reused')
    // Every place in one of the bits; domain/refresh-token.test.ts has all of them.
    const forged = Array.from(next.refreshToken, (_, place) => flipped(next.refreshToken, place, place % 6)).filter((_, i) => i % 3 === 0)
    const spliced = [...splices(next.refreshToken, first.refreshToken), ...splices(next.refreshToken, second.refreshToken)]
    t.ok(forged.length > 50 && spliced.length >= 6)
    for (const token of [...forged, ...spliced, `${next.refreshToken}=`, `${next.refreshToken}.`, next.refreshToken.toLowerCase(), next.refreshToken.slice(0, -1)]) {
      const answer = await clients[dialect].refresh(node, token)
      if (answer.status !== clients[dialect].invalidRefresh[0]) isRefused(t, dialect, answer, token.slice(-20))
    }
    isRefused(t, dialect, await clients[dialect].refresh(node, forged[5] ?? ''))
    t.equal(await footprint(node), before)
    t.equal(await auditCount(node, 'refresh_reused'), audited)
    await renew(node, dialect, next.refreshToken)
  })

  await t.test(`case 27: ${dialect}: a transaction that fails in mid-rotation costs nothing`, async (t) => {
    const tokens = await renew(node, dialect, (await enter(node, dialect, await newPerson(node))).refreshToken)
    const client = await node.database.client()
    await client.query(`CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`)
    await client.query('CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()')
    const before = await footprint(node)
    const answer = await clients[dialect].refresh(node, tokens.refreshToken)
    t.equal(answer.status, 503)
    t.match(answer.headers.get('retry-after'), /^\d+$/)
    t.same(answer.cookies, {}, 'a 503 clears no cookie')
    await client.query('DROP TRIGGER fail ON sessions')
    t.equal(await footprint(node), before)
    t.match(claimsOf((await renew(other, dialect, tokens.refreshToken)).refreshToken), { gen: 2 })
  })
}

/** Ends the session as each dialect does; tokenset's document has no logout. */
const logOut = async (dialect: DialectName, tokens: Tokens): Promise<Answer> =>
  (await clients[dialect].logout?.(node, tokens)) ?? call(node, '/api/v1/auth/logout', { headers: { authorization: `Bearer ${tokens.accessToken}` } })

for (const dialect of everyDialect) {
  await t.test(`case 24: ${dialect}: after a logout every token of the session is dead on all nodes, and ends nothing`, async (t) => {
    const first = await enter(node, dialect, await newPerson(node))
    const tokens = await renew(node, dialect, first.refreshToken)
    t.ok((await logOut(dialect, tokens)).status < 300)
    await untilDead(other, tokens)
    await untilDead(other, first)
    for (const on of [node, other]) {
      const before = await footprint(on)
      for (const { refreshToken } of [first, tokens]) isRefused(t, dialect, await clients[dialect].refresh(on, refreshToken))
      t.notOk(await isLive(on, tokens))
      t.equal(await footprint(on), before)
    }
  })
}

await t.test('case 24: a second logout succeeds where the refresh token says which session, and ends nothing', async (t) => {
  const tokens = await enter(node, 'directus', await newPerson(node))
  t.equal((await logOut('directus', tokens)).status, 204)
  const before = await footprint(node)
  for (const on of [node, other]) t.equal((await call(on, '/auth/logout', { body: { refresh_token: tokens.refreshToken } })).status, 204)
  t.equal((await call(node, '/auth/logout', { headers: { cookie: `directus_refresh_token=${tokens.refreshToken}` }, body: {} })).status, 204, 'by cookie too')
  t.equal(await footprint(node), before)
})

const changes = {
  password: { path: '/users/me/password', body: (current: string) => ({ current, new: 'another long password' }) },
  PIN: { path: '/users/me/pin', body: (password: string) => ({ password, pin: '55667788' }) },
}

for (const [what, { path, body }] of Object.entries(changes)) {
  await t.test(`case 25: a change of ${what} ends every other session, in all dialects and on all nodes, and not its own`, async (t) => {
    const person = await newPerson(node)
    const own = await enter(node, 'directus', person)
    const others = await Promise.all(everyDialect.map(async (dialect) => ({ dialect, tokens: await enter(other, dialect, person) })))
    t.equal((await call(node, path, { body: body(person.password), headers: { authorization: `Bearer ${own.accessToken}` } })).status, 204)
    for (const { dialect, tokens } of others) {
      t.notOk(await isLive(node, tokens), `${dialect}: at once where it was changed`)
      await untilDead(other, tokens)
      for (const on of [node, other]) isRefused(t, dialect, await clients[dialect].refresh(on, tokens.refreshToken), dialect)
    }
    for (const on of [node, other]) t.ok(await isLive(on, own))
    await renew(other, 'directus', own.refreshToken)
  })
}

await t.test('case 26: the idle end moves with each refresh and stops at the absolute one', async (t) => {
  const day = 86_400
  let tokens = await enter(node, 'directus', await newPerson(node))
  const { exp } = claimsOf(tokens.refreshToken)
  for (const passed of [6, 12, 18, 24, 29]) {
    await node.clock.advance((passed - (passed === 29 ? 24 : passed - 6)) * day)
    tokens = await renew(passed % 12 === 0 ? other : node, 'directus', tokens.refreshToken)
    t.equal(claimsOf(tokens.refreshToken).exp, exp, 'the absolute end never moves')
  }
  await node.clock.advance(day + 1)
  isRefused(t, 'directus', await clients.directus.refresh(node, tokens.refreshToken), 'thirty days are over')
  t.notOk(await isLive(node, tokens))
})

await t.test('case 28: after a restart of all nodes what lived lives, and what was dead in any way stays dead', async (t) => {
  const nodes = [await startTestApp(t, { environment }), null]
  const [one] = nodes
  if (!one) throw new Error('no node')
  const two = await startTestApp(t, { environment, database: one.database, clock: one.clock })
  const { service } = one.core
  const person = await newPerson(one)
  const live = await Promise.all(everyDialect.map(async (dialect) => ({ dialect, ...(await renew(two, dialect, (await enter(one, dialect, person)).refreshToken)) })))
  const key = async (userId: string) => createApiKey(service, userId, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const [liveKey, deadKey] = [await key(person.id), await key(person.id)]
  await deleteApiKey(service, deadKey.key.id, person.id, { origin: null })

  const dead: (Tokens & { dialect: DialectName })[] = []
  const gone = async (dialect: DialectName, end: (tokens: Tokens, userId: string) => Promise<unknown>) => {
    const someone = await newPerson(one)
    const first = await enter(one, dialect, someone)
    const tokens = await renew(one, dialect, first.refreshToken)
    await end(tokens, someone.id)
    dead.push({ dialect, ...tokens }, { dialect, ...first })
  }
  const leave = ({ accessToken }: Tokens) => call(two, '/api/v1/auth/logout', { headers: { authorization: `Bearer ${accessToken}` } })
  for (const dialect of everyDialect) await gone(dialect, leave)
  await gone('bearer', (_tokens, id) => setPassword(service, id, 'another long password', operator))
  await gone('directus', (_tokens, id) => setStatus(service, id, 'suspended', operator))
  await gone('pin', async ({ refreshToken }) => {
    await renew(one, 'pin', (await renew(one, 'pin', refreshToken)).refreshToken)
    await clients.pin.refresh(one, refreshToken)
  })

  await Promise.all([one.close(), two.close()])
  const again: TestApp[] = [
    await startTestApp(t, { environment, database: one.database, clock: one.clock }),
    await startTestApp(t, { environment, database: one.database, clock: one.clock }),
  ]
  for (const on of again) {
    for (const tokens of live) t.ok(await isLive(on, tokens), tokens.dialect)
    for (const tokens of dead) {
      t.notOk(await isLive(on, tokens), tokens.dialect)
      isRefused(t, tokens.dialect, await clients[tokens.dialect].refresh(on, tokens.refreshToken))
    }
    const withKey = (apiKey: string) => call(on, '/verify', { method: 'GET', headers: { 'x-api-key': apiKey } })
    t.same([(await withKey(liveKey.secret)).status, (await withKey(deadKey.secret)).status], [200, 401])
  }
  for (const { dialect, refreshToken } of live) await renew(again[1] ?? one, dialect, refreshToken)
})
