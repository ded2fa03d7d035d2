import { METHODS } from 'node:http'
import t from 'tap'
import { withUser } from '../../support/verify-user.js'

const trusting = await withUser(t, { TRUST_PROXY: '127.0.0.1', CORS_ORIGINS: 'https://app.example.com' })
const trustless = await withUser(t, {})
const bearer = `Authorization: Bearer ${trusting.accessToken}`
const asked = ['X-Original-URI: /orders', 'X-Original-Method: GET']

await t.test('a demand is read or refused, however the path of /verify is spelled [attack:demand-dropped]', async (t) => {
  const { say } = trusting
  const demands = ['scope=admin', 'role=admin', 'scope=profile&scope=admin', 'scope=', 'scopes=admin', 'SCOPE=admin', '%73cope=admin', 'sc%6Fpe=admin', 'scope=%61dmin', 'token_for=x', 'page=2', 'access_token=x&scope=admin']
  const paths = ['/verify', '/verify/', '/verify//', '//verify', '/VERIFY', '/verify;x', '/verify/;x', '/verify%2F', '/verify%2f/', '/%76erify', '/%76erify/', '/verif%79/', '/verify/.', '/verify/..', '/verify/../verify', 'http://tessera/verify', 'http:///verify', 'http:///verify/', 'https:///verify', '/verify/%2e', '/verify#']
  for (const path of paths) {
    for (const demand of demands) {
      for (const more of [[], asked]) {
        const { status, text } = await say(`${path}?${demand}`, [bearer, ...more])
        if (![400, 401, 403, 404, 421].includes(status)) t.fail(`${path}?${demand} ${more.length}: ${text.slice(0, 200)}`)
      }
    }
  }
  t.equal((await say('/verify?scope=profile', [bearer, ...asked])).status, 200)
  t.equal((await say('/verify/?scope=profile', [bearer, ...asked])).status, 200)
  t.equal((await say('/%76erify?scope=profile', [bearer, ...asked])).status, 200)
})

await t.test('Envoy may ask about the root with a query, if it says that it is Envoy, and nobody else can say so for it [attack:demand-dropped]', async (t) => {
  const { say } = trusting
  t.equal((await say('/verify/', [bearer])).status, 200)
  t.equal((await say('/verify/?page=2', [bearer])).status, 403)
  t.equal((await say('/verify/?page=2&scope=admin', [bearer, 'X-Original-Form: below'])).status, 200)
  t.equal((await say('/verify/?scope=admin', [bearer, ...asked, 'X-Original-Form: below'])).status, 403)
  t.equal((await say('/verify/?scope=admin', [bearer, 'X-Forwarded-Uri: /?scope=admin', 'X-Forwarded-Method: GET', 'X-Original-Form: below'])).status, 403)
})

await t.test('an original URI that two servers may read differently is refused, wherever it stands [attack:original-uri-read-twice]', async (t) => {
  const { say } = trusting
  for (const uri of ['/orders/x/..;/admin/', '/orders/x/..%3b/admin', '/orders/%u002e%u002e/admin', '/orders/%c0%ae%c0%ae/admin', '/orders/x/..%09/admin', '/orders/%252e%252e/admin', '/orders;x/admin', '/orders/%61dmin/']) {
    t.equal((await say('/verify', [bearer, `X-Original-URI: ${uri}`, 'X-Original-Method: GET'])).status, 403, uri)
    t.equal((await say('/verify', [bearer, `X-Forwarded-Uri: ${uri}`, 'X-Forwarded-Method: GET'])).status, 403, uri)
    const { status } = await say(`/verify${uri}`, [bearer])
    t.ok(status === 403 || status === 400, `below /verify: ${uri}: ${status}`)
  }
  for (const uri of ['/orders/a%20b', '/orders/caf%C3%A9', '/orders/?q=..;/%2e']) t.equal((await say('/verify', [bearer, `X-Original-URI: ${uri}`, 'X-Original-Method: GET'])).status, 200, uri)
})

