import t from 'tap'
import type { Revocation } from '../../src/domain/model.js'
import { createRevocationLog } from '../../src/domain/revocation-log.js'

const createdAt = new Date('2030-01-01T00:00:00Z')
const revocation = (seq: number): Revocation => ({ seq, kind: 'session', subject: String(seq), epoch: null, survivor: null, createdAt, expiresAt: new Date(Date.now() + 3_600_000) })
const cursorAt = (seq: number): string => `${seq}-${createdAt.getTime()}`

/** As `GET /revocations` does. */
async function longPoll(log: ReturnType<typeof createRevocationLog>, cursor: string, waitMs: number) {
  await log.waitForNews(cursor, waitMs)
  const { resync, revocations } = log.read(cursor)
  return { resync, subjects: revocations.map(({ subject }) => subject) }
}

await t.test('a reader whom another node has told more waits for this one to catch up, and is not sent through everything', async (t) => {
  const log = createRevocationLog()
  log.append(revocation(1))
  const answer = longPoll(log, cursorAt(3), 60_000)
  for (const seq of [2, 3]) log.append(revocation(seq))
  await new Promise((resolve) => setImmediate(resolve))
  log.append(revocation(4))
  t.strictSame(await answer, { resync: false, subjects: ['4'] })
})

await t.test('whoever is ahead for good is told everything after the wait, and whoever is behind at once', async (t) => {
  const log = createRevocationLog()
  for (const seq of [1, 2]) log.append(revocation(seq))
  t.strictSame(await longPoll(log, cursorAt(3), 20), { resync: true, subjects: ['1', '2'] })
  t.strictSame(await longPoll(log, cursorAt(1), 60_000), { resync: false, subjects: ['2'] })
  t.strictSame(await longPoll(log, 'nonsense', 60_000), { resync: true, subjects: ['1', '2'] })
})

await t.test('a restored database that counts from below is news from the beginning', async (t) => {
  const log = createRevocationLog()
  for (const seq of [1, 2, 3]) log.append(revocation(seq))
  log.append({ ...revocation(2), createdAt: new Date('2030-02-01T00:00:00Z') })
  t.strictSame(await longPoll(log, cursorAt(2), 60_000), { resync: true, subjects: ['2'] })
})

await t.test('a log that is closed lets everybody go', async (t) => {
  const log = createRevocationLog()
  const waiting = longPoll(log, '0', 60_000)
  log.close()
  t.strictSame(await waiting, { resync: false, subjects: [] })
})
