import t, { type Test } from 'tap'
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
  const following = followRevocations({ client: { getJson, postForm: getJson }, maxLagMs: 1000, onError: (error) => t.fail(error.message), onApiKeyChanged: () => undefined, now: () => Date.now() })
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
