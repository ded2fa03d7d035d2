import t, { type Test } from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, cookieHeader, footprint, type Answer, type Call } from '../../support/auth-client.js'

const paths = ['/auth/login', '/auth/refresh', '/auth/logout'] as const
const secret = 'correct horse battery staple'

const node = await startTestApp(t)
await node.createUser({ username: 'jane', email: 'jane@example.com', pin: '4711', password: secret })
const pin = await call(node, '/auth/login', { body: { name: 'jane', pin: '4711' } })
const directus = await call(node, '/auth/login', { body: { email: 'jane@example.com', password: secret, mode: 'cookie' } })
/** Whoever was chosen would succeed, and change something. */
const cookie = cookieHeader(pin.cookies, directus.cookies)

interface Due {
  readonly status: number
  readonly message: string
  readonly code: string
  /** What `directus` says, where it is not what `pin` says and a full stop. */
  readonly ofDirectus?: string
}

const bodyOf = ({ message, code, ofDirectus }: Due): string => {
  const isPayload = code === 'INVALID_PAYLOAD'
  const extensions = { code, ...(isPayload ? { reason: message } : {}) }
  return JSON.stringify({ message, errors: [{ message: ofDirectus ?? (isPayload ? `Invalid payload. ${message}.` : `${message}.`), extensions }] })
}

function isRefusal(t: Test, answer: Answer, due: Due, label: string) {
  t.equal(answer.text, bodyOf(due), label)
  t.equal(answer.status, due.status, label)
  t.same(answer.cookies, {}, label)
  t.equal(answer.headers.get('cache-control'), 'no-store', label)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8', label)
}

const malformed = (message: string): Due => ({ status: 400, message, code: 'INVALID_PAYLOAD' })
const json = { 'content-type': 'application/json' }
const deep = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
const named = '"name":"jane","pin":"4711"'

const unreadable: readonly (readonly [body: string | Uint8Array, due: Due])[] = [
  ['{', malformed('The body is not valid JSON')],
  ['name=jane', malformed('The body is not valid JSON')],
  [`{${named},}`, malformed('The body is not valid JSON')],
  [`{'name':'jane'}`, malformed('The body is not valid JSON')],
  [`\u{feff}{${named}}`, malformed('The body is not valid JSON')],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), malformed('The body is not valid UTF-8')],
  [`{${named},"pin":"4711"}`, malformed('The body has two members of one name')],
  [`{${named},"p\\u0069n":"4711"}`, malformed('The body has two members of one name')],
  [`{${named},"x":{"a":1,"a":2}}`, malformed('The body has two members of one name')],
  [`{${named},"__proto__":{"role":"admin"}}`, malformed('The body has a member named __proto__')],
  [`{${named},"x":{"\\u005f_proto__":1}}`, malformed('The body has a member named __proto__')],
  [`{${named},"constructor":{"prototype":{}}}`, malformed('The body has a member named constructor')],
  [`{${named},"constructor":"x"}`, malformed('The body has a member named constructor')],
  [`{"name":"jane\\u0000","pin":"4711"}`, malformed('The body has a NUL or half a surrogate pair in a string')],
  [`{"name":"jane","pin":"\\ud800"}`, malformed('The body has a NUL or half a surrogate pair in a string')],
  [`{${named},"x":"\\udc00\\ud800"}`, malformed('The body has a NUL or half a surrogate pair in a string')],
  [`{${named},"x":${deep(32)}}`, malformed('The body is nested deeper than 32')],
  [`{${named},"x":${'['.repeat(5000)}${']'.repeat(5000)}}`, malformed('The body is nested deeper than 32')],
  ['null', malformed('The body must be an object')],
  ['true', malformed('The body must be an object')],
  ['0', malformed('The body must be an object')],
  ['"jane"', malformed('The body must be an object')],
  ['[]', malformed('The body must be an object')],
  [`[{${named}}]`, malformed('The body must be an object')],
]

await t.test('case 41: case 42: what cannot be read as an object is 400 in the shape for both, and nothing happens', async (t) => {
  const before = await footprint(node)
  for (const path of paths) {
    for (const [body, due] of unreadable) isRefusal(t, await call(node, path, { body, headers: { ...json, cookie } }), due, `${path} ${String(body).slice(0, 60)}`)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 42: a body of the wrong type, compressed or too large is 415 or 413 in the shape for both, and nothing happens', async (t) => {
  const before = await footprint(node)
  const unsupported: Due = { status: 415, message: 'Unsupported media type', code: 'UNSUPPORTED_MEDIA_TYPE' }
  const tooLarge: Due = { status: 413, message: 'Request body too large', code: 'CONTENT_TOO_LARGE' }
  const body = `{${named}}`
  const calls: (readonly [Call, Due])[] = [
    ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', 'text/json', 'application/json; charset=utf-16'].map(
      (type): [Call, Due] => [{ body, headers: { 'content-type': type } }, unsupported],
    ),
    [{ body: Buffer.from(body), headers: { 'content-type': '' } }, unsupported],
    [{ body, headers: { ...json, 'content-encoding': 'gzip' } }, unsupported],
    [{ body, headers: { ...json, 'content-encoding': 'identity, br' } }, unsupported],
    [{ body: `{${named},"x":"${'x'.repeat(16_384)}"}`, headers: json }, tooLarge],
  ]
  for (const path of paths) {
    for (const [call_, due] of calls) isRefusal(t, await call(node, path, { ...call_, headers: { ...call_.headers, cookie } }), due, `${path} ${JSON.stringify(call_.headers)}`)
  }
  t.equal(await footprint(node), before)
})