await t.test('what a path may have besides is a setting', async (t) => {
  const { say, accessToken } = await withUser(t, { TRUST_PROXY: '127.0.0.1', VERIFY_PATH_ALLOWS: 'slash,semicolon' })
  const status = async (uri: string) => (await say('/verify', [`Authorization: Bearer ${accessToken}`, `X-Original-URI: ${uri}`, 'X-Original-Method: GET'])).status
  for (const uri of ['/orders/a%2Fb', '/orders;v=1/b']) t.equal(await status(uri), 200, uri)
  for (const uri of ['/orders/a%20b', '/orders/a%2F..%2Fb', '/orders/..;/b']) t.equal(await status(uri), 403, uri)
})

const handshakes: readonly (readonly string[])[] = [
  ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'],
  ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
  ['sec-websocket-version: 13'],
  ['Sec-WebSocket-Extensions: permessage-deflate'],
  ['Upgrade: websocket', 'Connection: Upgrade'],
  ['Upgrade: h2c, WebSocket'],
  ['Sec-Fetch-Mode: websocket'],
  ['Sec-Fetch-Dest: websocket'],
  ['X-Forwarded-Proto: wss'],
]

await t.test('a foreign page opens no WebSocket by the user’s cookie [attack:foreign-websocket]', async (t) => {
  const { say, accessToken } = trusting
  const cookie = `Cookie: accessToken=${accessToken}`
  for (const handshake of handshakes) {
    for (const origin of ['https://evil.example', 'http://127.0.0.1.evil.example', 'null', 'http://127.0.0.1:1']) {
      t.equal((await say('/verify', [cookie, ...asked, ...handshake, `Origin: ${origin}`])).status, 403, `${handshake.join()} ${origin}`)
    }
    t.equal((await say('/verify/orders', [cookie, ...handshake, 'Origin: https://evil.example'])).status, 403, `below /verify: ${handshake.join()}`)
    for (const origin of ['https://app.example.com', 'http://127.0.0.1:9154']) t.equal((await say('/verify', [cookie, ...asked, ...handshake, `Origin: ${origin}`])).status, 200, `${handshake.join()} ${origin}`)
    t.equal((await say('/verify', [bearer, ...asked, ...handshake, 'Origin: https://evil.example'])).status, 200, 'a header is no browser’s doing')
    t.equal((await say('/verify', [cookie, ...asked, ...handshake])).status, 200, 'no browser')
  }
  t.equal((await say('/verify', [cookie, ...asked, 'Origin: https://evil.example'])).status, 200, 'an ordinary GET')
  for (const method of ['CONNECT', 'get', 'POST', 'PROPFIND']) t.equal((await say('/verify', [cookie, 'X-Original-URI: /orders', `X-Original-Method: ${method}`, 'Origin: https://evil.example'])).status, 403, method)
})

await t.test('a page of the service behind the gateway may act, one of its neighbour may not [attack:foreign-websocket]', async (t) => {
  const { say, accessToken } = trusting
  const page = (origin: string, host: readonly string[]) => say('/verify', [`Cookie: accessToken=${accessToken}`, 'X-Original-URI: /orders', 'X-Original-Method: POST', ...host, `Origin: ${origin}`])
  const shop = ['X-Forwarded-Host: shop.example.com', 'X-Forwarded-Proto: https']
  t.equal((await page('https://shop.example.com', shop)).status, 200)
  for (const origin of ['https://www.example.com', 'http://shop.example.com', 'https://shop.example.com:8443', 'https://shop.example.com.evil.example']) t.equal((await page(origin, shop)).status, 403, origin)
  t.equal((await page('https://shop.example.com', [...shop, 'X-Forwarded-Host: other.example.com'])).status, 403, 'two hosts are none')
})

