import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createApiKey, newApiKeySecret } from '../../src/domain/api-keys.js'
import { createVerifier, tesseraVerify } from '../../src/verify/index.js'
import { startTestApp } from '../support/app.js'
import { freePort } from '../support/free-port.js'

const node = await startTestApp(t)
const admin = await node.createUser({ username: 'root', password: 'correct horse', role: 'admin' })
const keyWith = async (scopes: string[]): Promise<string> => (await createApiKey(node.core.service, admin.id, { name: 'k', scopes, expiresAt: null }, { origin: null })).secret
const nobody = `http://127.0.0.1:${await freePort()}`

/** What a process that did not ask to be told is warned of. */
function warnings(t: Test): string[] {
  const seen: string[] = []
  const listen = ({ name, message }: Error): void => {
    if (name === 'TesseraWarning') seen.push(message)
  }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  return seen
}

const cases = {
  'a key that tessera does not know': { key: newApiKeySecret(), url: node.url, says: `tessera answered 401 to /revocations at ${node.url}: it does not accept the credential of this service` },
  'a key without the scope': { key: await keyWith(['introspect']), url: node.url, says: `tessera answered 403 to /revocations at ${node.url}: the credential of this service lacks the scope revocations` },
  'nobody there': { key: newApiKeySecret(), url: nobody, says: `tessera gave no answer to /revocations at ${nobody}: ECONNREFUSED` },
}

for (const [name, { key, url, says }] of Object.entries(cases)) {
  await t.test(`ready says why it takes so long, once, and gives up with the reason: ${name} [attack:ready-in-silence]`, async (t) => {
    const seen = warnings(t)
    const app = Fastify()
    await app.register(tesseraVerify, { issuer: node.config.publicUrl.href, baseUrl: url, credential: { apiKey: key } })
    t.teardown(() => app.close())
    await t.rejects(app.tessera.ready({ timeoutMs: 1500 }), { code: 'unavailable', statusCode: 503, message: `not ready within 1500 ms: ${says}` })
    t.same(seen, [says])
  })
}

await t.test('with a logger it is logged, and nothing is said twice', async (t) => {
  const seen = warnings(t)
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => lines.push(line) } } })
  await app.register(tesseraVerify, { issuer: nobody, credential: { apiKey: newApiKeySecret() } })
  t.teardown(() => app.close())
  await t.rejects(app.tessera.ready({ timeoutMs: 1000 }), { message: /ECONNREFUSED/ })
  t.same(lines.filter((line) => line.includes('/revocations at')).length, 1)
  t.match(lines.find((line) => line.includes('/revocations at')), `tessera gave no answer to /revocations at ${nobody}: ECONNREFUSED`)
  t.same(seen, [])
})

await t.test('a client whose secret is wrong, and something that is no tessera, are told too', async (t) => {
  const stranger = Fastify()
  stranger.all('/*', (_request, reply) => reply.type('text/html').send('<h1>hello</h1>'))
  const strange = await stranger.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => stranger.close())
  const clientId = '01890000-0000-7000-8000-000000000000'
  const attempts = [
    [{ issuer: node.url, credential: { clientId, clientSecret: 'not the secret' } }, /tessera answered 401 to \/oauth\/token at http:\S+: it does not know this client, or its secret is another$/],
    [{ issuer: strange, credential: { apiKey: newApiKeySecret() } }, /tessera gave no answer to \/revocations at http:\S+: what is there is not JSON$/],
  ] as const
  for (const [options, expected] of attempts) {
    const told: string[] = []
    const verifier = createVerifier({ ...options, onError: ({ message }) => told.push(message) })
    await t.rejects(verifier.ready({ timeoutMs: 2000 }), { message: expected })
    verifier.close()
    t.equal(told.length, 1)
    t.notMatch(told[0], 'not the secret')
  }
})

await t.test('ready resolves in time, and rejects at once when the verifier is closed', async (t) => {
  const verifier = createVerifier({ issuer: node.config.publicUrl.href, baseUrl: `${node.url}//`, credential: { apiKey: await keyWith(['revocations']) } })
  await verifier.ready({ timeoutMs: 10_000 })
  verifier.close()
  const other = createVerifier({ issuer: nobody, credential: { apiKey: newApiKeySecret() }, onError: () => undefined })
  const waiting = other.ready({ timeoutMs: 60_000 })
  other.close()
  await t.rejects(waiting, { message: 'the verifier was closed' })
})

await t.test('a URL with which nothing would ever be reached is refused at once', (t) => {
  const credential = { apiKey: newApiKeySecret() }
  for (const baseUrl of ['tessera:9154', 'id.example.com', 'ftp://id.example.com', 'http://name:password@id.example.com']) {
    t.throws(() => createVerifier({ issuer: 'https://id.example.com', baseUrl, credential }), { name: 'TypeError', message: /^baseUrl must be/ })
  }
  t.end()
})
