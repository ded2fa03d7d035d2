import t, { type Test } from 'tap'
import type { DialectName } from '../../src/domain/model.js'
import { setPassword, setStatus } from '../../src/domain/operators.js'
import { encodeRefreshToken } from '../../src/domain/refresh-token.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { auditCount, call, claimsOf, footprint, type Answer } from '../support/auth-client.js'
import { clients, enter, everyDialect, isLive, newPerson, renew, sessionIdOf, untilDead, type Tokens } from '../support/dialect-clients.js'
import { times } from '../support/repository.js'

const operator = { kind: 'operator', id: 'test' } as const
const minute = 60
const day = 86_400
const staticDialects: readonly DialectName[] = ['pin', 'bearer', 'tokenset']

/** Two nodes over one database; their clock runs ahead as the tests go. What ends an access token here is never its age. */
const environment = { PIN_ACCESS_TTL: '15m' }
const node = await startTestApp(t, { environment })
const otherNode = await startTestApp(t, { environment, database: node.database, clock: node.clock })

interface Row {
  readonly generation: number
  readonly rotated_at: Date | null
  readonly revoked_because: string | null
}

const client = await node.database.client()

async function rowOf(tokens: Tokens): Promise<Row> {
  const { rows: [row] } = await client.query<Row>('SELECT generation, rotated_at, revoked_because FROM sessions WHERE id = $1', [sessionIdOf(tokens)])
  if (!row) throw new Error('there is no such session')
  return row
}

async function countSessions(): Promise<number> {
  const { rows: [row] } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM sessions')
  return row?.count ?? 0
}

const begin = async (dialect: DialectName, on: TestApp = node): Promise<Tokens> => enter(on, dialect, await newPerson(on))

/** A session at the given generation, with every refresh token that it ever had. */
async function rotated(dialect: DialectName, generation: number, on: TestApp = node) {
  const history = [await begin(dialect, on)]
  for (let i = 0; i < generation; i += 1) history.push(await renew(on, dialect, history.at(-1)?.refreshToken ?? ''))
  const at = (g: number): Tokens => {
    const tokens = history[g]
    if (!tokens) throw new Error(`generation ${g} was never reached`)
    return tokens
  }
  return { at, last: at(generation) }
}

function isRefused(t: Test, dialect: DialectName, answer: Answer) {
  t.same([answer.status, answer.text], clients[dialect].invalidRefresh)
  t.same(answer.cookies, {}, 'no cookie is set or cleared')
}

/** A refresh that is refused and changes nothing. */
async function changesNothing(t: Test, dialect: DialectName, refreshToken: string, expectedEvent: string | null = null) {
  const before = await footprint(node)
  const events = expectedEvent === null ? 0 : await auditCount(node, expectedEvent)
  const reused = await auditCount(node, 'refresh_reused')
  isRefused(t, dialect, await clients[dialect].refresh(node, refreshToken))
  t.equal(await footprint(node), before)
  t.equal(await auditCount(node, 'refresh_reused'), reused)
  if (expectedEvent !== null) t.equal(await auditCount(node, expectedEvent), events + 1, expectedEvent)
}

/** A refresh that is taken for theft: the session is over on every node, and it is remembered once. */
async function isTheft(t: Test, dialect: DialectName, refreshToken: string, last: Tokens) {
  t.ok(await isLive(node, last))
  const before = await auditCount(node, 'refresh_reused')
  isRefused(t, dialect, await clients[dialect].refresh(node, refreshToken))
  t.equal((await rowOf(last)).revoked_because, 'refresh_reused')
  t.notOk(await isLive(node, last), 'the access token is dead at once')
  isRefused(t, dialect, await clients[dialect].refresh(node, last.refreshToken))
  isRefused(t, dialect, await clients[dialect].refresh(node, refreshToken))
  t.equal(await auditCount(node, 'refresh_reused'), before + 1, 'one event, however often')
  await untilDead(otherNode, last)
}

