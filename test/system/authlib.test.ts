import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { call } from '../support/auth-client.js'
import { issueEveryKind } from '../support/resource-servers.js'

const hasAuthlib = spawnSync('python3', ['-c', 'import authlib.oauth2.rfc9068, requests']).status === 0
const skip = hasAuthlib ? false : 'needs Python 3 with Authlib and requests, which are not installed'

interface Verdicts {
  readonly tokens: Readonly<Record<string, unknown>>
  readonly introspected: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, string>>
}

/** Runs test/support/authlib_resource_server.py, which says what it reads and writes. */
async function askAuthlib(question: object): Promise<Verdicts> {
  const python = spawn('python3', [path.join(packageRoot, 'test/support/authlib_resource_server.py')], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, AUTHLIB_INSECURE_TRANSPORT: '1' } })
  python.stdin.end(JSON.stringify(question))
  const exit = new Promise<number | null>((resolve) => python.once('exit', resolve))
  const [output, status] = await Promise.all([text(python.stdout), exit])
  if (status !== 0) throw new Error(`python3 ended with ${status ?? 'a signal'}`)
  return JSON.parse(output) as Verdicts
}

await t.test('Authlib takes access tokens by RFC 9068 and by introspection, and nothing else of ours [attack:other-token-at-authlib]', { skip }, async (t) => {
  const { node, userId, client, good, apiKey, others, forAnother } = await issueEveryKind(t)
  const get = async (name: string) => (await call(node, `/.well-known/${name}`, { method: 'GET' })).json
  const issuer = node.config.publicUrl.href
  const verdicts = await askAuthlib({
    issuer,
    audience: issuer,
    client_id: client.id,
    client_secret: client.secret,
    jwks: await get('jwks.json'),
    metadata: { oauth: await get('oauth-authorization-server'), openid: await get('openid-configuration') },
    tokens: { ...good, ...others, 'API key': apiKey, 'token for another audience': forAnother },
  })
  for (const name of Object.keys(good)) {
    t.match(verdicts.tokens[name], { iss: issuer, aud: issuer, sub: userId, scope: 'profile', client_id: /./ }, name)
    t.match(verdicts.introspected[name], { active: true, sub: userId, scope: 'profile', client_id: /./ }, `${name}, introspected`)
  }
  for (const name of Object.keys(others)) t.strictSame([verdicts.tokens[name], verdicts.introspected[name]], ['invalid_token', 'invalid_token'], name)
  t.strictSame([verdicts.tokens['token for another audience'], verdicts.introspected['token for another audience']], ['invalid_token', 'invalid_token'], 'a token for another audience')
  t.equal(verdicts.tokens['API key'], 'invalid_token', 'an API key is no JWT')
  t.match(verdicts.introspected['API key'], { active: true, sub: userId }, 'and is known to whoever asks')
  t.strictSame(verdicts.metadata, { oauth: 'valid', openid: 'valid' })
})
