import t from 'tap'
import { createLines } from '../../src/domain/lines.js'
import { createTurns } from '../../src/domain/turns.js'
import { times } from '../support/repository.js'

const newLines = (options: { capacity?: number; longestWaitMs?: number } = {}) => {
  const turnedAway = { full: 0, late: 0 }
  const lines = createLines({
    capacity: 100,
    longestWaitMs: 60_000,
    onFull: () => Promise.resolve(void (turnedAway.full += 1)),
    onLate: () => { turnedAway.late += 1 },
    ...options,
  })
  return { lines, turnedAway }
}

await t.test('so many are abreast, the others come in their order, and one line is not in the way of another', async (t) => {
  const { lines, turnedAway } = newLines()
  const inside: number[] = []
  const done: number[] = []
  let most = 0
  const work = (index: number) => async () => {
    inside.push(index)
    most = Math.max(most, inside.length)
    await new Promise((resolve) => setTimeout(resolve, 1))
    inside.splice(inside.indexOf(index), 1)
    done.push(index)
  }
  const all = times(20, (index) => lines.pass('one', { abreast: 3, waiting: 30 }, work(index)))
  await lines.pass('another', { abreast: 1, waiting: 0 }, () => Promise.resolve())
  t.ok(done.length < 20, 'the other line did not wait for this one')
  await Promise.all(all)
  t.equal(most, 3)
  t.same(done, times(20, (index) => index))
  t.same(turnedAway, { full: 0, late: 0 })
})

await t.test('a full line turns away, a failure makes room, and who waits too long is told', async (t) => {
  const { lines, turnedAway } = newLines({ longestWaitMs: 20 })
  const limits = { abreast: 1, waiting: 1 }
  let fail: () => void = () => undefined
  const first = lines.pass('one', limits, () => new Promise((_resolve, reject) => { fail = () => { reject(new Error('no')) } }))
  const second = lines.pass('one', limits, () => Promise.resolve('second'))
  await t.rejects(lines.pass('one', limits, () => Promise.resolve()), { code: 'unavailable' })
  await t.rejects(second, { code: 'unavailable' }, 'too long')
  t.same(turnedAway, { full: 1, late: 1 })
  const third = lines.pass('one', limits, () => Promise.resolve('third'))
  fail()
  await t.rejects(first)
  t.equal(await third, 'third')
})

await t.test('all lines together hold so many', async (t) => {
  const { lines } = newLines({ capacity: 2 })
  const limits = { abreast: 1, waiting: 10 }
  const ends: (() => void)[] = []
  const work = () => new Promise<void>((resolve) => ends.push(resolve))
  const held = times(3, (index) => lines.pass(`line ${index}`, limits, work))
  const waiting = times(2, (index) => lines.pass(`line ${index}`, limits, () => Promise.resolve()))
  await t.rejects(lines.pass('line 2', limits, () => Promise.resolve()), { code: 'unavailable' })
  for (const end of ends) end()
  await Promise.all([...held, ...waiting])
})

await t.test('groups are served in turn at every level, however many wait in one', (t) => {
  const turns = createTurns<string>()
  for (const n of [1, 2, 3, 4]) turns.add(['unknown', 'wide', `narrow ${n % 2}`], `flood ${n}`)
  turns.add(['unknown', 'elsewhere', 'there'], 'stranger')
  turns.add(['known', 'home'], 'owner')
  turns.remove(['unknown', 'wide', 'narrow 0'], 'flood 4')
  t.equal(turns.size, 5)
  t.same(times(6, () => turns.next()), ['flood 1', 'owner', 'stranger', 'flood 2', 'flood 3', undefined])
  t.equal(turns.size, 0)
  t.end()
})
