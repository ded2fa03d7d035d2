import { createPrivateKey, sign } from 'node:crypto'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { enter, newPerson } from '../support/dialect-clients.js'
import { startVerifier, verifierFate } from '../support/fleet.js'
import { forge } from '../support/forge.js'

const node = await startTestApp(t, { environment: { SIGNING_ALG: 'Ed25519' } })
const person = await newPerson(node)
const { accessToken } = await enter(node, 'bearer', person)

/** A tessera that publishes its keys under the other name. */
const renaming: typeof fetch = async (url, init) => {
  const response = await fetch(url, init)
  if (!response.url.endsWith('/jwks.json')) return response
  return new Response((await response.text()).replaceAll('"alg":"EdDSA"', '"alg":"Ed25519"'), { headers: response.headers })
}

await t.test('a verifier takes EdDSA and Ed25519 for one algorithm, at the key and at the token', async (t) => {
  const { kid, alg, privatePem } = node.app.signingKeys.current()
  t.equal(alg, 'EdDSA')
  const claims: unknown = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  const signer = (input: string) => sign(null, Buffer.from(input), createPrivateKey(privatePem))
  const renamed = forge({ kid, alg: 'Ed25519', typ: 'at+jwt' }, claims, signer)
  const other = forge({ kid, alg: 'Ed448', typ: 'at+jwt' }, claims, signer)
  for (const options of [{}, { fetch: renaming }]) {
    const verifier = await startVerifier(t, node, options)
    t.match(await verifier.verify(accessToken), { kind: 'user', subject: person.id })
    t.match(await verifier.verify(renamed), { kind: 'user', subject: person.id })
    t.equal(await verifierFate(verifier, other), 'invalid')
    t.equal(await verifierFate(verifier, `${accessToken.slice(0, -10)}AAAAAAAAAA`), 'invalid')
  }
})
