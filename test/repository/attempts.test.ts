import t from 'tap'
import type { AttemptCounter, Attempts, LockoutPolicy, Reservation } from '../../src/domain/ports.js'
import type { TestClock } from '../support/clock.js'
import { createTestRepository, repeat, times } from '../support/repository.js'

const policy: LockoutPolicy = { freeFailures: 5, firstWaitSeconds: 30, longestWaitSeconds: 900, pinFailures: 10, reservationSeconds: 10 }
const known: AttemptCounter = { subject: '0190a0a0-0000-7000-8000-000000000001', origin: 'known' }
const unknown: AttemptCounter = { ...known, origin: 'unknown' }
type Factor = 'password' | 'pin'

const idOf = (reservation: Reservation): string => {
  if (reservation.verdict !== 'granted') throw new Error(`not granted but ${reservation.verdict}`)
  return reservation.id
}
const verdicts = (reservations: readonly Reservation[], verdict: string) => reservations.filter((one) => one.verdict === verdict).length

/** One evaluated wrong guess. */
async function fail(attempts: Attempts, counter: AttemptCounter, factor: Factor = 'password') {
  const id = idOf(await attempts.reserve(counter, factor, policy))
  await attempts.settleFailure(counter, id, factor, policy)
}

async function succeed(attempts: Attempts, counter: AttemptCounter, factor: Factor = 'password') {
  await attempts.settleSuccess(counter, idOf(await attempts.reserve(counter, factor, policy)), policy)
}

const verdictOf = async (attempts: Attempts, counter: AttemptCounter, factor: Factor = 'password') => {
  const reservation = await attempts.reserve(counter, factor, policy)
  if (reservation.verdict === 'granted') await attempts.release(counter, reservation.id)
  return reservation.verdict
}

await t.test('case 31: five failures are free, the fifth begins a wait of 30 s, each further one doubles it up to 15 min', async (t) => {
  const { repository: { attempts }, clock } = await createTestRepository(t)
  await repeat(5, () => fail(attempts, known))
  for (const waitSeconds of [30, 60, 120, 240, 480, 900, 900]) {
    t.equal(await verdictOf(attempts, known), 'locked')
    await clock.advance(waitSeconds - 3)
    t.equal(await verdictOf(attempts, known), 'locked', `still locked shortly before ${waitSeconds} s`)
    await clock.advance(3)
    await fail(attempts, known)
  }
})

await t.test('thousands of failures do not break the doubling', async (t) => {
  const { repository: { attempts }, pool, clock } = await createTestRepository(t)
  await fail(attempts, known)
  await pool.query('UPDATE attempts SET failures = 1000000')
  await fail(attempts, known)
  t.equal(await verdictOf(attempts, known), 'locked')
  await clock.advance(900)
  t.equal(await verdictOf(attempts, known), 'granted')
})

await t.test('a success begins the count anew', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  await repeat(4, () => fail(attempts, known))
  await succeed(attempts, known)
  await repeat(4, () => fail(attempts, known))
  t.equal(await verdictOf(attempts, known), 'granted')
  await fail(attempts, known)
  t.equal(await verdictOf(attempts, known), 'locked')
})

await t.test('parallel guesses are evaluated no more often than failures are free', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  const reservations = await Promise.all(times(100, () => attempts.reserve(known, 'password', policy)))
  t.equal(verdicts(reservations, 'granted'), 5)
  t.equal(verdicts(reservations, 'busy'), 95)
  const granted = reservations.filter((one) => one.verdict === 'granted').map(idOf)
  t.equal(new Set(granted).size, 5)

  await Promise.all(granted.slice(0, 4).map((id) => attempts.settleFailure(known, id, 'password', policy)))
  t.equal(await verdictOf(attempts, known), 'busy', 'the last free guess is still being evaluated')
  await attempts.settleFailure(known, granted[4] ?? '', 'password', policy)
  t.equal(await verdictOf(attempts, known), 'locked')
})

await t.test('after a wait one guess is evaluated at a time', async (t) => {
  const { repository: { attempts }, clock } = await createTestRepository(t)
  await repeat(5, () => fail(attempts, known))
  await clock.advance(31)
  const reservations = await Promise.all(times(20, () => attempts.reserve(known, 'password', policy)))
  t.equal(verdicts(reservations, 'granted'), 1)
  t.equal(verdicts(reservations, 'busy'), 19)
})

await t.test('case 31: six right logins at once are no failure', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  const login = async (): Promise<void> => {
    const reservation = await attempts.reserve(known, 'password', policy)
    return reservation.verdict === 'granted' ? attempts.settleSuccess(known, reservation.id, policy) : login()
  }
  await Promise.all(times(6, login))
  await repeat(4, () => fail(attempts, known))
  t.equal(await verdictOf(attempts, known), 'granted')
})

await t.test('an attempt that was never evaluated gives its place back', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  const ids = (await Promise.all(times(5, () => attempts.reserve(known, 'password', policy)))).map(idOf)
  t.equal(await verdictOf(attempts, known), 'busy')
  await attempts.release(known, ids[0] ?? '')
  t.equal(await verdictOf(attempts, known), 'granted')
})

await t.test('a reservation whose node died stops counting, but its failure counts when it comes after all', async (t) => {
  const { repository: { attempts }, clock, pool } = await createTestRepository(t)
  const ids = (await Promise.all(times(5, () => attempts.reserve(known, 'password', policy)))).map(idOf)
  await clock.advance(9)
  t.equal(await verdictOf(attempts, known), 'busy')
  await clock.advance(2)
  t.equal(await verdictOf(attempts, known), 'granted')
  const { rows: [row] } = await pool.query<{ pending: object }>('SELECT pending FROM attempts')
  t.same(row?.pending, {}, 'what is over is not kept')
  for (const id of ids) await attempts.settleFailure(known, id, 'password', policy)
  t.equal(await verdictOf(attempts, known), 'locked')
})