for (const dialect of everyDialect) {
  await t.test(`${dialect}: each refresh gives the token of the next generation, and changes one row`, async (t) => {
    const first = await begin(dialect)
    const rows = await countSessions()
    let tokens = first
    for (let generation = 1; generation <= 5; generation += 1) {
      await node.clock.advance(5 * minute)
      const next = await renew(node, dialect, tokens.refreshToken)
      t.match(claimsOf(next.refreshToken), { gen: generation, sid: sessionIdOf(first), exp: claimsOf(first.refreshToken).exp })
      t.equal((await rowOf(next)).generation, generation)
      t.ok(await isLive(node, next))
      tokens = next
    }
    t.equal(await countSessions(), rows)
  })

  await t.test(`case 18: ${dialect}: a lost answer is given again, the very same bytes, and the window does not slide`, async (t) => {
    const { at, last } = await rotated(dialect, 2)
    const row = await rowOf(last)
    for (const wait of [0, 20, 20, 15]) {
      await node.clock.advance(wait)
      const again = await renew(node, dialect, at(1).refreshToken)
      t.equal(again.refreshToken, last.refreshToken)
      t.ok(await isLive(node, again))
      t.same(await rowOf(last), row)
    }
    await node.clock.advance(10)
    await isTheft(t, dialect, at(1).refreshToken, last)
  })

  await t.test(`case 17: ${dialect}: two behind is theft, within the window too`, async (t) => {
    const { at, last } = await rotated(dialect, 3)
    await isTheft(t, dialect, at(1).refreshToken, last)
  })

  await t.test(`case 17: ${dialect}: the first token, once a successor was used, is theft`, async (t) => {
    const { at, last } = await rotated(dialect, 2)
    await isTheft(t, dialect, at(0).refreshToken, last)
  })

  await t.test(`case 22: ${dialect}: a token of a generation that never was is no kill switch, and raises an alarm`, async (t) => {
    const { last } = await rotated(dialect, 1)
    const exp = Number(claimsOf(last.refreshToken).exp)
    const ahead = encodeRefreshToken({ sessionId: sessionIdOf(last), generation: 2, dialect, expiresAtSeconds: exp }, node.core.service.keyring.current('refresh'))
    await changesNothing(t, dialect, ahead, 'refresh_ahead')
    await renew(node, dialect, last.refreshToken)
  })

  await t.test(`case 23: ${dialect}: at another dialect's endpoint a token is an ordinary invalid one`, async (t) => {
    const { at, last } = await rotated(dialect, 2)
    for (const elsewhere of everyDialect.filter((name) => name !== dialect)) {
      await changesNothing(t, elsewhere, last.refreshToken, 'refresh_misdirected')
      await changesNothing(t, elsewhere, at(0).refreshToken, 'refresh_misdirected')
    }
    await renew(node, dialect, last.refreshToken)
  })

  await t.test(`${dialect}: what is over stays over, and its tokens end nothing`, async (t) => {
    const revoked = await rotated(dialect, 2)
    await node.app.identity.logoutByRefreshToken(dialect, revoked.last.refreshToken, { ip: '127.0.0.1', userAgent: null, requestId: null })
    for (const g of [0, 1, 2]) await changesNothing(t, dialect, revoked.at(g).refreshToken)

    const person = await newPerson(node)
    const suspended = await enter(node, dialect, person)
    await setStatus(node.core.service, person.id, 'suspended', operator)
    await changesNothing(t, dialect, suspended.refreshToken)
    await setStatus(node.core.service, person.id, 'active', operator)
    await changesNothing(t, dialect, suspended.refreshToken)

    const before = await enter(node, dialect, person)
    await setPassword(node.core.service, person.id, 'another long password', operator)
    await changesNothing(t, dialect, before.refreshToken)
  })

  await t.test(`case 26: ${dialect}: the absolute end holds under constant refresh`, async (t) => {
    let tokens = await begin(dialect)
    for (let passed = 3; passed < 30; passed += 3) {
      await node.clock.advance(3 * day)
      tokens = await renew(node, dialect, tokens.refreshToken)
    }
    await node.clock.advance(3 * day)
    await changesNothing(t, dialect, tokens.refreshToken)
  })

  await t.test(`case 19: ${dialect}: 50 parallel refreshes over two nodes give 50 times one successor, and one change of the row`, async (t) => {
    const first = await begin(dialect)
    const answers = await Promise.all(times(50, (i) => renew(i % 2 === 0 ? node : otherNode, dialect, first.refreshToken)))
    t.equal(new Set(answers.map(({ refreshToken }) => refreshToken)).size, 1)
    t.equal((await rowOf(first)).generation, 1)
    t.match(claimsOf(answers[0]?.refreshToken ?? ''), { gen: 1 })
  })

  await t.test(`case 20: ${dialect}: a thief who keeps step with the victim is found past the window`, async (t) => {
    const { last: stolen } = await rotated(dialect, 1)
    const victims = await renew(node, dialect, stolen.refreshToken)
    const thiefs = await renew(node, dialect, stolen.refreshToken)
    t.equal(thiefs.refreshToken, victims.refreshToken, 'within the window nobody can tell them apart')
    const next = await renew(node, dialect, victims.refreshToken)
    await node.clock.advance(minute + 1)
    await isTheft(t, dialect, thiefs.refreshToken, next)
  })
}

