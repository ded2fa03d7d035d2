import { checkPrimeSync, generateKeyPairSync, generatePrimeSync } from 'node:crypto'
import t from 'tap'
import { readPublicKeys } from '../../src/domain/client-keys.js'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = (modulusLength: number, publicExponent = 65_537) => generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' })
const jwk = ec.publicKey.export({ format: 'jwk' })
const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
const rsaKey = rsa(2048)

const read = (value: unknown) => readPublicKeys(JSON.stringify(value))
const bytes = (...values: number[]) => Buffer.from(values).toString('base64url')
const ofBigint = (number: bigint) => {
  const hex = number.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url')
}

await t.test('a key set and a single key are both taken', (t) => {
  t.strictSame(read(jwk), { keys: [jwk] })
  const several = { keys: [{ ...jwk, kid: 'a', use: 'sig' }, { ...ed25519, kid: 'b' }, { ...rsaKey, kid: 'c' }] }
  t.strictSame(read(several), several)
  t.end()
})

await t.test('keys as other tools write them are taken', (t) => {
  const good: object[] = [rsa(3072), rsa(4096), rsa(2048, 0x1_0001), { ...rsaKey, n: bytes(0, ...Buffer.from(String(rsaKey.n), 'base64url')) }]
  for (const alg of ['RS256', 'PS256']) good.push({ ...rsaKey, alg })
  for (const alg of ['EdDSA', 'Ed25519']) good.push({ ...ed25519, alg })
  good.push({ ...jwk, alg: 'ES256', key_ops: ['verify'], ext: true, x5t: 'abc' }, { ...jwk, key_ops: ['sign', 'verify'] })
  for (const key of good) t.strictSame(read(key), { keys: [key] })
  for (let i = 0; i < 50; i += 1) t.ok(read(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })))
  t.end()
})

await t.test('what is no public key is refused, and not repeated', (t) => {
  const refuses = (text: string, reason: RegExp) => t.throws(() => readPublicKeys(text), { code: 'malformed', reason }, text.slice(0, 60))
  for (const text of ['', '[]', 'null', '"x"', '{"keys":{}}', '{"keys":[null]}', '{"keys":[[]]}', '-----BEGIN PRIVATE KEY-----']) refuses(text, /^the keys must be a JWK or a JWKS$/)
  const publicOnly = /^the key set must have public keys only$/
  refuses('{"keys":[]}', /^the key set is empty$/)
  refuses(JSON.stringify({ ...jwk, x5c: ['x'.repeat(70_000)] }), /^the keys are larger than 64 KiB$/)
  refuses(JSON.stringify(ec.privateKey.export({ format: 'jwk' })), publicOnly)
  refuses(JSON.stringify({ keys: [jwk, { kty: 'oct', k: 'c2VjcmV0' }] }), publicOnly)
  refuses(JSON.stringify({ ...rsaKey, p: 'AQ' }), publicOnly)
  t.end()
})

/** Points of Ed25519 that anybody can sign for, and spellings of them. */
const smallOrder = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  `ee${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}ff`,
  `01${'00'.repeat(30)}80`,
].map((hex) => Buffer.from(hex, 'hex').toString('base64url'))

function closePrimes(): bigint {
  const p = generatePrimeSync(1024, { bigint: true })
  let q = p + 2n
  while (!checkPrimeSync(q)) q += 2n
  return p * q
}