await t.test('any method that Node takes may be asked about, with a body that nobody reads', async (t) => {
  const { say } = trusting
  for (const method of METHODS.filter((name) => name !== 'CONNECT')) {
    for (const path of ['/verify', '/verify/orders/7', '/verify/']) {
      t.equal((await say(path, [bearer, ...(path === '/verify' ? asked : [])], method)).status, 200, `${method} ${path}`)
      t.equal((await say(path, ['X-Original-URI: /orders', 'X-Original-Method: PROPFIND'], method)).status, path === '/verify' ? 401 : 403, `${method} ${path}`)
    }
    if (method !== 'GET' && method !== 'HEAD') {
      const body = ['Content-Type: text/xml; charset=utf-16', 'Content-Length: 3', '', '<x>'].join('\r\n')
      t.equal((await say('/verify', [bearer, ...asked, body], method)).status, 200, `${method} with a body`)
    }
  }
  for (const method of ['PROPFIND', 'LOCK', 'MKCOL']) {
    t.equal((await say('/users/me', [], method)).status, 405, `${method} elsewhere`)
    t.equal((await say('/nope', [], method)).status, 404, `${method} nowhere`)
  }
})

const preflight = ['Origin: https://app.example.org', 'Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: authorization']
const options = ['X-Original-URI: /orders', 'X-Original-Method: OPTIONS']

await t.test('a CORS preflight passes, and opens nothing', async (t) => {
  for (const { status, text } of [
    await trusting.say('/verify', [...options, ...preflight]),
    await trusting.say('/verify', [...options, ...preflight], 'OPTIONS'),
    await trusting.say('/verify?scope=admin', [...options, ...preflight]),
    await trusting.say('/verify', [...options, ...preflight, bearer]),
    await trusting.say('/verify', [...options, ...preflight, 'Content-Length: 0', 'X-Auth-User: forged']),
    await trusting.say('/verify/orders', preflight, 'OPTIONS'),
  ]) {
    t.equal(status, 200, text)
    for (const name of ['user', 'username', 'email', 'session', 'scopes', 'method']) t.match(text.toLowerCase(), new RegExp(`\r\nx-auth-${name}: *\r\n`))
    t.notMatch(text, /x-auth-token|forged/i)
  }
})

await t.test('what only looks like a preflight is asked for a credential [attack:preflight-opens]', async (t) => {
  const { say } = trusting
  const [origin = '', method = ''] = preflight
  const looks: [what: string, headers: string[], sent?: string][] = [
    ['no Origin', [...options, method]],
    ['no requested method', [...options, origin]],
    ['an empty requested method', [...options, origin, 'Access-Control-Request-Method:']],
    ['two requested methods', [...options, ...preflight, method]],
    ['two origins', [...options, ...preflight, origin]],
    ['a GET', [...asked, ...preflight]],
    ['options', ['X-Original-URI: /orders', 'X-Original-Method: options', ...preflight]],
    ['a GET that is asked about by OPTIONS', [...asked, ...preflight], 'OPTIONS'],
    ['a body', [...options, ...preflight, 'Content-Length: 3', '', 'a=b']],
    ['a handshake', [...options, ...preflight, 'Sec-WebSocket-Key: x']],
  ]
  for (const [what, headers, sent] of looks) t.equal((await say('/verify', headers, sent)).status, 401, what)
  t.equal((await say('/verify', ['X-Original-Method: OPTIONS', ...preflight])).status, 403, 'no URI')
  t.equal((await say('/verify', ['X-Original-URI: /a/..;/b', 'X-Original-Method: OPTIONS', ...preflight])).status, 403, 'not canonical')
  t.equal((await say('/verify?scopes=admin', [...options, ...preflight])).status, 400, 'a mistyped demand')
  t.equal((await trustless.say('/verify', [...options, ...preflight], 'OPTIONS')).status, 401, 'nobody who is trusted says so')
})

await t.test('VERIFY_PREFLIGHT=refuse asks preflights for a credential too', async (t) => {
  const { say } = await withUser(t, { TRUST_PROXY: '127.0.0.1', VERIFY_PREFLIGHT: 'refuse' })
  t.equal((await say('/verify', [...options, ...preflight])).status, 401)
})
