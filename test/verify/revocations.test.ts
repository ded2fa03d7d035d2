import t, { type Test } from 'tap'
import { createVerifier } from '../../src/verify/index.js'
import { followRevocations } from '../../src/verify/revocations.js'

const expiresAt = new Date(Date.now() + 3_600_000).toISOString()
const ends = (epoch: number, survivor: string | null) => ({ kind: 'user', subject: 'jane', epoch, survivor, expires_at: expiresAt })

/** A verifier that has read these revocations, and hears of no other. */
async function follower(t: Test, revocations: readonly object[]) {
  let pages = 0
  const getJson = (): Promise<unknown> => {
    pages += 1
    return pages === 1 ? Promise.resolve({ cursor: '1', resync: false, lag_ms: 0, waited_ms: 0, revocations }) : new Promise(() => undefined)
  }
  const following = followRevocations({ client: { getJson }, maxLagMs: 1000, onError: (error) => t.fail(error.message), onApiKeyChanged: () => undefined, onKeysTold: () => undefined, now: () => Date.now() })
  t.teardown(() => {
    following.stop()
  })
  await following.ready
  return (sessionId: string, epoch: number) => following.isRevoked({ kind: 'user', subject: 'jane', sessionId, epoch, tokenId: 'any' })
}

await t.test('a token that an earlier end did not spare stays dead when its session survives a later one', async (t) => {
  for (const revocations of [[ends(1, null), ends(2, 'own')], [ends(2, 'own'), ends(1, null)], [ends(1, 'other'), ends(2, 'own'), ends(2, 'own')]]) {
    const isRevoked = await follower(t, revocations)
    t.strictSame([0, 1, 2].map((epoch) => isRevoked('own', epoch)), [true, false, false])
    t.strictSame([0, 1, 2].map((epoch) => isRevoked('other', epoch)), [true, true, false])
  }
})

await t.test('the session that survives again and again keeps its tokens', async (t) => {
  const isRevoked = await follower(t, [ends(1, 'own'), ends(2, 'own')])
  t.strictSame([0, 1, 2].map((epoch) => isRevoked('own', epoch)), [false, false, false])
})

const session = (subject: string) => ({ kind: 'session', subject, epoch: null, survivor: null, expires_at: expiresAt })

await t.test('a resync replaces what was known, and one that breaks off takes nothing away', async (t) => {
  const pages = [
    { cursor: '7', resync: false, lag_ms: 0, waited_ms: 0, revocations: [session('a'), ends(3, null)] },
    { cursor: '2', resync: true, lag_ms: 0, waited_ms: 0, revocations: [session('b'), ends(1, null)] },
    { cursor: '9', resync: true, lag_ms: 0, waited_ms: 0, revocations: [session('c'), { kind: 'session' }] },
  ]
  const asked: (string | null)[] = []
  const errors: string[] = []
  const seen: string[] = []
  const judge = (): string => {
    const isDead = (sessionId: string, epoch: number) => following.isRevoked({ kind: 'user', subject: 'jane', sessionId, epoch, tokenId: 'any' })
    return ['a', 'b', 'c'].map((id) => (isDead(id, 9) ? `${id} dead` : '')).join(' ').trim() + `, epochs below ${[0, 1, 2, 3].find((epoch) => !isDead('x', epoch)) ?? 'all'}`
  }
  let lastRead = (): void => undefined
  const allRead = new Promise<void>((resolve) => {
    lastRead = resolve
  })
  const getJson = (path: string): Promise<unknown> => {
    asked.push(new URLSearchParams(path.split('?')[1]).get('cursor'))
    if (asked.length > 1) seen.push(judge())
    const page = pages[asked.length - 1]
    if (page !== undefined) return Promise.resolve(page)
    lastRead()
    return new Promise(() => undefined)
  }
  const following = followRevocations({ client: { getJson }, maxLagMs: 1000, onError: (error) => errors.push(error.message), onApiKeyChanged: () => undefined, onKeysTold: () => undefined, now: () => Date.now() })
  t.teardown(() => {
    following.stop()
  })
  await allRead
  t.strictSame(asked, ['0', '7', '2', '2'], 'it goes on from what it has understood')
  t.strictSame(seen, ['a dead, epochs below 3', 'b dead, epochs below 1', 'b dead, epochs below 1'])
  t.strictSame(errors, ['the feed of revocations is not what was expected'])
})

await t.test('of a failure that repeats itself the service is told once, and again after a success', async (t) => {
  const answers = ['down', 'down', 'down', 'good', 'down', 'refused', 'refused', 'end']
  const told: string[] = []
  await new Promise<void>((resolve) => {
    const getJson = (): Promise<unknown> => {
      const answer = answers.shift()
      if (answer === 'good') return Promise.resolve({ cursor: '1', resync: false, lag_ms: 0, waited_ms: 0, revocations: [] })
      if (answer !== 'end') return Promise.reject(new Error(answer))
      resolve()
      return new Promise(() => undefined)
    }
    const following = followRevocations({ client: { getJson }, maxLagMs: 1000, onError: (error) => told.push(error.message), onApiKeyChanged: () => undefined, onKeysTold: () => undefined, now: () => Date.now() })
    t.teardown(() => {
      following.stop()
    })
  })
  t.same(told, ['down', 'down', 'refused'])
})

await t.test('options with which nothing would ever be verified are refused at once', (t) => {
  const issuer = 'https://id.example.com'
  for (const credential of [{ apiKey: '' }, { clientId: '', clientSecret: 'x' }, { clientId: 'x', clientSecret: '' }]) t.throws(() => createVerifier({ issuer, credential }), TypeError)
  t.throws(() => createVerifier({ issuer: 'id.example.com', credential: { apiKey: 'x' } }), TypeError)
  t.end()
})

await t.test('tessera is found by its issuer however that is written', async (t) => {
  const asked = new Set<string>()
  for (const issuer of ['https://ID.example.com/base/', 'https://id.example.com:443/base//']) {
    await new Promise<void>((resolve) => {
      const verifier = createVerifier({
        issuer,
        credential: { apiKey: 'x' },
        fetch: (url) => {
          if (typeof url === 'string') asked.add(url)
          resolve()
          return Promise.resolve(Response.json({}))
        },
      })
      t.teardown(() => {
        verifier.close()
      })
    })
  }
  t.same([...asked], ['https://id.example.com/base/revocations?cursor=0&wait=0'])
})

await t.test('a credential that tessera refuses is told, though nobody asked', async (t) => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const fetch = () => Promise.resolve(new Response(null, { status: 401 }))
  const verifier = createVerifier({ issuer: 'https://id.example.com', credential: { apiKey: 'sk_live_x' }, fetch })
  t.teardown(() => {
    verifier.close()
  })
  t.match(await warned, { name: 'TesseraWarning', message: 'tessera answered 401 to /revocations' })
})
