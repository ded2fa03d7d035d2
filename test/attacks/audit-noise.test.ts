import t from 'tap'
import { sealAudit, verifyAudit } from '../../src/domain/audit-chain.js'
import { refresh } from '../../src/domain/refresh.js'
import { encodeRefreshToken } from '../../src/domain/refresh-token.js'
import { startTestApp } from '../support/app.js'
import { call } from '../support/auth-client.js'
import { clients, enter, newPerson, sessionIdOf } from '../support/dialect-clients.js'
import { goodBody, knock } from '../support/login-doors.js'
import { times } from '../support/repository.js'
import { serviceOf } from '../support/sessions.js'

const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
const service = serviceOf(node)

/** Of one type: how many events there are, and for how many they stand. */
async function told(type: string, condition = 'true', values: readonly unknown[] = []) {
  const { rows: [row] } = await node.core.pool.query<{ events: number; stands_for: number }>(
    `SELECT count(*)::int AS events, coalesce(sum(coalesce((detail->>'count')::int, 1)), 0)::int AS stands_for FROM audit_events WHERE type = '${type}' AND ${condition}`, [...values])
  return row
}

const ofSession = (type: string, sessionId: string) => told(type, 'session_id = $1', [sessionId])
const inTurns = async (count: number, act: (index: number) => Promise<unknown>) => {
  for (let done = 0; done < count; done += 20) await Promise.all(times(20, (index) => act(done + index)))
}
/** The node seals in the background too: whoever comes second finds nothing left. */
const untilSealed = async () => {
  while ((await service.repository.auditChain.countUnsealed(1)) > 0) await sealAudit(service)
}
const later = async () => {
  await node.clock.advance(301)
  await service.auditRepeats.tell(service.repository)
}

await t.test('a refresh token of another dialect, replayed 300 times, dead or alive, is one event with a count [attack:audit-trail-flooded]', async (t) => {
  const tokens = await enter(node, 'directus', await newPerson(node))
  await clients.directus.logout?.(node, tokens)
  await inTurns(300, (index) => call(node, '/api/v1/auth/refresh', { body: { refreshToken: tokens.refreshToken }, headers: { 'x-forwarded-for': `203.0.${index % 250}.1` } }))
  t.same(await ofSession('refresh_misdirected', sessionIdOf(tokens)), { events: 1, stands_for: 1 })
  await later()
  t.same(await ofSession('refresh_misdirected', sessionIdOf(tokens)), { events: 2, stands_for: 300 })
  await later()
  t.same(await ofSession('refresh_misdirected', sessionIdOf(tokens)), { events: 2, stands_for: 300 }, 'told once')
})

await t.test('a token of a generation ahead, replayed 300 times, is one event with a count [attack:audit-trail-flooded]', async (t) => {
  const tokens = await enter(node, 'bearer', await newPerson(node))
  const sessionId = sessionIdOf(tokens)
  const state = await service.repository.sessions.find(sessionId)
  const token = encodeRefreshToken({ sessionId, generation: 7, dialect: 'bearer', expiresAtSeconds: Math.floor((state?.session.expiresAt.getTime() ?? 0) / 1000) }, service.keyring.current('refresh'))
  await inTurns(300, () => refresh(service, { dialect: service.settings.dialects.bearer, token, origin: { ip: '203.0.113.1', userAgent: null, requestId: null } }).catch(() => undefined))
  t.same(await ofSession('refresh_ahead', sessionId), { events: 1, stands_for: 1 })
  await later()
  t.same(await ofSession('refresh_ahead', sessionId), { events: 2, stands_for: 300 })
})

await t.test('wrong guesses at one account are an event a network in a while, and a bounded number of networks [attack:audit-trail-flooded]', async (t) => {
  const person = await newPerson(node)
  const guess = (ip: string) => knock(node, 'bearer', { ...goodBody('bearer', person), password: 'wrong' }, { 'x-forwarded-for': ip })
  for (let i = 0; i < 40; i += 1) await guess(`198.51.100.${i}`)
  const ofPerson = (type: string) => told(type, 'user_id = $1', [person.id])
  t.same(await ofPerson('login_failed'), { events: 5, stands_for: 5 }, 'what was evaluated, one by one')
  t.same(await ofPerson('login_locked'), { events: 5, stands_for: 5 }, 'of one /24')
  for (let i = 0; i < 60; i += 1) await guess(`203.1.${i}.1`)
  const { events = 0 } = (await ofPerson('login_locked')) ?? {}
  t.ok(events <= 32, `${events} events of 60 networks`)
  await later()
  const [failed, locked] = [await ofPerson('login_failed'), await ofPerson('login_locked')]
  t.equal((failed?.stands_for ?? 0) + (locked?.stands_for ?? 0), 100, 'none goes uncounted')
})

await t.test('guesses at names that nobody has, each another one, from one network, do not fill the trail [attack:audit-trail-flooded]', async (t) => {
  const ofNobody = () => told('login_failed', 'user_id IS NULL')
  await later()
  const before = await ofNobody()
  await inTurns(300, (index) => knock(node, 'tokenset', { username: `nobody${index}`, password: 'x' }, { 'x-forwarded-for': `192.0.2.${index % 250}` }))
  await later()
  const after = await ofNobody()
  t.ok((after?.events ?? 0) - (before?.events ?? 0) <= 102 && (after?.stands_for ?? 0) - (before?.stands_for ?? 0) >= 200, `${after?.events} events`)
  t.ok((after?.stands_for ?? 0) - (before?.stands_for ?? 0) <= 300)
})

await t.test('what is counted is told when the node stops, and the chain of the trail is whole', async (t) => {
  const stopping = await startTestApp(t, { database: node.database, clock: node.clock })
  const tokens = await enter(stopping, 'directus', await newPerson(stopping))
  await inTurns(20, () => call(stopping, '/api/v1/auth/refresh', { body: { refreshToken: tokens.refreshToken } }))
  await stopping.close()
  t.same(await ofSession('refresh_misdirected', sessionIdOf(tokens)), { events: 2, stands_for: 20 })
  await untilSealed()
  t.match(await verifyAudit(service, null), { intact: true })
})