await t.test('case 31: a stranger\'s guesses do not lock the owner out', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  await repeat(5, () => fail(attempts, unknown))
  t.equal(await verdictOf(attempts, unknown), 'locked')
  t.equal(await verdictOf(attempts, known), 'granted')
  await succeed(attempts, known)
  t.equal(await verdictOf(attempts, unknown), 'locked', 'nor does the owner\'s success free the stranger')
})

await t.test('a failure that was not evaluated changes nothing', async (t) => {
  const { repository: { attempts }, pool } = await createTestRepository(t)
  const row = async () => (await pool.query<object>('SELECT * FROM attempts')).rows
  await attempts.settleFailure(known, null, 'pin', policy)
  t.same(await row(), [], 'not even for who never tried before')
  await repeat(4, () => fail(attempts, known, 'pin'))
  idOf(await attempts.reserve(known, 'pin', policy))
  const before = await row()
  await attempts.settleFailure(known, null, 'pin', policy)
  await attempts.settleFailure(known, null, 'password', policy)
  t.same(await row(), before)
})

/** Guesses PINs, waiting as long as it takes, until it is no use any more. */
async function guessPins(attempts: Attempts, counter: AttemptCounter, clock: TestClock) {
  let evaluated = 0
  for (;;) {
    const reservation = await attempts.reserve(counter, 'pin', policy)
    if (reservation.verdict === 'pin_closed' || evaluated > 20) return evaluated
    if (reservation.verdict === 'granted') {
      evaluated += 1
      await attempts.settleFailure(counter, reservation.id, 'pin', policy)
    } else await clock.advance(901)
  }
}

await t.test('ten wrong PINs in a row close the PIN for their origin, and nothing but a new PIN opens it', async (t) => {
  const { repository: { attempts }, clock } = await createTestRepository(t)
  t.equal(await guessPins(attempts, unknown, clock), 10)
  t.equal(await verdictOf(attempts, unknown, 'password'), 'granted', 'other factors go on')
  t.equal(await verdictOf(attempts, known, 'pin'), 'granted', 'so does the other origin')
  await succeed(attempts, unknown, 'password')
  t.equal(await verdictOf(attempts, unknown, 'pin'), 'pin_closed')
  await attempts.unlock(unknown.subject)
  t.equal(await verdictOf(attempts, unknown, 'pin'), 'pin_closed')
  await attempts.reopenPin(unknown.subject)
  t.equal(await verdictOf(attempts, unknown, 'pin'), 'granted')
})

await t.test('a lock is told before a closed PIN', async (t) => {
  const { repository: { attempts }, clock } = await createTestRepository(t)
  await guessPins(attempts, known, clock)
  const id = idOf(await attempts.reserve(known, 'password', policy))
  await attempts.settleFailure(known, id, 'password', policy)
  t.equal(await verdictOf(attempts, known, 'pin'), 'locked')
})

await t.test('a success starts the count of wrong PINs anew, wrong passwords do not count as wrong PINs', async (t) => {
  const { repository: { attempts }, clock, pool } = await createTestRepository(t)
  await repeat(4, () => fail(attempts, known, 'pin'))
  for (const factor of ['password', 'pin', 'password'] as const) {
    await clock.advance(901)
    await fail(attempts, known, factor)
  }
  const { rows: [row] } = await pool.query<object>('SELECT failures, pin_failures FROM attempts')
  t.same(row, { failures: 7, pin_failures: 5 })
  await clock.advance(901)
  await succeed(attempts, known, 'password')
  t.same((await pool.query('SELECT failures, pin_failures FROM attempts')).rows, [{ failures: 0, pin_failures: 0 }])
})

await t.test('parallel guesses at a PIN are evaluated no more often than it stays open', async (t) => {
  const { repository: { attempts } } = await createTestRepository(t)
  const generous = { ...policy, freeFailures: 100 }
  const first = await Promise.all(times(8, () => attempts.reserve(known, 'pin', generous)))
  for (const id of first.map(idOf)) await attempts.settleFailure(known, id, 'pin', generous)
  const reservations = await Promise.all(times(50, () => attempts.reserve(known, 'pin', generous)))
  t.equal(verdicts(reservations, 'granted'), 2)
  t.equal(verdicts(reservations, 'busy'), 48)
  for (const one of reservations) if (one.verdict === 'granted') await attempts.settleFailure(known, one.id, 'pin', generous)
  t.equal((await attempts.reserve(known, 'pin', generous)).verdict, 'pin_closed')
})

await t.test('unlocking lifts the waits of both origins and keeps the count of wrong PINs', async (t) => {
  const { repository: { attempts }, pool } = await createTestRepository(t)
  for (const counter of [known, unknown]) {
    await repeat(5, () => fail(attempts, counter, 'pin'))
    t.equal(await verdictOf(attempts, counter), 'locked')
  }
  const stranger: AttemptCounter = { subject: 'unknown:abc', origin: 'unknown' }
  await repeat(5, () => fail(attempts, stranger))
  await attempts.unlock(known.subject)
  for (const counter of [known, unknown]) t.equal(await verdictOf(attempts, counter), 'granted')
  t.equal(await verdictOf(attempts, stranger), 'locked')
  const { rows } = await pool.query<object>('SELECT failures, pin_failures FROM attempts WHERE subject = $1', [known.subject])
  t.same(rows, [{ failures: 0, pin_failures: 5 }, { failures: 0, pin_failures: 5 }])
})
