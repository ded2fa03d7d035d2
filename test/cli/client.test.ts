import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { startTestApp, type TestApp } from '../support/app.js'
import { cliBeside, failedWith, jsonOf, type CliRun } from '../support/cli.js'
import { lastEvent, soonDead } from '../support/clients.js'
import { assertionOf, clientOf, tokenFate, tokenOf } from '../support/oauth.js'

const unknownId = '01890000-0000-7000-8000-000000000000'
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
const secretPattern = /^[\w-]{43}$/

/** What a command answered about a client. */
function credentialsIn(run: CliRun): { clientId: string; clientSecret: string } {
  const value = jsonOf(run)
  const { clientId, clientSecret } = { clientId: '', clientSecret: '', ...(typeof value === 'object' ? value : {}) }
  return { clientId, clientSecret }
}

const publicKey = (kid: string) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid }, privateJwk: privateKey.export({ format: 'jwk' }), privateKey, kid }
}

const grant = (node: TestApp, { clientId, clientSecret }: { clientId: string; clientSecret: string }) => tokenOf(node, clientOf(clientId, clientSecret))

void t.test('tessera client', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-client-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const create = (...args: string[]) => tessera(['client', 'create', ...args])

  await t.test('create shows id and secret, this once, and they get a token', async (t) => {
    const run = await create('--name', 'reports', '--scope', 'introspect', '--scope', 'orders:read')
    t.match(run, { status: 0, stdout: /^clientId +[0-9a-f-]{36}\nclientSecret +[\w-]{43}\n$/, stderr: /^The secret is shown this once\.\n$/ })
    const [clientId = '', clientSecret = ''] = run.stdout.trim().split('\n').map((line) => line.split(/ +/)[1])
    t.match(await grant(node, { clientId, clientSecret }), { status: 200, json: { scope: 'introspect orders:read', expires_in: 3600 } })
    t.match(await lastEvent(node), { type: 'client_created', actor: { kind: 'operator', id: /^cli:./ }, detail: { client: clientId, name: 'reports' } })
    t.notMatch(await node.core.service.repository.audit.list({ before: null, limit: 100 }), clientSecret)
  })

  await t.test('create gives its tokens a life of their own', async (t) => {
    const run = await create('--name', 'brief', '--access-ttl', '2m', '--json')
    t.match(jsonOf(run), { clientId: uuid, clientSecret: secretPattern, name: 'brief', scopes: [], accessSeconds: 120, authentication: 'secret' })
    t.match(await grant(node, credentialsIn(run)), { status: 200, json: { expires_in: 120 } })
  })

  await t.test('a client with keys of its own has no secret', async (t) => {
    const key = publicKey('one')
    const { clientId } = credentialsIn(await tessera(['client', 'create', '--name', 'signer', '--scope', 'revocations', '--jwks', '-', '--json'], { input: JSON.stringify(key.jwk) }))
    const ask = async (signer: typeof key) => (await tokenOf(node, assertionOf(node, { clientId, key: signer }))).status
    t.equal(await ask(key), 200)

    t.strictSame(await tessera(['client', 'rotate', clientId]), failedWith('this client signs with a key of its own: give the new one with --jwks FILE'))
    const next = publicKey('two')
    const file = path.join(folder, 'keys.json')
    await writeFile(file, JSON.stringify({ keys: [next.jwk] }))
    t.match(await tessera(['client', 'rotate', clientId, '--jwks', file]), { status: 0, stdout: `clientId  ${clientId}\n` })
    t.strictSame([await ask(key), await ask(next)], [401, 200])
  })

  await t.test('what cannot be is one line', async (t) => {
    t.strictSame(await create('--name', 'x', '--scope', 'two words'), failedWith('a scope has printable ASCII characters, without spaces, " and \\'))
    t.strictSame(await create('--name', 'x', '--access-ttl', '2h'), failedWith('the lifetime must be from 1 to 3600 seconds'))
    t.match(await create('--name', 'x', '--access-ttl', 'soon'), { status: 2, stderr: /^tessera: --access-ttl must be a time/ })
    t.strictSame(await tessera(['client', 'create', '--name', 'x', '--jwks', '-'], { input: JSON.stringify(publicKey('a').privateJwk) }), failedWith('the key set must have public keys only'))
    const { jwk } = publicKey('a')
    const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    for (const verb of [['create', '--name', 'x'], ['rotate', unknownId]]) {
      const give = (keys: readonly object[]) => tessera(['client', ...verb, '--jwks', '-'], { input: JSON.stringify({ keys }) })
      t.strictSame(await give([jwk, { ...rsa.export({ format: 'jwk' }), kid: 'old', e: 'AQ' }]), failedWith('key "old": the public exponent e must be odd and from 65537 to 2^64: make a new key with 65537'))
      t.strictSame(await give([{ ...jwk, kid: undefined, use: 'enc' }]), failedWith('key 1: use must be sig: the key is not meant for signatures'))
    }
    t.match(await tessera(['client', 'rotate', unknownId, '--overlap', '1h', '--jwks', '-']), { status: 2, stderr: /^tessera: only one of --overlap, --jwks may be given/ })
    t.strictSame(await tessera(['client', 'rotate', unknownId]), failedWith('there is no such client'))
    t.strictSame(await tessera(['client', 'delete', 'nonsense']), failedWith('there is no such client'))
  })

  await t.test('list shows no secret', async (t) => {
    const { clientId, clientSecret } = credentialsIn(await create('--name', 'a first', '--json'))
    const run = await tessera(['client', 'list'])
    t.match(run, { status: 0, stderr: /^$/, stdout: /^ID +NAME +SCOPES +BY +TOKEN SECONDS +CREATED\n[0-9a-f-]{36} +a first +- +secret +- +\S+Z\n[0-9a-f-]{36} +brief +- +secret +120 / })
    t.match(run.stdout, / signer +revocations +private_key_jwt /)
    const everything = await tessera(['client', 'list', '--json'])
    t.match(jsonOf(everything), [{ clientId, name: 'a first' }, { name: 'brief' }, { name: 'reports' }, { name: 'signer' }])
    for (const { stdout } of [run, everything]) t.notMatch(stdout, clientSecret)
  })

  await t.test('rotate ends the old secret and its tokens at once; with an overlap both serve', async (t) => {
    const old = credentialsIn(await create('--name', 'rotated', '--json'))
    const { accessToken } = await grant(node, old)
    const run = await tessera(['client', 'rotate', old.clientId, '--json'])
    t.match(jsonOf(run), { clientId: old.clientId, clientSecret: secretPattern, overlapSeconds: 0 })
    t.equal((await grant(node, old)).status, 401)
    t.equal(await soonDead(() => tokenFate(node, accessToken)), 'access_token_invalid')
    t.match(await lastEvent(node), { type: 'client_rotated', actor: { kind: 'operator' } })

    const current = credentialsIn(run)
    const kept = await grant(node, current)
    const next = credentialsIn(await tessera(['client', 'rotate', old.clientId, '--overlap', '10m', '--json']))
    t.strictSame([(await grant(node, current)).status, (await grant(node, next)).status], [200, 200])
    t.equal(await tokenFate(node, kept.accessToken), 'alive')
    await node.clock.advance(601)
    t.strictSame([(await grant(node, current)).status, (await grant(node, next)).status], [401, 200])
  })

  await t.test('delete ends a client and its tokens at once', async (t) => {
    const given = credentialsIn(await create('--name', 'gone', '--json'))
    const { accessToken } = await grant(node, given)
    t.equal(await tokenFate(node, accessToken), 'alive')
    t.strictSame(await tessera(['client', 'delete', given.clientId]), { status: 0, stdout: `${given.clientId}: the client is deleted\n`, stderr: '' })
    t.equal(await soonDead(() => tokenFate(node, accessToken)), 'access_token_invalid')
    t.equal((await grant(node, given)).status, 401)
    t.match(await lastEvent(node), { type: 'client_deleted', detail: { client: given.clientId } })
  })
})
