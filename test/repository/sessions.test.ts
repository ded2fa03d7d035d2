import t from 'tap'
import { v7 as uuid } from 'uuid'
import type { SessionState } from '../../src/domain/model.js'
import {
  createTestRepository, insertUser, malformedIds, newSession, openSession, times, unknownId, untilSomebodyWaits,
} from '../support/repository.js'

const secondsFromNow = (date: Date, now: Date) => (date.getTime() - now.getTime()) / 1000
const isNear = (actual: number | null | undefined, expected: number) => actual != null && Math.abs(actual - expected) < 5

await t.test('a login opens a session that can be found again as it was opened', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const given = newSession(user, { dialect: 'directus', amr: ['pwd', 'otp'], ip: '2001:db8::7', lifetimeSeconds: 1000, idleSeconds: 400 })
  const opened = await repository.sessions.open(given)
  t.match(opened, {
    session: {
      id: given.id, userId: user.id, dialect: 'directus', amr: ['pwd', 'otp'], ip: '2001:db8::7', userAgent: 'curl/8.0', epoch: 0, generation: 0,
    },
    user,
    alive: true,
    secondsSinceRotation: null,
  })
  if (!opened?.session.idleExpiresAt) throw new Error('no session with a sliding end')
  t.ok(isNear(secondsFromNow(opened.session.authTime, clock.now()), 0))
  t.ok(isNear(secondsFromNow(opened.session.expiresAt, clock.now()), 1000))
  t.ok(isNear(secondsFromNow(opened.session.idleExpiresAt, clock.now()), 400))
  t.ok(opened.remainingSeconds <= 400 && opened.remainingSeconds > 395 && Number.isInteger(opened.remainingSeconds))
  const found = await repository.sessions.find(given.id)
  t.same(found?.session, opened.session)
})

await t.test('the sliding end never lies behind the absolute one', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user, { lifetimeSeconds: 100, idleSeconds: 400 })
  t.same(session.idleExpiresAt, session.expiresAt)
  const advanced = await repository.sessions.advance(session.id, 0, 'pin', 400)
  t.same(advanced?.session.idleExpiresAt, session.expiresAt)
})

await t.test('an address that a proxy made up is not kept, and not an error', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const ipOf = async (ip: string) => (await openSession(repository, user, { ip })).session.ip
  t.equal(await ipOf('unknown'), null)
  t.equal(await ipOf('203.0.113.7:1234'), null)
  t.equal(await ipOf(''), null)
  t.equal(await ipOf('fe80::1%eth0'), 'fe80::1')
  t.equal(await ipOf('::ffff:203.0.113.7'), '::ffff:203.0.113.7')
})

await t.test('no session opens for who is unknown, suspended, or at another epoch', async (t) => {
  const { repository } = await createTestRepository(t)
  const { users, sessions } = repository
  const user = await insertUser(repository, 'jane')
  for (const userId of [unknownId, ...malformedIds]) t.equal(await sessions.open(newSession(user, { userId })), null)
  t.equal(await sessions.open(newSession(user, { epoch: 1 })), null)

  await users.setStatus(user.id, 'suspended')
  t.equal(await sessions.open(newSession(user)), null)
  await users.setStatus(user.id, 'active')
  t.ok(await sessions.open(newSession(user)))

  await users.raiseEpoch(user.id)
  t.equal(await sessions.open(newSession(user)), null, 'the epoch that was read before hashing is over')
  t.ok(await sessions.open(newSession(user, { epoch: 1 })))

  const lowest = await users.raiseGlobalEpoch()
  t.equal(await sessions.open(newSession(user, { epoch: 1 })), null)
  t.ok(await sessions.open(newSession(user, { epoch: lowest + 1 })))
})

await t.test('a login waits for a change of password that is under way, and then fails', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  let login: Promise<SessionState | null> | undefined
  await repository.transaction(async ({ users }) => {
    await users.raiseEpoch(user.id)
    login = repository.sessions.open(newSession(user))
    await untilSomebodyWaits(pool)
  })
  t.equal(await login, null)
})

await t.test('a rotation makes generation g into g + 1, and only from g', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user)
  const { sessions } = repository
  t.equal(await sessions.advance(session.id, 1, 'pin', null), null, 'a generation ahead')
  const first = await sessions.advance(session.id, 0, 'pin', null)
  t.match(first, { alive: true, session: { id: session.id, generation: 1, idleExpiresAt: null }, user })
  t.ok(isNear(first?.secondsSinceRotation, 0))
  t.equal(await sessions.advance(session.id, 0, 'pin', null), null, 'a generation behind')

  await clock.advance(61)
  const found = await sessions.find(session.id)
  t.ok(isNear(found?.secondsSinceRotation, 61))
  t.ok(isNear(found?.remainingSeconds, 1000 - 61))
  t.match(await sessions.advance(session.id, 1, 'pin', null), { session: { generation: 2 } })
})

