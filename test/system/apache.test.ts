import { createServer } from 'node:http'
import t from 'tap'
import { skipWithoutApache as skip, startApache } from '../support/apache.js'
import { freePort } from '../support/free-port.js'
import { issueEveryKind } from '../support/resource-servers.js'
import { startTlsFront } from '../support/tls-front.js'

/** A service that says whom Apache told it of. */
async function startService(port: number): Promise<() => void> {
  const server = createServer((request, response) => response.end(String(request.headers['x-auth-user'])))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return () => {
    server.closeAllConnections()
    server.close()
  }
}

await t.test("Apache's OpenID module lets in access tokens, and no refresh, ID or identity token [attack:other-token-at-apache]", { skip }, async (t) => {
  const [introspecting, verifying, service, tls] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const { node, userId, client, good, apiKey, others, forAnother } = await issueEveryKind(t, `https://127.0.0.1:${tls}`)
  t.teardown(await startService(service))
  const { certificateFile } = await startTlsFront(t, tls, node.url)
  await startApache(t, 'docs/resource-servers/apache.conf', [introspecting, verifying], certificateFile, {
    CLIENT_ID: client.id,
    CLIENT_SECRET: client.secret,
    '127.0.0.1:8080': `127.0.0.1:${introspecting}`,
    '127.0.0.1:8081': `127.0.0.1:${verifying}`,
    'https://id.example.com': `https://127.0.0.1:${tls}`,
    '127.0.0.1:3000': `127.0.0.1:${service}`,
  })
  const ask = async (port: number, token: string | null): Promise<readonly [number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}/orders`, { headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), 'x-auth-user': 'forged' } })
    const text = await response.text()
    return [response.status, response.status === 200 ? text : '']
  }

  for (const [how, port] of [['by introspection', introspecting], ['by the published keys', verifying]] as const) {
    for (const [name, token] of Object.entries(good)) t.strictSame(await ask(port, token), [200, userId], `${name}, ${how}`)
    for (const [name, token] of Object.entries({ ...others, 'token for another audience': forAnother, nonsense: 'nonsense' })) t.match((await ask(port, token))[0], /^40[13]$/, `${name}, ${how}`)
    t.equal((await ask(port, null))[0], 401, `no token, ${how}`)
  }
  t.strictSame(await ask(introspecting, apiKey), [200, userId], 'an API key, by introspection')
  const { 'access token of pin': token = '' } = good
  t.equal((await fetch(`${node.url}/auth/logout`, { method: 'POST', headers: { cookie: `accessToken=${token}` } })).status, 200)
  t.equal((await ask(introspecting, token))[0], 401, 'after a logout, by introspection')
})
