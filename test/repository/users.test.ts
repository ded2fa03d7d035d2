import t from 'tap'
import { v7 as uuid } from 'uuid'
import { createTestRepository, fakeHash, insertUser, malformedIds, newUser, openSession, times, unknownId, untilSomebodyWaits } from '../support/repository.js'

await t.test('a user is found by id, by username and by email, as it was given', async (t) => {
  const { repository: { users } } = await createTestRepository(t)
  const email = { given: 'Jane.Doe@Example.com', canonical: 'jane.doe@example.com', folded: 'jane.doe@example.com' }
  const user = newUser('Jane', { email, role: 'admin' })
  t.equal(await users.insert(user), true)

  const found = await users.find(user.id)
  t.match(found, {
    id: user.id, username: 'Jane', email: 'Jane.Doe@Example.com', emailVerified: false, role: 'admin', status: 'active', epoch: 0,
  })
  t.ok(found && Math.abs(found.createdAt.getTime() - Date.now()) < 60_000)
  t.same(await users.findByIdentifier({ by: 'username', canonical: 'jane', folded: 'jane' }), found)
  t.same(await users.findByIdentifier({ by: 'email', canonical: 'jane.doe@example.com', folded: 'jane.doe@example.com' }), found)
  t.equal(await users.findByIdentifier({ by: 'email', canonical: 'jane', folded: 'jane' }), null)
  t.equal(await users.findByIdentifier({ by: 'username', canonical: 'Jane', folded: 'Jane' }), null, 'only the canonical form is compared')
})

await t.test('a username or an email that is taken is refused, in parallel too', async (t) => {
  const { repository: { users } } = await createTestRepository(t)
  const email = { given: 'a@b.c', canonical: 'a@b.c', folded: 'a@b.c' }
  const inserted = await Promise.all(times(10, () => users.insert(newUser('one'))))
  t.equal(inserted.filter(Boolean).length, 1)
  t.equal(await users.insert(newUser('two', { email })), true)
  t.equal(await users.insert(newUser('three', { email })), false)
  t.equal(await users.insert(newUser('two', { email: null })), false)
})

await t.test('an id that is no uuid finds nobody and changes nothing', async (t) => {
  const { repository: { users } } = await createTestRepository(t)
  for (const id of [...malformedIds, unknownId]) {
    t.equal(await users.find(id), null)
    t.equal(await users.findForReauthentication(id, '203.0.113.7'), null)
    t.equal(await users.setStatus(id, 'suspended'), false)
    t.equal(await users.setRole(id, 'admin'), false)
    t.equal(await users.raiseEpoch(id), null)
    t.equal(await users.delete(id), false)
    await users.rememberNetwork(id, '203.0.113.7')
  }
})

await t.test('a login gets the user and every stored secret at once', async (t) => {
  const { repository: { users, credentials }, repository } = await createTestRepository(t)
  const { id } = await insertUser(repository, 'jane', { email: { given: 'j@x.y', canonical: 'j@x.y', folded: 'j@x.y' } })
  const identifier = { by: 'username', canonical: 'jane', folded: 'jane' } as const
  t.match(await users.findForLogin(identifier, '203.0.113.7'), {
    user: { id }, passwordHash: null, pin: null, totp: null, networkKnown: false,
  })

  const [passwordHash, pinHash] = [fakeHash(), fakeHash()]
  await credentials.setPassword(id, passwordHash)
  await credentials.setPin(id, { hash: pinHash, pepperKid: 'pepper-1' })
  await credentials.enableTotp(id, Buffer.from('sealed'), 7, [])
  const expected = {
    user: { id }, passwordHash, pin: { hash: pinHash, pepperKid: 'pepper-1' }, totp: { sealedSecret: Buffer.from('sealed') },
  }
  t.match(await users.findForLogin(identifier, '203.0.113.7'), expected)
  t.match(await users.findForLogin({ by: 'email', canonical: 'j@x.y', folded: 'j@x.y' }, '203.0.113.7'), expected)
  t.match(await users.findForReauthentication(id, '203.0.113.7'), expected)
  t.equal(await users.findForLogin({ by: 'username', canonical: 'john', folded: 'john' }, '203.0.113.7'), null)
})

await t.test('a network counts as known for 30 days after the last login from it', async (t) => {
  const { repository: { users }, repository, clock } = await createTestRepository(t)
  const { id } = await insertUser(repository, 'jane')
  const other = await insertUser(repository, 'other')
  const known = async (network: string, who = id) => (await users.findForReauthentication(who, network))?.networkKnown

  await users.rememberNetwork(id, '203.0.113.7')
  t.equal(await known('203.0.113.7'), true)
  t.equal(await known('203.0.113.8'), false)
  t.equal(await known('203.0.113.7', other.id), false, 'another user\'s network is not mine')

  await clock.advance(20 * 86_400)
  await users.rememberNetwork(id, '203.0.113.7')
  await clock.advance(29 * 86_400)
  t.equal(await known('203.0.113.7'), true)
  await clock.advance(86_400 + 1)
  t.equal(await known('203.0.113.7'), false)
})

await t.test('logins from one network within an hour write nothing', async (t) => {
  const { repository: { users }, repository, clock, pool } = await createTestRepository(t)
  const { id } = await insertUser(repository, 'jane')
  const versionOfRow = async () => (await pool.query<{ version: string }>('SELECT xmin || \'/\' || xmax AS version FROM known_origins')).rows
  await users.rememberNetwork(id, '203.0.113.7')
  const first = await versionOfRow()
  await clock.advance(3500)
  await users.rememberNetwork(id, '203.0.113.7')
  t.same(await versionOfRow(), first)
  await clock.advance(200)
  await Promise.all(times(5, () => users.rememberNetwork(id, '203.0.113.7')))
  t.not((await versionOfRow())[0]?.version, first[0]?.version)
})