await t.test('a key that proves nothing is refused by its name, with the reason [attack:weak-client-key]', (t) => {
  const otherY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }).y
  const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
  const exponent = /: the public exponent e must be odd and from 65537 to 2\^64/
  const size = /: an RSA key must have 2048 to 8192 bits/
  const factored = /: its modulus n can be factored at once/
  const point = /: x is no point of the curve that a secret key can stand behind/
  const weak: [object, RegExp][] = [
    ...['AQ', 'Ag', 'Aw', 'EQ', 'AP__', bytes(1, 0, 0), bytes(1, 0, 2), bytes(0), bytes(1, 0, 0, 0, 0, 0, 0, 0, 1), rsaKey.n].map((e): [object, RegExp] => [{ ...rsaKey, e }, exponent]),
    ...[rsa(1024), rsa(2040), { ...rsaKey, n: bytes(1) }, { ...rsaKey, n: Buffer.alloc(1025, 0xff).toString('base64url') }].map((key): [object, RegExp] => [key, size]),
    [{ ...rsaKey, n: ofBigint(2n ** 2048n - 1n) }, factored],
    [{ ...rsaKey, n: ofBigint(2n ** 2047n) }, factored],
    [{ ...rsaKey, n: ofBigint(generatePrimeSync(2048, { bigint: true })) }, factored],
    [{ ...rsaKey, n: ofBigint(generatePrimeSync(1025, { bigint: true }) ** 2n) }, factored],
    [{ ...rsaKey, n: ofBigint(closePrimes()) }, /: (an RSA key must have|its modulus n can be factored)/],
    [{ ...rsaKey, n: 'x'.repeat(4000) }, /: n and e must be base64url, and n have 8192 bits at most/],
    [{ ...rsaKey, e: 'AQAB=' }, /: n and e must be base64url/],
    [{ ...rsaKey, e: 65_537 }, /: n and e must be base64url/],
    [{ kty: 'RSA' }, /: n and e must be base64url/],
    [curve('P-384'), /: crv must be P-256/],
    [curve('secp256k1'), /: crv must be P-256/],
    [{ kty: 'EC' }, /: crv must be P-256/],
    [{ ...jwk, y: otherY }, /: x and y are no point of the curve/],
    [{ ...jwk, x: bytes(...Buffer.alloc(32)), y: bytes(...Buffer.alloc(32)) }, /: x and y are no point of the curve/],
    [{ ...jwk, x: bytes(1, 2, 3) }, /: x and y must be 32 bytes each/],
    [{ ...jwk, x: `${String(jwk.x)}AA` }, /: x and y must be 32 bytes each/],
    ...smallOrder.map((x): [object, RegExp] => [{ ...ed25519, x }, point]),
    [{ ...ed25519, x: bytes(2, ...Buffer.alloc(31)) }, point],
    [{ ...ed25519, x: 'AQAB' }, /: x must be 32 bytes/],
    [generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }), /: crv must be Ed25519/],
    [generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' }), /: crv must be Ed25519/],
    [{ ...jwk, use: 'enc' }, /: use must be sig/],
    [{ ...jwk, key_ops: ['encrypt'] }, /: key_ops must have verify/],
    [{ ...jwk, key_ops: ['verify', 'deriveKey'] }, /: key_ops must have verify/],
    [{ ...jwk, key_ops: 'verify' }, /: key_ops must have verify/],
    [{ ...jwk, alg: 'RS256' }, /: alg must be ES256, or absent/],
    [{ ...rsaKey, alg: 'HS256' }, /: alg must be RS256 or PS256, or absent/],
    [{ ...rsaKey, alg: 'RSA-OAEP' }, /: alg must be RS256 or PS256, or absent/],
    [{ ...ed25519, alg: 'ES256' }, /: alg must be EdDSA or Ed25519, or absent/],
    [{ ...jwk, alg: 256 }, /: alg must be/],
    [{ kty: '__proto__' }, /: kty must be RSA, EC or OKP/],
    [{}, /: kty must be RSA, EC or OKP/],
    [{ kty: ['RSA'] }, /: kty must be RSA, EC or OKP/],
    [{ ...jwk, x5c: ['x'.repeat(20_000)] }, /: it is larger than 16 KiB/],
    [{ ...jwk, x5t: 'a\0b' }, /: it has a NUL/],
  ]
  for (const [key, reason] of weak) {
    t.throws(() => read({ kid: 'mine', ...key }), { code: 'malformed', reason: new RegExp(`^key "mine"${reason.source}`) }, `${JSON.stringify(key).slice(0, 80)} ${String(reason)}`)
    t.throws(() => read({ keys: [{ ...jwk, kid: 'good' }, { kid: 'bad', ...key }] }), { code: 'malformed', reason: /^key "bad": / }, 'behind a good one too')
  }
  t.end()
})

await t.test('of several keys each has a kid of its own, and there are not many', (t) => {
  const refuses = (keys: readonly object[], reason: RegExp) => t.throws(() => read({ keys }), { code: 'malformed', reason })
  refuses([jwk, ed25519], /^key 1: of several keys each must have a kid of its own$/)
  refuses([{ ...jwk, kid: 'a' }, ed25519], /^key 2: of several keys each must have a kid of its own$/)
  refuses([{ ...jwk, kid: 'a' }, { ...ed25519, kid: 'a' }], /^key "a": of several keys each must have a kid of its own, and two have this one$/)
  for (const kid of ['', 7, null, 'x'.repeat(201)]) refuses([{ ...jwk, kid }], /: kid must be a text of 1 to 200 characters$/)
  refuses(Array.from({ length: 11 }, (_, i) => ({ ...jwk, kid: String(i) })), /more than 10 keys/)
  t.end()
})