await t.test('a session is advanced by its own dialect only, and an unknown one not at all', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user, { dialect: 'bearer' })
  t.equal(await repository.sessions.advance(session.id, 0, 'tokenset', null), null)
  t.match(await repository.sessions.find(session.id), { alive: true, session: { generation: 0 } })
  for (const id of [unknownId, ...malformedIds]) {
    t.equal(await repository.sessions.advance(id, 0, 'bearer', null), null)
    t.equal(await repository.sessions.find(id), null)
    t.equal(await repository.sessions.revoke(id, 'logout'), null)
    await repository.sessions.moveToEpoch(id, 1)
    t.same(await repository.sessions.listAlive(id), [])
  }
})

await t.test('of 50 parallel rotations of one generation exactly one wins', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user)
  const results = await Promise.all(times(50, () => repository.sessions.advance(session.id, 0, 'pin', null)))
  t.equal(results.filter((state) => state !== null).length, 1)
  t.match(await repository.sessions.find(session.id), { session: { generation: 1 } })
})

await t.test('use moves the sliding end, and constant use does not move the absolute one', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { sessions } = repository
  const { session } = await openSession(repository, user, { lifetimeSeconds: 1000, idleSeconds: 400 })
  for (const generation of [0, 1]) {
    await clock.advance(390)
    const state = await sessions.advance(session.id, generation, 'pin', 400)
    t.ok(state?.alive)
    t.ok(isNear(state?.remainingSeconds, generation === 0 ? 400 : 220))
  }
  await clock.advance(215)
  t.match(await sessions.find(session.id), { alive: true })
  await clock.advance(10)
  t.match(await sessions.find(session.id), { alive: false, remainingSeconds: 0 })
  t.equal(await sessions.advance(session.id, 2, 'pin', 400), null)
})

await t.test('an unused session ends at its sliding end', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user, { idleSeconds: 400 })
  await clock.advance(401)
  t.match(await repository.sessions.find(session.id), { alive: false })
  t.equal(await repository.sessions.advance(session.id, 0, 'pin', 400), null)
  t.same(await repository.sessions.listAlive(user.id), [])
})

await t.test('a rotation that names no sliding end leaves it where it was', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user, { idleSeconds: 400 })
  t.same((await repository.sessions.advance(session.id, 0, 'pin', null))?.session.idleExpiresAt, session.idleExpiresAt)
})

await t.test('suspension, a raised epoch and a raised global epoch end a session', async (t) => {
  const { repository } = await createTestRepository(t)
  const { users, sessions } = repository
  const ends = {
    suspended: (id: string) => users.setStatus(id, 'suspended'),
    raised: (id: string) => users.raiseEpoch(id),
    everything: () => users.raiseGlobalEpoch(),
  }
  for (const [name, end] of Object.entries(ends)) {
    const user = await insertUser(repository, name)
    const { session } = await openSession(repository, user)
    t.equal((await sessions.listAlive(user.id)).length, 1)
    t.equal(await sessions.countAlive(user.id), 1)
    await end(user.id)
    t.match(await sessions.find(session.id), { alive: false }, name)
    t.equal(await sessions.advance(session.id, 0, 'pin', null), null, name)
    t.same(await sessions.listAlive(user.id), [], name)
    t.equal(await sessions.countAlive(user.id), 0, name)
  }
})

await t.test('a session is revoked once, and never lives or rotates again', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user)
  const revoked = await Promise.all(times(10, () => repository.sessions.revoke(session.id, 'refresh_reused')))
  t.match(revoked.filter((found) => found !== null), [{ id: session.id, userId: user.id }])
  t.equal(await repository.sessions.revoke(session.id, 'logout'), null)
  t.match(await repository.sessions.find(session.id), { alive: false })
  t.equal(await repository.sessions.advance(session.id, 0, 'pin', null), null)
  const { rows } = await pool.query<object>('SELECT revoked_because, revoked_at IS NOT NULL AS dated FROM sessions')
  t.same(rows, [{ revoked_because: 'refresh_reused', dated: true }], 'the first reason stays')
})

await t.test('a session that has run out can still be revoked, since its access tokens may not have', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user, { idleSeconds: 60 })
  await clock.advance(61)
  t.match(await repository.sessions.revoke(session.id, 'logout'), { id: session.id })
})

