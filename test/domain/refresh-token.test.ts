import { deepEqual } from 'node:assert/strict'
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { compactVerify } from 'jose'
import t from 'tap'
import type { DataKey } from '../../src/domain/keyring.js'
import { dialectNames } from '../../src/domain/model.js'
import { decodeRefreshToken, encodeRefreshToken, type RefreshTokenContent } from '../../src/domain/refresh-token.js'

const key: DataKey = { kid: 'Zk3-_9x', secret: Buffer.alloc(32, 7) }
const otherKey: DataKey = { kid: 'other', secret: randomBytes(32) }
const keys = [key, otherKey]
const keyring = { find: (purpose: string, kid: string) => (purpose === 'refresh' ? (keys.find((one) => one.kid === kid) ?? null) : null) }

const content: RefreshTokenContent = {
  sessionId: '01890000-0000-7000-8000-000000000000',
  generation: 3,
  dialect: 'bearer',
  expiresAtSeconds: 1_900_000_000,
}
const token = encodeRefreshToken(content, key)

const base64url = (text: string | Buffer): string => Buffer.from(text).toString('base64url')

/** Signed by the right key, whatever it says. */
function signed(header: unknown, payload: unknown, { secret }: DataKey = key): string {
  const parts = [header, payload].map((part) => base64url(typeof part === 'string' ? part : JSON.stringify(part))).join('.')
  return `${parts}.${createHmac('sha256', secret).update(parts).digest('base64url')}`
}

const goodHeader = { kid: key.kid, alg: 'HS256', typ: 'rt+jwt' }
const goodPayload = { sid: content.sessionId, gen: content.generation, aud: 'refresh:bearer', exp: content.expiresAtSeconds }

const anyContent = fc.record({
  sessionId: fc.uuid(),
  generation: fc.nat(),
  dialect: fc.constantFrom(...dialectNames),
  expiresAtSeconds: fc.nat(4_000_000_000),
})

await t.test('a token is a JWS whose header begins with kid, and which any JWT library verifies', async (t) => {
  const [header = '', payload = ''] = token.split('.')
  t.ok(token.startsWith('eyJraWQi'))
  t.equal(Buffer.from(header, 'base64url').toString(), '{"kid":"Zk3-_9x","alg":"HS256","typ":"rt+jwt"}')
  t.equal(
    Buffer.from(payload, 'base64url').toString(),
    '{"sid":"01890000-0000-7000-8000-000000000000","gen":3,"aud":"refresh:bearer","exp":1900000000}',
  )
  t.match((await compactVerify(token, key.secret)).protectedHeader, goodHeader)
})

await t.test('what was encoded is decoded, and encoded again it is the same bytes', (t) => {
  fc.assert(
    fc.property(anyContent, fc.constantFrom(...keys), (given, by) => {
      const encoded = encodeRefreshToken(given, by)
      deepEqual(decodeRefreshToken(encoded, keyring), { ...given, key: by })
      return encoded === encodeRefreshToken({ ...given }, by)
    }),
  )
  t.end()
})

await t.test('case 21: no token with a flipped bit is accepted', (t) => {
  const bytes = Buffer.from(token, 'latin1')
  const accepted: string[] = []
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (decodeRefreshToken(flipped.toString('latin1'), keyring) !== null) accepted.push(`bit ${bit}`)
  }
  t.same(accepted, [], 'the spare bits at the end of the signature included')
  t.end()
})

await t.test('no other text is accepted, and none makes it throw', (t) => {
  const refused = (text: string) => decodeRefreshToken(text, keyring) === null
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 600 }), refused))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => refused(Buffer.from(bytes).toString('latin1'))))
  fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom('e', 'y', 'J', '0', '-', '_', 'Q') }), { minLength: 3, maxLength: 3 }), (parts) => refused(parts.join('.'))))
  fc.assert(fc.property(fc.json(), fc.json(), fc.string(), (header, payload, signature) => refused(`${base64url(header)}.${base64url(payload)}.${base64url(signature)}`)))
  t.end()
})

await t.test('no edit of a token is accepted', (t) => {
  const place = fc.nat(token.length)
  fc.assert(
    fc.property(place, place, fc.string({ maxLength: 5 }), (a, b, inserted) => {
      const edited = token.slice(0, Math.min(a, b)) + inserted + token.slice(Math.max(a, b))
      fc.pre(edited !== token)
      return decodeRefreshToken(edited, keyring) === null
    }),
    { numRuns: 1000 },
  )
  t.end()
})

