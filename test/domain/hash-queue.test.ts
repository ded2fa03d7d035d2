import t from 'tap'
import { createHashQueue, type Fairness } from '../../src/domain/hash-queue.js'
import { times } from '../support/repository.js'

const unavailable = { code: 'unavailable' }
const who = (address: string, account = address): Fairness => ({ address, account })

/** Work that ends when it is told to. */
function work() {
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  return { run: () => ended, end: () => { end() } }
}

await t.test('who enters has room in the queue; past it everybody is turned away, a moment later, and nobody at the same one', async (t) => {
  const queue = createHashQueue({ concurrency: 1, capacity: 4, longestWaitMs: 60_000 })
  const places = await Promise.all(times(5, (index) => queue.enter(`address ${index}`)))
  const startedAt = performance.now()
  const tookMs = await Promise.all(
    times(20, async () => {
      await t.rejects(queue.enter('one more'), unavailable)
      return Math.round(performance.now() - startedAt)
    }),
  )
  t.ok(Math.min(...tookMs) >= 20 && Math.max(...tookMs) - Math.min(...tookMs) >= 10, tookMs.join())
  places[0]?.leave()
  places[0]?.leave()
  const place = await queue.enter('one more')
  await t.rejects(queue.enter('another one'), unavailable, 'to leave twice makes room once')
  t.equal(await queue.run({ ...who('one more'), place }, () => Promise.resolve('hashed')), 'hashed')
  await queue.enter('another one')
})

await t.test('one address may hold half of the places, and one account a quarter', async (t) => {
  const queue = createHashQueue({ concurrency: 1, capacity: 8, longestWaitMs: 60_000 })
  const first = work()
  const running = queue.run(who('somebody'), first.run)
  await Promise.all(times(4, () => queue.enter('flood')))
  await t.rejects(queue.enter('flood'), unavailable)
  const place = await queue.enter('somebody else')
  const waiting = [queue.run({ ...who('somebody else', 'account'), place }, () => Promise.resolve()), queue.run(who('here', 'account'), () => Promise.resolve())]
  await t.rejects(queue.run(who('there', 'account'), () => Promise.resolve()), unavailable)
  t.equal(queue.waiting, 2)
  first.end()
  await Promise.all([running, ...waiting])
  t.same([queue.running, queue.waiting], [0, 0])
})

await t.test('without a queue, who comes while all are at work is turned away', async (t) => {
  const queue = createHashQueue({ concurrency: 1, capacity: 0, longestWaitMs: 60_000 })
  const place = await queue.enter('a')
  const first = work()
  const running = queue.run({ ...who('a'), place }, first.run)
  await t.rejects(queue.enter('b'), unavailable)
  first.end()
  await running
  await queue.enter('b')
})

await t.test('many small networks of one large one share a bound, strangers leave room for who is known, and the two take turns', async (t) => {
  const queue = createHashQueue({ concurrency: 1, capacity: 16, longestWaitMs: 60_000 })
  const first = work()
  const running = queue.run(who('busy'), first.run)
  const of48 = (n: number) => `2001:db8:7:${n.toString(16)}::/64`
  const inOne48 = await Promise.all(times(10, (n) => queue.enter(of48(n * 256), 'unknown')))
  await t.rejects(queue.enter(of48(0xff00), 'unknown'), unavailable, 'ten of sixteen: the /48 has its share')
  await Promise.all(times(2, (n) => queue.enter(`2001:db8:${n + 8}:1::/64`, 'unknown')))
  await t.rejects(queue.enter('203.0.113.1', 'unknown'), unavailable, 'strangers have theirs')
  const order: string[] = []
  const note = (what: string) => () => Promise.resolve(void order.push(what))
  const owners = await Promise.all(times(2, () => queue.enter(of48(1), 'known')))
  const all = [
    ...inOne48.slice(0, 3).map((place, n) => queue.run({ ...who(of48(n * 256), 'account'), standing: 'unknown', place }, note('stranger'))),
    ...owners.map((place) => queue.run({ ...who(of48(1), 'account'), standing: 'known', place }, note('owner'))),
  ]
  first.end()
  await Promise.all([running, ...all])
  t.same(order, ['stranger', 'owner', 'stranger', 'owner', 'stranger'])
})

await t.test('the share of strangers in an account leaves that of its owner alone', async (t) => {
  const queue = createHashQueue({ concurrency: 1, capacity: 8, longestWaitMs: 60_000 })
  const first = work()
  const running = queue.run(who('busy'), first.run)
  const guess = (n: number) => queue.run({ ...who(`203.0.${n}.1`, 'account'), standing: 'unknown' }, () => Promise.resolve())
  const waiting = [guess(1), guess(2)]
  await t.rejects(guess(3), unavailable)
  const owner = queue.run({ ...who('198.51.100.1', 'account'), standing: 'known' }, () => Promise.resolve('in'))
  first.end()
  t.equal(await owner, 'in')
  await Promise.all([running, ...waiting])
})