await t.test('nothing rotates once a logout is acknowledged, however close they race', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  for (const round of times(50, (index) => index)) {
    const { session } = await openSession(repository, user)
    const logout = repository.sessions.revoke(session.id, 'logout')
    const refreshes = times(4, (generation) => repository.sessions.advance(session.id, generation, 'pin', null))
    t.ok(await logout, `round ${round}: the logout takes effect whatever rotated meanwhile`)
    const { generation } = (await repository.sessions.find(session.id))?.session ?? {}
    await Promise.all(refreshes)
    t.match(await repository.sessions.find(session.id), { alive: false, session: { generation } })
  }
})

await t.test('a change of credentials takes its own session along to the new epoch', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const [own, other] = [await openSession(repository, user), await openSession(repository, user)]
  await repository.transaction(async ({ users, sessions }) => {
    const epoch = await users.raiseEpoch(user.id)
    await sessions.moveToEpoch(own.session.id, epoch ?? -1)
  })
  t.match(await repository.sessions.find(own.session.id), { alive: true, session: { epoch: 1 }, user: { epoch: 1 } })
  t.match(await repository.sessions.find(other.session.id), { alive: false, session: { epoch: 0 } })
  t.same((await repository.sessions.listAlive(user.id)).map(({ id }) => id), [own.session.id])
})

await t.test('no change of credentials takes a dead session along', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const ends: [end: string, end: (id: string) => Promise<unknown>, lifetimeSeconds: number][] = [
    ['revoked', (id) => repository.sessions.revoke(id, 'logout'), 1000],
    ['run out', () => clock.advance(11), 10],
    ['ended by another change', () => repository.users.raiseEpoch(user.id), 1000],
  ]
  for (const [name, end, lifetimeSeconds] of ends) {
    const { epoch } = (await repository.users.find(user.id)) ?? user
    const { session } = await openSession(repository, user, { epoch, lifetimeSeconds })
    await end(session.id)
    await repository.transaction(async ({ users, sessions }) => {
      t.equal(await sessions.moveToEpoch(session.id, (await users.raiseEpoch(user.id)) ?? -1), false, name)
    })
    t.match(await repository.sessions.find(session.id), { alive: false, session: { epoch } }, name)
  }
  for (const id of [...malformedIds, unknownId]) t.equal(await repository.sessions.moveToEpoch(id, 1), false)
})

await t.test('a rotation that waited for the change of credentials succeeds when it is asked again', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user)
  let rotation: Promise<SessionState | null> | undefined
  await repository.transaction(async ({ users, sessions }) => {
    const epoch = await users.raiseEpoch(user.id)
    await sessions.moveToEpoch(session.id, epoch ?? -1)
    rotation = repository.sessions.advance(session.id, 0, 'pin', null)
    await untilSomebodyWaits(pool)
  })
  t.equal(await rotation, null, 'it saw the session of after and the user of before')
  t.match(await repository.sessions.advance(session.id, 0, 'pin', null), { session: { generation: 1, epoch: 1 } })
})

await t.test('a change of role moves the sessions that live, and revives none', async (t) => {
  const { repository } = await createTestRepository(t)
  const { users, sessions } = repository
  const user = await insertUser(repository, 'jane')
  const dead = await openSession(repository, user)
  await users.raiseEpoch(user.id)
  const revoked = await openSession(repository, { ...user, epoch: 1 })
  await sessions.revoke(revoked.session.id, 'logout')
  const living = [await openSession(repository, { ...user, epoch: 1 }), await openSession(repository, { ...user, epoch: 1 })]
  await users.raiseEpoch(user.id)
  await sessions.moveAllToEpoch(user.id, 1, 2)
  t.same(
    (await sessions.listAlive(user.id)).map(({ id }) => id),
    living.map(({ session }) => session.id).reverse(),
    'newest first',
  )
  t.match(await sessions.find(dead.session.id), { alive: false })
  t.match(await sessions.find(revoked.session.id), { alive: false, session: { epoch: 1 } })
})

await t.test('everybody\'s sessions are listed newest first, page by page', async (t) => {
  const { repository } = await createTestRepository(t)
  const ids = times(5, () => uuid()).sort()
  for (const [index, id] of ids.entries()) {
    await openSession(repository, await insertUser(repository, `user-${index}`), { id })
  }
  const page = async (before: string | null) => (await repository.sessions.listAllAlive({ before, limit: 2 })).map(({ id }) => id)
  const [a = '', b = '', c = '', d = '', e = ''] = ids
  t.same(await page(null), [e, d])
  t.same(await page(d), [c, b])
  t.same(await page(b), [a])
  t.same(await page(a), [])
})