await t.test('a body of 16 KB, 32 levels and a charset is none too many', async (t) => {
  const padding = 'x'.repeat(16_384 - `{${named},"x":""}`.length)
  t.equal((await call(node, '/auth/login', { body: `{${named},"x":"${padding}"}` })).status, 200)
  t.equal((await call(node, '/auth/login', { body: `{${named},"x":${deep(31)}}` })).status, 200)
  t.equal((await call(node, '/auth/login', { body: `{${named}}`, headers: { 'content-type': 'Application/JSON; charset="UTF-8"' } })).status, 200)
})

await t.test('case 46: what comes from another site is 403 in the shape for both, and nothing happens', async (t) => {
  const before = await footprint(node)
  const due: Due = { status: 403, message: 'Cross-site request refused', code: 'FORBIDDEN', ofDirectus: "You don't have permission to access this." }
  const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]
  for (const path of paths) {
    for (const headers of foreign) isRefusal(t, await call(node, path, { body: { name: 'jane', pin: '4711' }, headers: { ...headers, cookie } }), due, path)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 61: another method than POST is 405 with Allow in the shape for both, and nothing happens', async (t) => {
  const before = await footprint(node)
  const due: Due = { status: 405, message: 'Method not allowed', code: 'METHOD_NOT_ALLOWED' }
  for (const path of [...paths, '/auth/login/']) {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const answer = await call(node, path, { method, headers: { cookie, 'x-http-method-override': 'POST' } })
      isRefusal(t, answer, due, `${method} ${path}`)
      t.equal(answer.headers.get('allow'), 'POST')
    }
    const head = await call(node, path, { method: 'HEAD', headers: { cookie } })
    t.same([head.status, head.headers.get('allow'), head.text], [405, 'POST', ''])
  }
  t.equal(await footprint(node), before)
})

await t.test('an unknown path is 404 in the shape for both, with the path and without its query', async (t) => {
  for (const [sent, shown] of [
    ['/auth/x', '/auth/x'],
    ['/auth/x/', '/auth/x/'],
    ['/auth/login/ldap', '/auth/login/ldap'],
    ['/auth/$&?access_token=secret', '/auth/$&'],
    ['/auth/%22%3C', '/auth/%22%3C'],
    ['/auth', '/auth'],
    ['/auth/', '/auth/'],
  ] as const) {
    const due: Due = { status: 404, message: 'Not found', code: 'ROUTE_NOT_FOUND', ofDirectus: `Route ${shown} doesn't exist.` }
    for (const method of ['GET', 'POST']) isRefusal(t, await call(node, sent, { method }), due, `${method} ${sent}`)
  }
})

await t.test('a login that names neither dialect, or both, is 400 in the shape for both, and nothing is counted', async (t) => {
  const before = await footprint(node)
  const neither = malformed('name and pin, or email and password, are required')
  const both = malformed('The body must have name and pin or email and password, not members of both')
  for (const body of [undefined, {}, { otp: '123456' }, { mode: 'json', refresh_token: 'x' }, { username: 'jane', Name: 'jane' }]) {
    isRefusal(t, await call(node, '/auth/login', { body, headers: { cookie } }), neither, JSON.stringify(body ?? null))
  }
  for (const body of [{ name: 'jane', password: secret }, { email: 'jane@example.com', pin: '4711' }, { name: null, email: null }]) {
    isRefusal(t, await call(node, '/auth/login', { body, headers: { cookie } }), both, JSON.stringify(body))
  }
  isRefusal(t, await call(node, '/auth/login', { body: '', headers: { ...json, cookie } }), neither, 'a zero-length body is none')
  t.equal(await footprint(node), before)
})

await t.test('too many requests are 429 with Retry-After in the shape for both, and every one is counted', async (t) => {
  const limited = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '3/min', RATE_LIMIT_REFRESH: '2/min', RATE_LIMIT_DEFAULT: '1/min' } })
  const due: Due = { status: 429, message: 'Too many requests', code: 'REQUESTS_EXCEEDED' }
  for (const [path, free] of [['/auth/login', 3], ['/auth/refresh', 2], ['/auth/logout', 1]] as const) {
    for (let i = 0; i < free; i += 1) t.not((await call(limited, path, { body: '{', headers: json })).status, 429)
    const answer = await call(limited, path, { body: {} })
    isRefusal(t, answer, due, path)
    t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/)
  }
})
