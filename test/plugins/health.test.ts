import Fastify from 'fastify'
import t, { type Test } from 'tap'
import health, { type HealthOptions } from '../../plugins/health.js'

const good: HealthOptions = {
  clock: { now: () => new Date(1_000_000) },
  database: { time: () => Promise.resolve(new Date(1_000_000)), pendingMigrations: () => Promise.resolve([]) },
  signingKeys: {
    current: () => {
      throw new Error('replaced below')
    },
  },
  revocations: { isFresh: () => true },
  now: () => 0,
}
const key = { kid: 'k', alg: 'ES256', publicJwk: { kid: 'k', kty: 'EC', use: 'sig', alg: 'ES256' }, publicPem: '', privatePem: '', signsFrom: new Date(0) } as const
const wellOptions: HealthOptions = { ...good, signingKeys: { current: () => key } }

async function node(t: Test, changes: Partial<HealthOptions>) {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'info', stream: { write: (line: string) => lines.push(line) } } })
  t.teardown(() => app.close())
  await app.register(health, { ...wellOptions, ...changes })
  await app.ready()
  return { app, lines }
}

const allOk = { database: 'ok', migrations: 'ok', keys: 'ok', revocations: 'ok', clock: 'ok' }
const never = new Promise<never>(() => undefined)
const failing = () => Promise.reject(new Error('password of host db.internal'))

await t.test('a node that has everything is ready', async (t) => {
  const { app } = await node(t, {})
  t.strictSame(await app.readiness(), { status: 'ok', checks: allOk })
})

await t.test('case 67: what is missing is named, and nothing is said about it', async (t) => {
  const { database } = wellOptions
  const away = { database: 'failed', clock: 'failed' }
  const cases: [Partial<HealthOptions>, object][] = [
    [{ database: { ...database, time: failing } }, away],
    [{ database: { ...database, time: () => never } }, away],
    [{ database: { ...database, pendingMigrations: () => Promise.resolve(['0042_more']) } }, { migrations: 'failed' }],
    [{ database: { ...database, pendingMigrations: failing } }, { migrations: 'failed' }],
    [{ signingKeys: good.signingKeys }, { keys: 'failed' }],
    [{ revocations: { isFresh: () => false } }, { revocations: 'failed' }],
    [{ clock: { now: () => new Date(1_005_001) } }, { clock: 'failed' }],
    [{ clock: { now: () => new Date(994_999) } }, { clock: 'failed' }],
  ]
  await Promise.all(
    cases.map(async ([changes, failed]) => {
      const { app } = await node(t, changes)
      t.strictSame(await app.readiness(), { status: 'failed', checks: { ...allOk, ...failed } })
    }),
  )
})

await t.test('a clock that is five seconds away will do, and a slow answer is not held against it', async (t) => {
  for (const ms of [1_005_000, 995_000]) {
    const { app } = await node(t, { clock: { now: () => new Date(ms) } })
    t.match(await app.readiness(), { status: 'ok' })
  }
  let now = 1_000_000
  const time = () => {
    now += 60_000
    return Promise.resolve(new Date(1_030_000))
  }
  const { app } = await node(t, { clock: { now: () => new Date(now) }, database: { ...wellOptions.database, time } })
  t.match(await app.readiness(), { checks: { clock: 'ok' } })
})

await t.test('the database is asked once for all who ask at once, and again after a second', async (t) => {
  let now = 0
  let asked = 0
  const pendingMigrations = () => {
    asked += 1
    return Promise.resolve([])
  }
  const { app } = await node(t, { now: () => now, database: { ...wellOptions.database, pendingMigrations } })
  await Promise.all(Array.from({ length: 100 }, () => app.readiness()))
  t.equal(asked, 1)
  now = 999
  await app.readiness()
  t.equal(asked, 1)
  now = 1000
  await Promise.all([app.readiness(), app.readiness()])
  t.equal(asked, 2)
})

await t.test('the log says why, once for every change', async (t) => {
  let now = 0
  let isFresh = false
  const { app, lines } = await node(t, { now: () => (now += 1000), revocations: { isFresh: () => isFresh } })
  for (let i = 0; i < 5; i += 1) await app.readiness()
  isFresh = true
  for (let i = 0; i < 5; i += 1) await app.readiness()
  t.match(
    lines.map((line) => JSON.parse(line) as object),
    [{ check: 'revocations', err: { message: 'the news of revocations is too old' }, msg: 'not ready' }, { msg: 'ready again' }],
  )
  t.equal(lines.length, 2)
})

await t.test('it is not ready as soon as it begins to close', async (t) => {
  const seen: unknown[] = []
  const app = Fastify()
  await app.register(health, wellOptions)
  app.addHook('preClose', async () => {
    seen.push(await app.readiness())
  })
  await app.ready()
  await app.readiness()
  await app.close()
  t.strictSame(seen, [{ status: 'closing', checks: allOk }], 'though it was well a moment ago')
})
