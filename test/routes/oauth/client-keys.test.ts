import { constants, createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import t from 'tap'
import { createClient } from '../../../src/domain/clients.js'
import type { PublicKeySet } from '../../../src/domain/model.js'
import { startTestApp } from '../../support/app.js'
import { base64url } from '../../support/forge.js'
import { tokenOf, type Authentication } from '../../support/oauth.js'

const node = await startTestApp(t)
const database = await node.database.client()
const operator = { kind: 'operator', id: 'test' } as const
const ed25519 = () => generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwkOf = (key: KeyObject): Record<string, unknown> => ({ ...key.export({ format: 'jwk' }) })

const newClient = async (jwks: PublicKeySet): Promise<string> =>
  (await createClient(node.core.service, { name: 'orders', scopes: ['orders:read'], accessSeconds: null, jwks }, operator, 3600)).client.id

/** A client whose keys were never judged. */
async function clientInDatabase(jwks: unknown): Promise<string> {
  const id = await newClient({ keys: [jwkOf(rsa.publicKey)] })
  await database.query('UPDATE clients SET jwks = $2 WHERE id = $1', [id, JSON.stringify(jwks)])
  return id
}

function assertion(clientId: string, header: object, signer: (input: string) => Buffer): Authentication {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const input = [header, { iss: clientId, sub: clientId, aud: 'http://127.0.0.1:9154', iat: now, exp: now + 60, jti: randomUUID() }].map((part) => base64url(JSON.stringify(part))).join('.')
  return { form: { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: `${input}.${base64url(signer(input))}` } }
}

const refused = { status: 401, json: { error: 'invalid_client', error_description: 'Client authentication failed' } }
const told = (clientId: string) => node.logLines.filter((line) => line.includes(clientId) && line.includes('a key of this client is refused')).map((line) => JSON.parse(line) as { key: string; fault: string })

const edSigner = (key: KeyObject) => (input: string) => sign(null, Buffer.from(input), key)

await t.test('one algorithm under two names: a key and an assertion may each say EdDSA or Ed25519 [attack:two-names-of-one-algorithm]', async (t) => {
  for (const atKey of ['EdDSA', 'Ed25519', undefined]) {
    const { publicKey, privateKey } = ed25519()
    for (const kid of ['own', undefined]) {
      const id = await newClient({ keys: [{ ...jwkOf(publicKey), ...(atKey === undefined ? {} : { alg: atKey }), ...(kid === undefined ? {} : { kid }) }] })
      for (const alg of ['EdDSA', 'Ed25519']) {
        const name = `the key says ${atKey ?? 'nothing'}, the assertion ${alg}, kid ${kid ?? 'absent'}`
        t.match(await tokenOf(node, assertion(id, { alg, kid }, edSigner(privateKey))), { status: 200, json: { scope: 'orders:read' } }, name)
        t.match(await tokenOf(node, assertion(id, { alg, kid }, edSigner(ed25519().privateKey))), refused, `${name}, signed by somebody else`)
      }
      for (const alg of ['ES256', 'RS256', 'Ed448', 'EDDSA', 'ed25519', 'HS256']) t.match(await tokenOf(node, assertion(id, { alg, kid }, edSigner(privateKey))), refused, alg)
    }
  }
})

await t.test('an RSA key verifies by the algorithm that it names only', async (t) => {
  const id = await newClient({ keys: [{ ...jwkOf(rsa.publicKey), alg: 'PS256' }] })
  const pkcs = (input: string) => sign('sha256', Buffer.from(input), rsa.privateKey)
  const pss = (input: string) => sign('sha256', Buffer.from(input), { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  t.match(await tokenOf(node, assertion(id, { alg: 'RS256' }, pkcs)), refused)
  t.match(await tokenOf(node, assertion(id, { alg: 'PS256' }, pss)), { status: 200 })
})

/** With `e` = 1 the padded hash (RFC 8017 §9.2) is its own signature: no private key is needed. */
function signedByNobody(input: string): Buffer {
  const end = Buffer.concat([Buffer.from('003031300d060960864801650304020105000420', 'hex'), createHash('sha256').update(input).digest()])
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 2 - end.length, 0xff), end])
}

/** Under the point of order 1, R = S · B is a good signature of everything; S = 0 makes R that point. */
const signatureUnderTheNeutralPoint = Buffer.concat([Buffer.from([1]), Buffer.alloc(63)])

await t.test('a bad key that stands in the database opens nothing, and the log says which and why [attack:weak-client-key-at-use]', async (t) => {
  const neutral = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]).toString('base64url')
  const cases: Record<string, [key: Record<string, unknown>, alg: string, signer: (input: string) => Buffer, fault: RegExp]> = {
    'e of 1': [{ ...jwkOf(rsa.publicKey), e: 'AQ' }, 'RS256', signedByNobody, /^the public exponent/],
    'a point of order 1': [{ kty: 'OKP', crv: 'Ed25519', x: neutral }, 'EdDSA', () => signatureUnderTheNeutralPoint, /^x is no point/],
    '1024 bits': [jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), 'RS256', signedByNobody, /^an RSA key must have/],
    'a symmetric key': [{ kty: 'oct', k: 'c2VjcmV0' }, 'HS256', signedByNobody, /^it has the member k/],
  }
  for (const [name, [key, alg, signer, fault]] of Object.entries(cases)) {
    const id = await clientInDatabase({ keys: [{ ...key, kid: 'old' }] })
    for (const header of [{ alg, kid: 'old' }, { alg }]) t.match(await tokenOf(node, assertion(id, header, signer)), refused, name)
    t.match(told(id), [{ key: 'key "old"', fault }], `${name}: said once`)
    t.equal(told(id).length, 1)
    await node.clock.advance(61)
    t.match(await tokenOf(node, assertion(id, { alg, kid: 'old' }, signer)), refused)
    t.equal(told(id).length, 2, 'and again after a minute')
  }
  t.notMatch(node.logLines.join(''), /c2VjcmV0/)
})

await t.test('a good key beside a bad one goes on, and a set that is no set opens nothing', async (t) => {
  const { publicKey, privateKey } = ed25519()
  const id = await clientInDatabase({ keys: [{ ...jwkOf(rsa.publicKey), e: 'AQ', kid: 'old' }, { ...jwkOf(publicKey), kid: 'new' }, null, 7] })
  t.match(await tokenOf(node, assertion(id, { alg: 'EdDSA', kid: 'new' }, edSigner(privateKey))), { status: 200 })
  t.same(told(id), [], 'nobody used the bad one')
  t.match(await tokenOf(node, assertion(id, { alg: 'RS256', kid: 'old' }, signedByNobody)), refused)
  t.match(told(id), [{ key: 'key "old"' }])
  for (const jwks of [{}, { keys: {} }, { keys: null }, { keys: [null] }, { keys: 'x' }, [], 'x']) {
    const other = await clientInDatabase(jwks)
    t.match(await tokenOf(node, assertion(other, { alg: 'EdDSA' }, edSigner(privateKey))), refused, JSON.stringify(jwks))
  }
  for (const header of ['', 'x', '[]', 'null', '{"alg":5}', '{"alg":"EdDSA","kid":[]}']) {
    const { form = {} } = assertion(id, {}, edSigner(privateKey))
    const [, ...rest] = String(form.client_assertion).split('.')
    t.match(await tokenOf(node, { form: { ...form, client_assertion: [base64url(header), ...rest].join('.') } }), refused, `header ${header}`)
  }
})
