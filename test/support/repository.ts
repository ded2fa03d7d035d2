import { randomBytes } from 'node:crypto'
import { v7 as uuid } from 'uuid'
import type { Revocation, SessionState, User } from '../../src/domain/model.js'
import type { NewSession, NewUser, Repository } from '../../src/domain/ports.js'
import { createPool, createRepository, type Pool } from '../../src/repository/index.js'
import { createTestClock, type TestClock } from './clock.js'
import { createTestDatabase, type TestDatabase } from './database.js'

export interface TestRepository {
  readonly database: TestDatabase
  readonly pool: Pool
  readonly repository: Repository
  readonly clock: TestClock
  /** What this node was told to obey. */
  readonly revoked: Revocation[]
}

/** The least that the bound of a fresh database is. */
export const longestTokenSeconds = 3600

/** Longer than anything should take: how fast the machine is does not matter to a test, and `pool.test.ts` sees to the limits. */
export const patience = { acquireMs: 20_000, lockMs: 20_000, statementMs: 20_000, answerMs: 25_000 }

/** A repository over a database of its own, whose time the clock moves. */
export async function createTestRepository(
  t: Parameters<typeof createTestDatabase>[0],
  { max = 10 }: { max?: number } = {},
): Promise<TestRepository> {
  const database = await createTestDatabase(t)
  const pool = createPool({ connectionString: database.connectionString, max, limits: patience })
  t.teardown(() => pool.end())
  const clock = createTestClock()
  clock.attach(pool)
  const revoked: Revocation[] = []
  const repository = createRepository(pool, {
    onRevoked: (revocation) => {
      revoked.push(revocation)
    },
  })
  return { database, pool, repository, clock, revoked }
}

/** What no user, session or key has. */
export const unknownId = '01890000-0000-7000-8000-000000000000'
export const malformedIds = ['', 'x', '42', `${unknownId} `, `{${unknownId}}`, "' OR 1=1 --", '0'.repeat(36), '\0']

export const newUser = (username: string, changes: Partial<NewUser> = {}): NewUser => ({
  id: uuid(),
  username: { given: username, canonical: username.toLowerCase(), folded: username.toLowerCase() },
  email: null,
  role: 'user',
  ...changes,
})

export async function insertUser(repository: Repository, username: string, changes: Partial<NewUser> = {}): Promise<User> {
  const user = newUser(username, changes)
  await repository.users.insert(user)
  const found = await repository.users.find(user.id)
  if (!found) throw new Error('the user was not inserted')
  return found
}

export const newSession = (user: User, changes: Partial<NewSession> = {}): NewSession => ({
  id: uuid(),
  userId: user.id,
  dialect: 'pin',
  amr: ['pin'],
  ip: '203.0.113.7',
  userAgent: 'curl/8.0',
  epoch: user.epoch,
  lifetimeSeconds: 1000,
  idleSeconds: null,
  ...changes,
})

export async function openSession(repository: Repository, user: User, changes: Partial<NewSession> = {}): Promise<SessionState> {
  const state = await repository.sessions.open(newSession(user, changes))
  if (!state) throw new Error('the session was not opened')
  return state
}

/** In the form of argon2's own, with nothing behind it. */
export const fakeHash = (cost = 'm=19456,t=2,p=1') =>
  `$argon2id$v=19$${cost}$${randomBytes(16).toString('base64url')}$${randomBytes(32).toString('base64url')}`

export const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))

/** One after the other. */
export async function repeat(count: number, act: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < count; done += 1) await act()
}

/** Resolves when so many statements in the pool's database wait for a lock. */
export async function untilSomebodyWaits(pool: Pool, howMany = 1): Promise<void> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const { rowCount } = await pool.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    if ((rowCount ?? 0) >= howMany) return
    if (Date.now() > giveUpAt) throw new Error('nobody waits for a lock')
  }
}