for (const dialect of staticDialects) {
  await t.test(`${dialect}: a client that keeps its first token is answered with one successor, whenever it asks`, async (t) => {
    const { at, last } = await rotated(dialect, 1)
    const row = await rowOf(last)
    for (const wait of [61, day, 10 * day, 18 * day]) {
      await node.clock.advance(wait)
      const again = await renew(node, dialect, at(0).refreshToken)
      t.equal(again.refreshToken, last.refreshToken)
      t.ok(await isLive(node, again))
    }
    t.same(await rowOf(last), row)
    const next = await renew(node, dialect, last.refreshToken)
    await node.clock.advance(minute)
    await isTheft(t, dialect, at(0).refreshToken, next)
  })
}

await t.test('case 17: directus: the first token past the window is theft: its clients take up successors', async (t) => {
  const { at, last } = await rotated('directus', 1)
  await node.clock.advance(minute)
  await isTheft(t, 'directus', at(0).refreshToken, last)
})

await t.test('case 26: directus: seven idle days end a session, a refresh in time does not let it', async (t) => {
  let tokens = await begin('directus')
  for (let i = 0; i < 3; i += 1) {
    await node.clock.advance(6 * day)
    tokens = await renew(node, 'directus', tokens.refreshToken)
  }
  await node.clock.advance(7 * day)
  await changesNothing(t, 'directus', tokens.refreshToken)
})

await t.test('case 32: an account that is locked refreshes the sessions it has', async (t) => {
  const person = await newPerson(node)
  const tokens = await enter(node, 'bearer', person)
  for (let i = 0; i < 6; i += 1) await clients.bearer.login(node, { ...person, password: 'wrong' })
  t.equal((await clients.bearer.login(node, person)).status, 401, 'locked')
  await renew(node, 'bearer', tokens.refreshToken)
})

await t.test('case 27: a transaction that fails in mid-rotation costs nothing', async (t) => {
  const { last } = await rotated('bearer', 1)
  await client.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$`)
  await client.query('CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()')
  const answer = await clients.bearer.refresh(node, last.refreshToken)
  t.same([answer.status, answer.text, answer.headers.has('retry-after')], [503, '{"error":"Service unavailable, try again"}', true])
  await client.query('DROP TRIGGER fail ON sessions')
  t.match(claimsOf((await renew(node, 'bearer', last.refreshToken)).refreshToken), { gen: 2 })
})

await t.test('case 28: after a restart of all nodes live tokens live, and revoked ones stay dead', async (t) => {
  const before = await startTestApp(t)
  const [live, dead] = [await rotated('tokenset', 2, before), await rotated('bearer', 2, before)]
  t.equal((await call(before, '/api/v1/auth/logout', { headers: { authorization: `Bearer ${dead.last.accessToken}` } })).status, 200)
  await before.close()
  const after = await startTestApp(t, { database: before.database, clock: before.clock })
  t.same([await isLive(after, live.last), await isLive(after, dead.last)], [true, false])
  t.equal((await renew(after, 'tokenset', live.at(1).refreshToken)).refreshToken, live.last.refreshToken, 'a lost answer too')
  await renew(after, 'tokenset', live.last.refreshToken)
  isRefused(t, 'bearer', await clients.bearer.refresh(after, dead.last.refreshToken))
})

await t.test('settings: without a window and without static clients every token is good once', async (t) => {
  const strict = await startTestApp(t, { environment: { REFRESH_GRACE_SECONDS: '0', REFRESH_STATIC_CLIENTS: 'none' } })
  for (const dialect of everyDialect) {
    const { at, last } = await rotated(dialect, 1, strict)
    isRefused(t, dialect, await clients[dialect].refresh(strict, at(0).refreshToken))
    t.notOk(await isLive(strict, last))
  }
})

await t.test('ten thousand refreshes of one session leave one row', async (t) => {
  const first = await begin('bearer')
  const rows = await countSessions()
  // What a refresh does to the database, and nothing else of it: the rest would take a minute.
  const { sessions } = node.core.service.repository
  for (let generation = 0; generation < 9_999; generation += 1) await sessions.advance(sessionIdOf(first), generation, 'bearer', null)
  const exp = Number(claimsOf(first.refreshToken).exp)
  const current = encodeRefreshToken({ sessionId: sessionIdOf(first), generation: 9_999, dialect: 'bearer', expiresAtSeconds: exp }, node.core.service.keyring.current('refresh'))
  t.match(claimsOf((await renew(node, 'bearer', current)).refreshToken), { gen: 10_000 })
  t.equal((await rowOf(first)).generation, 10_000)
  t.equal(await countSessions(), rows)
})
