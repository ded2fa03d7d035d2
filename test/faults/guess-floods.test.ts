import t, { type Test } from 'tap'
import { startTestApp, type TestApp } from '../support/app.js'
import { everyDialect, newPerson, type Person } from '../support/dialect-clients.js'
import { goodBody, knock } from '../support/login-doors.js'
import { times } from '../support/repository.js'

const environment = { TRUST_PROXY: '127.0.0.1', HASH_CONCURRENCY: '2' }
const node = await startTestApp(t, { environment })
const other = await startTestApp(t, { environment, database: node.database, clock: node.clock })

const from = (ip: string) => ({ 'x-forwarded-for': ip })
const home = from('2001:db8:ffff:1::7')
const wrong = (person: Person) => ({ ...goodBody('bearer', person), password: 'a wrong password' })

/** Counts comparisons with the hash that is stored, by sort of origin. */
function countReal(t: Test, on: TestApp) {
  const { hasher } = on.core.service
  const kept = { ...hasher }
  const counts = { known: 0, unknown: 0 }
  hasher.verify = (stored, secret, comparison) => {
    if (stored !== null) counts[comparison.standing ?? 'known'] += 1
    return kept.verify(stored, secret, comparison)
  }
  t.teardown(() => Object.assign(hasher, kept))
  return counts
}

const lanes = 60
/** How long a connection takes to open, on a machine that is busy with other things, is no matter here. */
const openConnections = ({ core, config }: TestApp) => Promise.all(times(config.databasePool, () => core.pool.query('SELECT pg_sleep(0.3)')))

/** Guesses at one name, so many at a time, without a pause, until it is stopped. @returns how many were answered, by status */
function flood(on: TestApp, body: () => object, address: (n: number) => string) {
  let isOver = false
  let guess = 0
  const statuses: Record<number, number> = {}
  const running = times(lanes, async () => {
    while (!isOver) {
      guess += 1
      const { status } = await knock(on, 'bearer', body(), from(address(guess)))
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  })
  return {
    stop: async () => {
      isOver = true
      await Promise.all(running)
      return statuses
    },
  }
}

const hex = (n: number): string => n.toString(16)
const floods: Record<string, (n: number) => string> = {
  'many /64 of one /48': (n) => `2001:db8:7:${hex(n % 65_536)}::1`,
  'many /48': (n) => `2001:db8:${hex(n % 60_000)}:1::1`,
  'many IPv4 addresses': (n) => `10.${(n >> 16) % 256}.${(n >> 8) % 256}.${n % 256}`,
}

for (const [which, address] of Object.entries(floods)) {
  await t.test(`the owner at home logs in 12 times of 12 while guesses at the name come from ${which} [attack:guesses-from-many-networks]`, { timeout: 240_000 }, async (t) => {
    const person = await newPerson(node)
    t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
    const counts = [countReal(t, node), countReal(t, other)]
    await openConnections(node)
    const startedAt = performance.now()
    const { stop } = flood(node, () => wrong(person), address)
    const mine: number[] = []
    for (let i = 0; i < 12; i += 1) mine.push((await knock(node, everyDialect[i % 4] ?? 'bearer', goodBody(everyDialect[i % 4] ?? 'bearer', person), home)).status)
    const statuses = await stop()
    t.comment(`${which}: ${JSON.stringify(statuses)}`)
    t.same(mine, times(12, () => 200))
    t.ok((statuses[401] ?? 0) + (statuses[503] ?? 0) > 0, 'there was a flood')
    const evaluated = counts.reduce((sum, { unknown }) => sum + unknown, 0)
    // Five, and one more after each wait of 30 s, 60 s and so on that has passed meanwhile.
    const waits = Math.floor(Math.log2((performance.now() - startedAt) / 30_000 + 1))
    t.ok(evaluated <= 5 + waits, `${evaluated} guesses of strangers were evaluated`)
  })
}

await t.test('the owner logs in while guesses at many names come from many networks [attack:guesses-at-many-names]', { timeout: 240_000 }, async (t) => {
  const person = await newPerson(node)
  t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
  await openConnections(node)
  let names = 0
  const { stop } = flood(node, () => ({ username: `nobody${(names += 1)}`, password: 'x' }), (n) => `2001:db8:${hex(n % 60_000)}:1::1`)
  const mine: number[] = []
  for (let i = 0; i < 12; i += 1) mine.push((await knock(node, 'bearer', goodBody('bearer', person), home)).status)
  t.comment(JSON.stringify(await stop()))
  t.same(mine, times(12, () => 200))
})

await t.test('a node that has just started knows where the owner logs in from [attack:guesses-from-many-networks]', { timeout: 240_000 }, async (t) => {
  const person = await newPerson(node)
  t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
  const fresh = await startTestApp(t, { environment, database: node.database, clock: node.clock })
  await openConnections(fresh)
  const { stop } = flood(fresh, () => wrong(person), (n) => `2001:db8:${hex(n % 60_000)}:1::1`)
  const mine: number[] = []
  for (let i = 0; i < 6; i += 1) mine.push((await knock(fresh, 'bearer', goodBody('bearer', person), home)).status)
  await stop()
  t.same(mine, times(6, () => 200))
})

for (const [count, nodes] of [[8, [node]], [64, [node]], [64, [node, other]]] as const) {
  await t.test(`${count} right logins of one account at once from a known origin, over ${nodes.length} node(s): all succeed [attack:right-logins-at-once]`, { timeout: 120_000 }, async (t) => {
    const person = await newPerson(node)
    t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
    for (const dialect of everyDialect) {
      const answers = await Promise.all(times(count, (i) => knock(nodes[i % nodes.length] ?? node, dialect, goodBody(dialect, person), home)))
      t.same(answers.map(({ status }) => status), times(count, () => 200), dialect)
    }
  })
}

await t.test('of wrong and right logins at once from a known origin, over two nodes, no more wrong ones are evaluated than are free [attack:right-logins-at-once]', { timeout: 120_000 }, async (t) => {
  const person = await newPerson(node)
  t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
  const counts = [countReal(t, node), countReal(t, other)]
  const answers = await Promise.all(times(80, (i) => knock(i % 2 === 0 ? node : other, 'bearer', wrong(person), home)))
  t.same(answers.filter(({ status }) => status !== 401 && status !== 503), [])
  const evaluated = counts.reduce((sum, { known }) => sum + known, 0)
  t.ok(evaluated <= 5, `${evaluated} evaluated`)
  t.equal((await knock(other, 'bearer', goodBody('bearer', person), home)).status, 401, 'locked from there')
})
