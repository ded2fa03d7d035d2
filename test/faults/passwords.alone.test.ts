import t from 'tap'
import { createHashQueue } from '../../src/domain/hash-queue.js'
import { createHasher, type Hasher } from '../../src/domain/passwords.js'
import { quantile } from '../support/statistics.js'

const cheap = { memoryKiB: 1024, timeCost: 1, parallelism: 1 }
const dear = { memoryKiB: 65_536, timeCost: 3, parallelism: 1 }
const dearText = 'm=65536,t=3,p=1'
const who = { address: 'somewhere', account: 'somebody' }

const newHasher = (cost: typeof cheap) => createHasher(cost, createHashQueue({ concurrency: 1, capacity: 8, longestWaitMs: 60_000 }), () => performance.now())

/** Milliseconds, at the least of so many times: whatever else the machine does only adds to it. */
async function leastMs(count: number, act: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i += 1) {
    const startedAt = performance.now()
    await act()
    times.push(performance.now() - startedAt)
  }
  return Math.min(...times)
}

/** How long the dear hash takes here at the least. */
const leastOfDear = async (hasher: Hasher) => {
  const hash = await hasher.hash('a password', who)
  return leastMs(5, () => hasher.verify(hash, 'a password', who))
}

for (const [which, today, stored] of [['cheaper', dear, cheap], ['dearer', cheap, dear]] as const) {
  await t.test(`a stored hash that is ${which} than today's: a right password without the second factor takes as long as a wrong one [attack:password-confirmed-by-time]`, async (t) => {
    const floorMs = await leastOfDear(await newHasher(dear))
    const hash = await (await newHasher(stored)).hash('right', who)
    const hasher = await newHasher(today)
    await hasher.learnStoredCosts([dearText])
    const refusals = {
      'a wrong password': () => hasher.verify(hash, 'wrong', who),
      'the right one, and no code': () => hasher.verify(hash, 'right', { ...who, accepts: () => false }),
      'nobody': () => hasher.verify(null, 'right', who),
    }
    for (const [what, act] of Object.entries(refusals)) t.ok((await leastMs(3, act)) >= floorMs * 0.9, `${what}: no less than ${floorMs.toFixed(1)} ms`)
  })
}

await t.test('whoever gets in does not wait for the floor', async (t) => {
  const hash = await (await newHasher(cheap)).hash('right', who)
  const hasher = await newHasher(dear)
  const floorMs = await leastMs(2, () => hasher.verify(null, 'x', who))
  t.equal(await hasher.verify(hash, 'right', { ...who, accepts: () => true }), true)
  t.ok((await leastMs(5, () => hasher.verify(hash, 'right', who))) < floorMs / 2)
})

await t.test('the first guess at a hash dearer than any that was known sets the floor for all', async (t) => {
  const dearHash = await (await newHasher(dear)).hash('right', who)
  const hasher = await newHasher(cheap)
  const before = await leastMs(3, () => hasher.verify(null, 'x', who))
  await hasher.verify(dearHash, 'wrong', who)
  const after = await leastMs(3, () => hasher.verify(null, 'x', who))
  t.ok(after > 5 * before, `${before.toFixed(1)} ms, then ${after.toFixed(1)} ms`)
})

await t.test('refusals that wait and refusals that work end at the same time [attack:waiting-told-from-working]', async (t) => {
  const cheapHash = await (await newHasher(cheap)).hash('right', who)
  const hasher = await newHasher(dear)
  const waited: number[] = []
  const worked: number[] = []
  for (let i = 0; i < 12; i += 1) {
    waited.push(await leastMs(1, () => hasher.verify(cheapHash, 'wrong', who)))
    worked.push(await leastMs(1, () => hasher.verify(null, 'wrong', who)))
  }
  const [one, other] = [quantile(waited, 0.5), quantile(worked, 0.5)]
  t.ok(Math.abs(one - other) < 0.25 * other, `${one.toFixed(1)} ms waited, ${other.toFixed(1)} ms worked`)
})
