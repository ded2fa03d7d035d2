import t from 'tap'
import { redacted } from '../../src/http/redaction.js'
import { startTestApp } from '../support/app.js'
import { enter, newPerson } from '../support/dialect-clients.js'

await t.test('what looks like a credential of ours is taken out, and nothing else', (t) => {
  const jwt = 'eyJraWQiOiJhIn0.eyJzdWIiOiJiIn0.c2lnbmF0dXJl'
  const secrets = [jwt, jwt.slice(0, 20), jwt.replaceAll('.', '%2E'), `eyJraWQiOiJhIn0.e30.`, 'sk_live_abc', 'sk%5Flive%5Fabc', 'SK_LIVE_ABC', 'A'.repeat(43), 'a1'.repeat(32), '%41'.repeat(43)]
  for (const secret of secrets) {
    for (const [before, after] of [['/keys/', ''], ['/users/me&access_token=', ''], ['/a/', '/b'], ['error: ', ' was refused']] as const) t.equal(redacted(before + secret + after), `${before}[redacted]${after}`, before + secret)
  }
  t.equal(redacted('/users/me&access_token=T'), '/users/me&access_token=[redacted]')
  t.equal(redacted('/users/me%26refresh_token%3DT&client_secret=a&pin=1234/x'), '/users/me%26refresh_token%3D[redacted]&client_secret=[redacted]&pin=[redacted]/x')
  for (const text of ['', '/', '/api/v1/auth/keys/key_01890a5d-ac96-774b-bcce-b302099a8057', '/admin/users/01890a5d-ac96-774b-bcce-b302099a8057/sessions', '/.well-known/oauth-authorization-server', '/orders/a%20b', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', 'data exception']) t.equal(redacted(text), text)
  t.end()
})

await t.test('a credential that stands in the wrong place reaches no log line, no answer and no record [attack:credential-in-a-path]', async (t) => {
  const node = await startTestApp(t)
  const person = await newPerson(node)
  const { accessToken, refreshToken } = await enter(node, 'bearer', person)
  const minted = await node.app.inject({ method: 'POST', url: '/api/v1/auth/keys', headers: { authorization: `Bearer ${accessToken}` } })
  const key = minted.json<{ apiKey: string }>().apiKey
  const secret = 'Zm9v'.repeat(11)
  const credentials = [accessToken, refreshToken, key, secret, accessToken.split('.').slice(0, 2).join('.'), key.slice(0, 20)]
  for (const credential of credentials) {
    for (const url of [`/users/me&access_token=${credential}`, `/keys/${credential}`, `/users/${credential}`, `/api/v1/auth/keys/${credential}`, `/${credential}/x`, `/nope/${credential.replaceAll('_', '%5F').replaceAll('.', '%2e')}`, `/%zz/${credential}`, `/users/me;${credential}`]) {
      const answer = await node.app.inject({ url, headers: { 'x-request-id': credential.slice(0, 128), 'user-agent': `curl ${credential}` } })
      t.ok(answer.statusCode >= 400 && answer.statusCode < 500, url)
      t.notOk(answer.body.includes(credential), `${answer.body} of ${url}`)
    }
  }
  await node.app.inject({ method: 'POST', url: '/api/v1/auth/login', headers: { 'user-agent': `curl ${key}` }, payload: { username: person.username, password: person.password } })
  const { rows } = await node.core.pool.query<{ text: string }>('select row_to_json(s)::text as text from sessions s union all select row_to_json(a)::text from audit_events a')
  const written = [...node.logLines, ...rows.map(({ text }) => text)].join('\n').replaceAll(/"requestId":"Zm9v[^"]*"/g, '')
  for (const credential of credentials) t.notOk(written.includes(credential), credential.slice(0, 12))
  t.ok(node.logLines.some((line) => line.includes('"path":"/keys/[redacted]"')))
})
