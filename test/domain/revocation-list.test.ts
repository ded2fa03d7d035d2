import t from 'tap'
import type { Revocation } from '../../src/domain/model.js'
import type { TokenIdentity } from '../../src/domain/ports.js'
import { createRevocationList } from '../../src/domain/revocation-list.js'

const expiresAt = new Date(3_600_000)
let seq = 0
const ends = (epoch: number, survivor: string | null): Revocation => ({ seq: (seq += 1), kind: 'user', subject: 'jane', epoch, survivor, createdAt: new Date(0), expiresAt })
const token = (sessionId: string, epoch: number): TokenIdentity => ({ kind: 'session', subject: 'jane', sessionId, epoch, tokenId: `${sessionId} ${epoch}` })

/** Which tokens are dead, by session and epoch. */
function dead(revocations: readonly Revocation[], tokens: readonly TokenIdentity[]): string[] {
  const list = createRevocationList()
  for (const revocation of revocations) list.add(revocation)
  return tokens.filter((one) => list.isDead(one)).map(({ tokenId }) => tokenId)
}

await t.test('the session that survives keeps its tokens, whatever their epoch', (t) => {
  t.strictSame(dead([ends(1, 'own')], [token('own', 0), token('own', 1), token('other', 0), token('new', 1)]), ['other 0'])
  t.strictSame(dead([ends(1, 'own'), ends(2, 'own'), ends(3, 'own')], [token('own', 0), token('own', 2), token('other', 2)]), ['other 2'])
  t.end()
})

await t.test('a token that an earlier end did not spare stays dead when its session survives a later one', (t) => {
  const tokens = [token('own', 0), token('own', 1), token('own', 2)]
  t.strictSame(dead([ends(1, null), ends(2, 'own')], tokens), ['own 0'])
  t.strictSame(dead([ends(1, 'other'), ends(2, 'own')], tokens), ['own 0'])
  t.strictSame(dead([ends(1, null), ends(2, 'own'), ends(3, 'own')], tokens), ['own 0'])
  t.strictSame(dead([ends(1, 'own'), ends(2, null), ends(3, 'own')], tokens), ['own 0', 'own 1'])
  t.end()
})

await t.test('the order in which the news comes makes no difference, nor does hearing it twice', (t) => {
  const news = [ends(1, null), ends(2, 'own'), ends(3, 'own'), ends(4, 'own')]
  const tokens = [token('own', 0), token('own', 1), token('own', 3), token('other', 3), token('other', 4)]
  const expected = ['own 0', 'other 3']
  for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [3, 0, 3, 1, 0, 2, 3], [2, 3, 1, 1, 0]]) {
    t.strictSame(dead(order.flatMap((i) => news[i] ?? []), tokens), expected, order.join(' '))
  }
  t.end()
})
