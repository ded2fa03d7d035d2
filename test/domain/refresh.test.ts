import fc from 'fast-check'
import t from 'tap'
import type { SessionState } from '../../src/domain/model.js'
import { judge, type Judgement } from '../../src/domain/refresh.js'

const graceSeconds = 60
const statics = { name: 'bearer', staticClients: true } as const
const strict = { name: 'bearer', staticClients: false } as const

/** A session of `bearer` at generation G, rotated so many seconds ago. */
function session(generation: number, secondsSinceRotation: number | null, changes: { alive?: boolean; dialect?: 'pin' | 'bearer' } = {}): SessionState {
  const { alive = true, dialect = 'bearer' } = changes
  const now = new Date('2026-01-01T00:00:00Z')
  const later = new Date('2026-01-31T00:00:00Z')
  return {
    session: { id: 's', userId: 'u', dialect, amr: ['pwd'], authTime: now, ip: null, userAgent: null, epoch: 0, generation, expiresAt: later, idleExpiresAt: null },
    user: { id: 'u', username: 'jane', email: null, emailVerified: false, role: 'user', status: 'active', epoch: 0, createdAt: now },
    alive,
    secondsSinceRotation,
    rotatedFrom: null,
    remainingSeconds: 1000,
  }
}

const month = 30 * 86_400

/** What is presented, what the row says, and what comes of it: one line for each row of the rotation table, and their edges. */
const table: [what: string, g: number, state: SessionState | null, dialect: typeof statics | typeof strict, Judgement][] = [
  ['no such session', 0, null, statics, 'dead'],
  ['a session that is over', 0, session(0, null, { alive: false }), statics, 'dead'],
  ['a session that is over, its predecessor in the window', 1, session(2, 1, { alive: false }), statics, 'dead'],
  ['a session that is over, reused', 0, session(5, 1, { alive: false }), statics, 'dead'],
  ['a session that is over, ahead', 9, session(5, 1, { alive: false }), statics, 'dead'],
  ['another dialect’s session', 0, session(0, null, { dialect: 'pin' }), statics, 'dead'],
  ['another dialect’s session, reused', 0, session(5, 1, { dialect: 'pin' }), statics, 'dead'],
  ['ahead of a session that never rotated', 1, session(0, null), statics, 'ahead'],
  ['ahead by one', 6, session(5, 1), strict, 'ahead'],
  ['the first token', 0, session(0, null), strict, 'current'],
  ['the current token', 7, session(7, month), strict, 'current'],
  ['the predecessor, at once', 4, session(5, 0), strict, 'again'],
  ['the predecessor, at the end of the window', 4, session(5, 59.999), strict, 'again'],
  ['the predecessor, past the window', 4, session(5, 60), strict, 'reused'],
  ['the predecessor, past the window, where clients may be static', 4, session(5, 60), statics, 'reused'],
  ['the first token of a static client, in the window', 0, session(1, 1), statics, 'again'],
  ['the first token of a static client, a month later', 0, session(1, month), statics, 'again'],
  ['the first token where clients must not be static, in the window', 0, session(1, 59), strict, 'again'],
  ['the first token where clients must not be static, past the window', 0, session(1, 60), strict, 'reused'],
  ['the first token, once a successor was used', 0, session(2, 1), statics, 'reused'],
  ['the second token, once its successor was used and the window is over', 1, session(2, 61), statics, 'reused'],
  ['two behind, in the window', 3, session(5, 0), strict, 'reused'],
]

await t.test('a genuine token is worth what the rotation table says', (t) => {
  for (const [what, g, state, dialect, expected] of table) t.equal(judge(g, state, dialect, graceSeconds), expected, what)
  t.end()
})

await t.test('without a window only the current token is good, and the first one of a static client', (t) => {
  t.equal(judge(4, session(5, 0), strict, 0), 'reused')
  t.equal(judge(0, session(1, 0), strict, 0), 'reused')
  t.equal(judge(0, session(1, 0), statics, 0), 'again')
  t.end()
})

await t.test('whatever the numbers: only the current generation rotates, and at most one predecessor is answered again', (t) => {
  const age = fc.double({ min: 0, max: 1e7, noNaN: true })
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), age, fc.constantFrom(statics, strict), (g, generation, seconds, dialect) => {
      const judgement = judge(g, session(generation, generation === 0 ? null : seconds), dialect, graceSeconds)
      if (judgement === 'current') return g === generation
      if (judgement === 'again') return g === generation - 1 && (seconds < graceSeconds || (g === 0 && dialect.staticClients))
      return judgement === (g > generation ? 'ahead' : 'reused')
    }),
    { numRuns: 2000 },
  )
  t.end()
})
