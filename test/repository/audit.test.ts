import t from 'tap'
import type { AuditEvent } from '../../src/domain/audit.js'
import { createTestRepository, unknownId } from '../support/repository.js'

await t.test('the trail tells who did what, when and from where, newest first', async (t) => {
  const { repository: { audit }, clock } = await createTestRepository(t)
  const full: AuditEvent = {
    type: 'refresh_reused',
    actor: { kind: 'operator', id: 'cli:root' },
    userId: unknownId,
    sessionId: unknownId,
    dialect: 'tokenset',
    origin: { ip: '2001:db8::7', userAgent: 'curl/8.0', requestId: 'r-1' },
    detail: { generation: 3, names: ['a', 'b'], first: false, nothing: null },
  }
  await audit.append(full)
  await clock.advance(60)
  await audit.append({ type: 'signing_key_rotated', actor: { kind: 'service', id: 'tessera' } })
  const [second, first] = await audit.list({ before: null, limit: 10 })
  t.match(first, full)
  t.match(second, {
    type: 'signing_key_rotated', actor: { kind: 'service', id: 'tessera' }, userId: null, sessionId: null, dialect: null, origin: null, detail: {},
  })
  t.ok(second && first && second.id > first.id)
  t.ok(second && Math.abs(second.at.getTime() - clock.now().getTime()) < 5000)
  t.ok(second && first && second.at.getTime() - first.at.getTime() >= 60_000)
})

await t.test('a page goes on below the last id of the page before', async (t) => {
  const { repository: { audit } } = await createTestRepository(t)
  for (const id of ['a', 'b', 'c']) await audit.append({ type: 'logout', actor: { kind: 'user', id } })
  const firstPage = await audit.list({ before: null, limit: 2 })
  t.same(firstPage.map((event) => event.actor.id), ['c', 'b'])
  const rest = await audit.list({ before: firstPage[1]?.id ?? 0, limit: 2 })
  t.same(rest.map((event) => event.actor.id), ['a'])
})

await t.test('what is neither an id nor an address does not keep an event out', async (t) => {
  const { repository: { audit } } = await createTestRepository(t)
  await audit.append({
    type: 'login_failed',
    actor: { kind: 'user', id: 'x' },
    userId: 'user_1',
    sessionId: "' OR 1=1",
    origin: { ip: 'unknown, 10.0.0.1', userAgent: null, requestId: 'r' },
  })
  t.match(await audit.list({ before: null, limit: 1 }), [{ type: 'login_failed', userId: null, sessionId: null, origin: null }])
})
