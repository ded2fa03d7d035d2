import t from 'tap'
import type { NewRevocation } from '../../src/domain/model.js'
import type { TokenIdentity } from '../../src/domain/ports.js'
import { createTestRepository, longestTokenSeconds, repeat, times, unknownId, untilSomebodyWaits } from '../support/repository.js'

const survivor = '01890000-0000-7000-8000-00000000000a'

const token = (changes: Partial<TokenIdentity> = {}): TokenIdentity => ({
  kind: 'session', subject: 'user-1', sessionId: 'session-1', epoch: 5, tokenId: 'token-1', ...changes,
})

await t.test('a revocation is read back as it was announced, until no token is left that it could concern', async (t) => {
  const { repository: { revocations }, revoked, clock } = await createTestRepository(t)
  await revocations.announce({ kind: 'session', subject: 'a' })
  await revocations.announce({ kind: 'user', subject: 'b', epoch: 2 ** 32 + 7, survivor })
  await revocations.announce({ kind: 'user', subject: 'b', epoch: 8, survivor: null })
  await revocations.announce({ kind: 'client', subject: 'c', epoch: 1 })
  await revocations.announce({ kind: 'all', epoch: 2 ** 33 })
  const rows = await revocations.after(0)
  t.match(rows, [
    { seq: 1, kind: 'session', subject: 'a', epoch: null, survivor: null },
    { seq: 2, kind: 'user', subject: 'b', epoch: 2 ** 32 + 7, survivor },
    { seq: 3, kind: 'user', subject: 'b', epoch: 8, survivor: null },
    { seq: 4, kind: 'client', subject: 'c', epoch: 1, survivor: null },
    { seq: 5, kind: 'all', subject: '*', epoch: 2 ** 33, survivor: null },
  ])
  t.same(rows, revoked, 'this node was told the same')
  for (const { createdAt, expiresAt } of rows) t.equal(expiresAt.getTime() - createdAt.getTime(), (longestTokenSeconds + 60) * 1000)
  t.same((await revocations.after(3)).map(({ seq }) => seq), [4, 5])

  await clock.advance(longestTokenSeconds + 50)
  t.equal((await revocations.after(0)).length, 5)
  await clock.advance(11)
  t.same(await revocations.after(0), [])
})

await t.test('every node hears the number of a revocation when it is committed', async (t) => {
  const { repository, database } = await createTestRepository(t)
  const listener = await database.client()
  const heard: (string | undefined)[] = []
  listener.on('notification', ({ payload }) => heard.push(payload))
  await listener.query('LISTEN tessera')
  await repository.transaction(async ({ revocations }) => {
    await revocations.announce({ kind: 'session', subject: 'a' })
    await revocations.announce({ kind: 'session', subject: 'b' })
    await listener.query('SELECT 1')
    t.same(heard, [])
  })
  await listener.query('SELECT 1')
  t.same(heard.map((payload): unknown => JSON.parse(payload ?? '')), [{ revocation: 1 }, { revocation: 2 }])
})

await t.test('numbers become visible in their order: the second writer waits for the first', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  let second: Promise<void> | undefined
  await repository.transaction(async ({ revocations }) => {
    await revocations.announce({ kind: 'session', subject: 'first' })
    second = repository.revocations.announce({ kind: 'session', subject: 'second' })
    await untilSomebodyWaits(pool)
    t.same(await repository.revocations.after(0), [])
  })
  await second
  t.match(await repository.revocations.after(0), [{ seq: 1, subject: 'first' }, { seq: 2, subject: 'second' }])
})

await t.test('a reader that follows many writers misses nothing and sees everything in order', async (t) => {
  const { repository } = await createTestRepository(t, { max: 8 })
  const seen: number[] = []
  const writing = new AbortController()
  const readOn = async () => {
    const rows = await repository.revocations.after(seen.at(-1) ?? 0)
    seen.push(...rows.map(({ seq }) => seq))
  }
  const writer = (name: number) =>
    repeat(15, () =>
      repository.transaction(async ({ revocations, users }) => {
        await revocations.announce({ kind: 'session', subject: `${name}` })
        await users.isEmpty()
        if (Math.random() < 0.2) throw new Error('rolled back')
      }).catch(() => undefined))
  const reading = (async () => {
    while (!writing.signal.aborted) await readOn()
  })()
  await Promise.all(times(6, writer))
  writing.abort()
  await reading
  await readOn()
  const all = (await repository.revocations.after(0)).map(({ seq }) => seq)
  t.same(seen, all)
  t.ok(all.length > 40)
})

await t.test('each kind of revocation ends the tokens that it is about, and no others', async (t) => {
  const cases: [NewRevocation, dead: Partial<TokenIdentity>[], alive: Partial<TokenIdentity>[]][] = [
    [{ kind: 'session', subject: 'session-1' }, [{}, { epoch: 99 }], [{ sessionId: 'session-2' }, { sessionId: 'x', subject: 'session-1' }]],
    [{ kind: 'token', subject: 'token-1' }, [{}], [{ tokenId: 'token-2' }, { tokenId: 'x', sessionId: 'token-1' }]],
    [
      { kind: 'user', subject: 'user-1', epoch: 6, survivor },
      [{}],
      [{ epoch: 6 }, { epoch: 7 }, { subject: 'user-2' }, { sessionId: survivor }, { kind: 'client', subject: 'user-1' }],
    ],
    [{ kind: 'user', subject: 'user-1', epoch: 6, survivor: null }, [{}, { sessionId: survivor }], [{ epoch: 6 }]],
    [{ kind: 'client', subject: 'user-1', epoch: 6 }, [{ kind: 'client' }], [{}, { kind: 'client', epoch: 6 }]],
    [{ kind: 'all', epoch: 6 }, [{}, { subject: 'user-2', sessionId: 's', tokenId: 't' }, { kind: 'client' }], [{ epoch: 6 }]],
    [{ kind: 'api_key', subject: 'session-1' }, [], [{}, { kind: 'client', sessionId: 'session-1' }]],
  ]
  for (const [revocation, dead, alive] of cases) {
    const { repository: { revocations }, clock } = await createTestRepository(t)
    t.equal(await revocations.isTokenDead(token()), false)
    await revocations.announce(revocation)
    for (const one of dead) t.equal(await revocations.isTokenDead(token(one)), true, `${revocation.kind} ends ${JSON.stringify(one)}`)
    for (const one of alive) t.equal(await revocations.isTokenDead(token(one)), false, `${revocation.kind} spares ${JSON.stringify(one)}`)
    await clock.advance(longestTokenSeconds + 61)
    t.equal(await revocations.isTokenDead(token()), false, 'what has expired is not looked at')
  }
})

await t.test('no token, however odd, makes the question fail', async (t) => {
  const { repository: { revocations } } = await createTestRepository(t)
  await revocations.announce({ kind: 'all', epoch: 1 })
  for (const odd of ['*', '', "' OR 1=1 --", unknownId]) {
    t.equal(await revocations.isTokenDead(token({ subject: odd, sessionId: odd, tokenId: odd })), false)
  }
})
