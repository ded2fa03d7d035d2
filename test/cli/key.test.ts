import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside, failedWith, jsonOf } from '../support/cli.js'
import { clientOf, lastEvent } from '../support/clients.js'

const password = 'a password of enough length'

void t.test('tessera key', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  await node.createUser({ username: 'ada', password })
  const client = await clientOf(node, 'ada', password)
  const [original] = await node.core.service.repository.keys.signingKeys()

  await t.test('list changes nothing, whatever the algorithm of this process', async (t) => {
    const list = await tessera(['key', 'list', '--json'], { environment: { SIGNING_ALG: 'EdDSA' } })
    t.match(jsonOf(list), [{ kid: original?.kid, alg: 'ES256', state: 'signs', revokedAt: null }])
    t.equal((await node.core.service.repository.keys.signingKeys()).length, 1)
    t.match(await tessera(['key', 'list']), { status: 0, stderr: /^$/, stdout: /^KID +ALG +STATE +PUBLISHED +SIGNS FROM +REVOKED\n\S+ +ES256 +signs +\S+Z +\S+Z +-\n$/ })
  })

  await t.test('rotate publishes a key that signs after the max-age; tokens of the old one stay good', async (t) => {
    const run = await tessera(['key', 'rotate'])
    t.match(run, { status: 0, stderr: /^$/, stdout: /^\S+: published, and signs in 30 seconds\n$/ })
    const kid = run.stdout.split(':')[0] ?? ''
    t.match(jsonOf(await tessera(['key', 'list', '--json'])), [{ kid: original?.kid, state: 'signs' }, { kid, state: 'signs soon' }])
    t.match(await lastEvent(node), { type: 'signing_key_rotated', detail: { kid }, actor: { kind: 'operator', id: /^cli:./ } })
    t.equal(await client.access(), 'alive')
  })

  await t.test('revoke refuses all that a key has signed, and another one signs at once', async (t) => {
    const kid = original?.kid ?? ''
    const run = await tessera(['key', 'revoke', kid])
    t.match(run, { status: 0, stderr: /^$/, stdout: new RegExp(`^${kid}: revoked; \\S+ signs\\n$`) })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await client.refresh(), 'alive', 'sessions live on')
    t.match(await lastEvent(node), { type: 'signing_key_revoked', detail: { kid } })
    t.match(jsonOf(await tessera(['key', 'list', '--json'])), [{ kid, state: 'revoked' }, { state: 'signs soon' }, { state: 'signs' }])
    t.strictSame(await tessera(['key', 'revoke', kid]), failedWith('that signing key is revoked already'))
    t.strictSame(await tessera(['key', 'revoke', 'nope']), failedWith('there is no such signing key'))
  })
})