await t.test('case 21: the parts of two good tokens make no third', (t) => {
  fc.assert(
    fc.property(anyContent, anyContent, (one, two) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(two))
      const a = encodeRefreshToken(one, key).split('.')
      const b = encodeRefreshToken(two, otherKey).split('.')
      const accepted = [a, b].flatMap((h) => [a, b].flatMap((p) => [a, b].map((s) => [h[0], p[1], s[2]].join('.')))).filter((text) => decodeRefreshToken(text, keyring))
      return accepted.length === 2
    }),
  )
  t.end()
})

await t.test('a token that is signed well and written in another way is refused', (t) => {
  t.equal(signed(goodHeader, goodPayload), token, 'the way it is written here')
  const refused = {
    'members of the header in another order': signed({ alg: 'HS256', kid: key.kid, typ: 'rt+jwt' }, goodPayload),
    'one more member in the header': signed({ ...goodHeader, crit: [] }, goodPayload),
    'another typ': signed({ ...goodHeader, typ: 'at+jwt' }, goodPayload),
    'another algorithm': signed({ ...goodHeader, alg: 'HS512' }, goodPayload),
    'alg none': signed({ ...goodHeader, alg: 'none' }, goodPayload),
    'members of the payload in another order': signed(goodHeader, { exp: content.expiresAtSeconds, aud: 'refresh:bearer', gen: 3, sid: content.sessionId }),
    'one more member in the payload': signed(goodHeader, { ...goodPayload, iat: 1 }),
    'a duplicate member': signed(goodHeader, JSON.stringify(goodPayload).replace('{', '{"gen":0,')),
    'white space': signed(goodHeader, `${JSON.stringify(goodPayload)} `),
    'another spelling of a number': signed(goodHeader, JSON.stringify(goodPayload).replace('1900000000', '19e8')),
    'another spelling of a string': signed(goodHeader, JSON.stringify(goodPayload).replace('bearer', '\\u0062earer')),
    'no generation': signed(goodHeader, { ...goodPayload, gen: undefined }),
    'a generation in quotes': signed(goodHeader, { ...goodPayload, gen: '3' }),
    'no session': signed(goodHeader, { ...goodPayload, sid: null }),
    'an audience that is no dialect': signed(goodHeader, { ...goodPayload, aud: 'refresh:__proto__' }),
    'an audience in a list': signed(goodHeader, { ...goodPayload, aud: ['refresh:bearer'] }),
    'a payload that is a list': signed(goodHeader, Object.values(goodPayload)),
    'padding': token.replaceAll('.', '=.'),
    'ordinary base64': Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('base64') + token.slice(token.indexOf('.')),
    'a line break at the end': `${token}\n`,
    'a fourth part': `${token}.`,
    'no signature': `${token.slice(0, token.lastIndexOf('.'))}.`,
  }
  for (const [name, text] of Object.entries(refused)) t.equal(decodeRefreshToken(text, keyring), null, name)
  t.end()
})

await t.test('a kid that names no refresh key is refused', (t) => {
  const kids: unknown[] = ['unknown', '', '__proto__', 'constructor', null, 7, [key.kid], { kid: key.kid }, 'k'.repeat(4096), '../../etc/passwd', "' OR 1=1 --"]
  for (const kid of kids) t.equal(decodeRefreshToken(signed({ ...goodHeader, kid }, goodPayload), keyring), null, JSON.stringify(kid).slice(0, 20))
  t.equal(decodeRefreshToken(signed({ ...goodHeader, kid: otherKey.kid }, goodPayload), keyring), null, 'of another key than the one that signed')
  t.equal(decodeRefreshToken(signed(goodHeader, goodPayload, otherKey), keyring), null, 'signed by another key')
  t.equal(decodeRefreshToken(token, { find: () => null }), null, 'a key that is gone')
  t.end()
})

await t.test('a token longer than ours can be is refused before it is looked at', (t) => {
  const find = () => {
    throw new Error('a key was looked for')
  }
  t.equal(decodeRefreshToken(signed(goodHeader, { ...goodPayload, more: 'x'.repeat(400) }), { find }), null)
  t.ok(encodeRefreshToken({ sessionId: randomUUID(), generation: 2 ** 31, dialect: 'directus', expiresAtSeconds: 99_999_999_999 }, key).length < 512)
  t.end()
})
