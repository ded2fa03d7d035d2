import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { readPublicKeys } from '../../src/domain/client-keys.js'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
const jwk = ec.publicKey.export({ format: 'jwk' })
const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })

const read = (value: unknown) => readPublicKeys(JSON.stringify(value))

await t.test('a key set and a single key are both taken', (t) => {
  t.strictSame(read(jwk), { keys: [jwk] })
  const several = { keys: [{ ...jwk, kid: 'a', use: 'sig' }, { ...ed25519, kid: 'b' }, { ...rsa(2048), kid: 'c' }] }
  t.strictSame(read(several), several)
  t.end()
})

await t.test('what is no public key is refused, and not repeated', (t) => {
  const refuses = (text: string, reason: RegExp) => t.throws(() => readPublicKeys(text), { code: 'malformed', reason }, text.slice(0, 60))
  for (const text of ['', '[]', 'null', '"x"', '{"keys":{}}', '{"keys":[null]}', '{"keys":[[]]}', '-----BEGIN PRIVATE KEY-----']) refuses(text, /^the keys must be a JWK or a JWKS$/)
  refuses('{"keys":[]}', /^the key set is empty$/)
  const publicOnly = /^the key set must have public keys only$/
  refuses(JSON.stringify(ec.privateKey.export({ format: 'jwk' })), publicOnly)
  refuses(JSON.stringify({ keys: [jwk, { kty: 'oct', k: 'c2VjcmV0' }] }), publicOnly)
  refuses(JSON.stringify({ ...rsa(2048), p: 'AQ' }), publicOnly)
  const unusable = /^a key must be EC P-256, Ed25519 or RSA of 2048 bits or more/
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
  for (const bad of [rsa(1024), p384, x25519, { kty: 'EC' }, {}, { ...jwk, use: 'enc' }, { ...jwk, x: jwk.y }]) refuses(JSON.stringify(bad), unusable)
  t.end()
})

await t.test('of several keys each has a kid of its own, and there are not many', (t) => {
  const refuses = (keys: readonly object[], reason: RegExp) => t.throws(() => read({ keys }), { code: 'malformed', reason })
  refuses([jwk, ed25519], /kid of its own/)
  refuses([{ ...jwk, kid: 'a' }, { ...ed25519, kid: 'a' }], /kid of its own/)
  refuses(Array.from({ length: 11 }, (_, i) => ({ ...jwk, kid: String(i) })), /more than 10 keys/)
  t.end()
})