await t.test('the list goes on after the last id of the page before', async (t) => {
  const { repository: { users }, repository } = await createTestRepository(t)
  const ids = times(5, () => uuid()).sort()
  for (const [index, id] of ids.entries()) await insertUser(repository, `user-${index}`, { id })
  const page = async (after: string | null) => (await users.list({ after, limit: 2 })).map((user) => user.id)
  t.same(await page(null), ids.slice(0, 2))
  t.same(await page(ids[1] ?? ''), ids.slice(2, 4))
  t.same(await page(ids[3] ?? ''), ids.slice(4))
  t.same(await page(ids[4] ?? ''), [])
})

await t.test('a raised epoch is one higher, and a raised global epoch is above all of them', async (t) => {
  const { repository: { users }, repository, pool } = await createTestRepository(t)
  const one = await insertUser(repository, 'one')
  const two = await insertUser(repository, 'two')
  t.equal(await users.raiseEpoch(one.id), 1)
  t.equal(await users.raiseEpoch(one.id), 2)
  t.equal((await users.find(one.id))?.epoch, 2)
  t.equal((await users.find(two.id))?.epoch, 0)

  t.equal(await users.raiseGlobalEpoch(), 2 ** 32)
  t.equal((await users.find(one.id))?.epoch, 2 ** 32 + 2)
  t.equal((await users.find(two.id))?.epoch, 2 ** 32)
  t.equal(await users.raiseEpoch(two.id), 2 ** 32 + 1)
  t.equal(await users.raiseGlobalEpoch(), 2 ** 33)

  const { rows } = await pool.query<{ id: string; epoch: number }>('SELECT id, tessera_effective_epoch(epoch) AS epoch FROM users')
  for (const { id, epoch } of rows) t.equal((await users.find(id))?.epoch, epoch, 'as the schema counts')

  const raised = await Promise.all(times(20, () => users.raiseEpoch(two.id)))
  t.equal(new Set(raised).size, 20, 'no two raises give the same epoch')
})

await t.test('while a user is held nobody else ends the sessions or opens one, and reading goes on', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const other = await insertUser(repository, 'joe')
  let raised: number | null | undefined
  let raising: Promise<unknown> = Promise.resolve()
  await repository.transaction(async ({ users }) => {
    t.match(await users.hold(user.id), { id: user.id, epoch: 0 })
    raising = repository.users.raiseEpoch(user.id).then((epoch) => {
      raised = epoch
    })
    await untilSomebodyWaits(pool)
    await openSession(repository, other)
    t.match(await repository.users.find(user.id), { epoch: 0 })
    t.equal(raised, undefined)
  })
  await raising
  t.equal(raised, 1)
  for (const id of [...malformedIds, unknownId]) t.equal(await repository.transaction(({ users }) => users.hold(id)), null)
})

await t.test('status and role are changed, and a deleted user leaves nothing behind but the audit trail', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const { users, credentials, attempts, audit, sessions } = repository
  t.equal(await users.isEmpty(), true)
  const user = await insertUser(repository, 'jane')
  t.equal(await users.isEmpty(), false)
  t.equal(await users.setRole(user.id, 'admin'), true)
  t.match(await users.find(user.id), { role: 'admin' })

  const session = await openSession(repository, user)
  await credentials.setPassword(user.id, fakeHash())
  await credentials.enableTotp(user.id, Buffer.from('s'), 0, [Buffer.from('a')])
  await users.rememberNetwork(user.id, '203.0.113.7')
  await credentials.saveTotpEnrolment(session.session.id, Buffer.from('s'), 600)
  const policy = { freeFailures: 5, firstWaitSeconds: 30, longestWaitSeconds: 900, pinFailures: 10, reservationSeconds: 10 }
  await attempts.reserve({ subject: user.id, origin: 'known' }, 'pin', policy)
  await audit.append({ type: 'login_succeeded', actor: { kind: 'user', id: user.id }, userId: user.id })

  t.equal(await users.setStatus(user.id, 'suspended'), true)
  t.match(await users.find(user.id), { status: 'suspended' })
  t.equal(await users.delete(user.id), true)
  t.equal(await users.delete(user.id), false)
  t.equal(await sessions.find(session.session.id), null)
  for (const table of ['passwords', 'totp', 'recovery_codes', 'known_origins', 'totp_enrolments', 'attempts', 'sessions']) {
    t.equal((await pool.query(`SELECT 1 FROM ${table}`)).rowCount, 0, `${table} is empty`)
  }
  t.match(await audit.list({ before: null, limit: 10 }), [{ userId: user.id }])
})

await t.test('who is deleted meanwhile gets no credential and causes no error', async (t) => {
  const { repository: { users, credentials }, repository } = await createTestRepository(t)
  for (const round of times(10, (index) => index)) {
    const user = await insertUser(repository, `user-${round}`)
    await Promise.all([
      users.delete(user.id),
      users.rememberNetwork(user.id, '203.0.113.7'),
      credentials.setPassword(user.id, fakeHash()),
      credentials.setPin(user.id, { hash: fakeHash(), pepperKid: 'pepper-1' }),
      credentials.enableTotp(user.id, Buffer.from('s'), 0, [Buffer.from('a')]),
      repository.sessions.open({
        id: uuid(), userId: user.id, dialect: 'pin', amr: ['pin'], ip: '::1', userAgent: null, epoch: 0, lifetimeSeconds: 9, idleSeconds: null,
      }),
    ])
    t.equal(await users.find(user.id), null)
  }
})
