import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { readCookie } from '../../plugins/cookie-transport.js'
import { extractCredential } from '../../plugins/token-extraction.js'
import { buildHttpApp, listen, RawClient, statusOf } from '../support/http.js'

const key = 'sk_live_0123456789'
const { app } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off' },
  routes(app) {
    const extract = (request: FastifyRequest) => ({ credential: extractCredential(request) })
    app.get('/users/me', { config: { queryToken: true } }, extract)
    app.post('/users/me', { config: { queryToken: true } }, extract)
    app.get('/elsewhere', extract)
    app.get('/cached', { config: { queryToken: true } }, (_request, reply) => reply.header('cache-control', 'public').header('referrer-policy', 'origin').send({}))
    app.get('/cookie', (request) => readCookie(request, 'accessToken'))
  },
})
const port = await listen(app)

/** The credential that is found, or the status. */
async function found(headers: string[], target = '/users/me', method = 'GET'): Promise<unknown> {
  const answer = await ask(headers, target, method)
  if (statusOf(answer) !== 200) return statusOf(answer)
  return (JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { credential: unknown }).credential
}

async function ask(headers: string[], target: string, method = 'GET'): Promise<string> {
  const client = new RawClient(port)
  const answer = await client.say([`${method} ${target} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n')).hearsAnswer()
  client.socket.destroy()
  return answer
}

const none = { kind: 'none' }
const unusable = { kind: 'unusable' }
const token = (value: string, via: string) => ({ kind: 'access_token', token: value, via })

await t.test('each place where a credential may stand', async (t) => {
  t.strictSame(await found([]), none)
  t.strictSame(await found(['Authorization: Bearer a.b.c']), token('a.b.c', 'header'))
  t.strictSame(await found(['authorization: bEARER   a.b.c']), token('a.b.c', 'header'))
  t.strictSame(await found([`Authorization: Bearer ${key}`]), { kind: 'api_key', key })
  t.strictSame(await found([`X-API-Key: ${key}`]), { kind: 'api_key', key })
  t.strictSame(await found(['X-API-Key: a.b.c']), { kind: 'api_key', key: 'a.b.c' })
  t.strictSame(await found([], '/users/me?access_token=a.b.c'), token('a.b.c', 'query'))
  t.strictSame(await found([], '/users/me?x=1&access%5Ftoken=a.b.c'), token('a.b.c', 'query'))
  t.strictSame(await found(['Cookie: accessToken=a.b.c']), token('a.b.c', 'cookie'))
})

await t.test('a query holds a token only, never an API key', async (t) => {
  t.strictSame(await found([], `/users/me?access_token=${key}`), token(key, 'query'))
})

await t.test('case 13: something explicit that can be no credential: unusable, and no good cookie beside it helps', async (t) => {
  for (const cookie of [[], ['Cookie: accessToken=good']]) {
    for (const header of ['Authorization: Basic YTpi', 'Authorization: Bearer', 'Authorization: Bearer ', 'Authorization:', 'Authorization: a.b.c', 'Authorization: Bearer a b', 'Authorization: Bearer a, Bearer b', 'Authorization: Bearera.b.c', 'X-API-Key:']) {
      t.strictSame(await found([header, ...cookie]), unusable, header)
    }
    t.strictSame(await found(cookie, '/users/me?access_token='), unusable)
    t.strictSame(await found(['Authorization: Bearer bad', ...cookie]), token('bad', 'header'))
  }
})

await t.test('case 13: two explicit credentials, or one twice: 400', async (t) => {
  const authorization = 'Authorization: Bearer a'
  const apiKey = 'X-API-Key: b'
  const query = '?access_token=c'
  for (const [headers, target] of [
    [[authorization, apiKey], '/users/me'],
    [[authorization], `/users/me${query}`],
    [[apiKey], `/users/me${query}`],
    [[authorization], `/elsewhere${query}`],
    [[authorization, authorization], '/users/me'],
    [[authorization, 'AUTHORIZATION: Basic x'], '/users/me'],
    [[apiKey, apiKey], '/users/me'],
    [[authorization, 'X-API-Key:'], '/users/me'],
    [[], `/users/me${query}&access_token=c`],
    [[], `/elsewhere${query}&access_token=c`],
    [['Cookie: accessToken=good', authorization, apiKey], '/users/me'],
  ] as const) {
    t.equal(await found([...headers], target), 400, `${headers.join(', ')} ${target}`)
  }
})

await t.test('case 14: where no query token is taken, it is no credential', async (t) => {
  t.strictSame(await found([], '/elsewhere?access_token=c'), none)
  t.strictSame(await found(['Content-Length: 0'], '/users/me?access_token=c', 'POST'), none)
  t.strictSame(await found(['Cookie: accessToken=good'], '/elsewhere?access_token=c'), token('good', 'cookie'))
})

await t.test('HEAD takes what GET takes', async (t) => {
  t.equal((await app.inject({ method: 'HEAD', url: '/users/me?access_token=c' })).statusCode, 200)
  t.equal((await app.inject({ method: 'HEAD', url: '/users/me?access_token=c&access_token=c' })).statusCode, 400)
})

await t.test('case 14: an answer to a URL with a token is kept by nobody and told to nobody', async (t) => {
  for (const target of ['/cached?access_token=c', '/cached?access%5ftoken=c', '/elsewhere?access_token=c', '/nope?access_token=c']) {
    const answer = await ask([], target)
    t.match(answer, /\r\ncache-control: no-store\r\n/, target)
    t.match(answer, /\r\nreferrer-policy: no-referrer\r\n/, target)
  }
  t.match(await ask([], '/cached'), /\r\ncache-control: public\r\n/)
})

await t.test('case 50: cookies are counted as they were sent', async (t) => {
  const cases: [headers: string[], reading: unknown][] = [
    [[], none],
    [['Cookie: accessToken='], none],
    [['Cookie: accessToken'], none],
    [['Cookie: accessToken=""'], none],
    [['Cookie: xaccessToken=a; AccessToken=b; accessTokenx=c'], none],
    [['Cookie: accessToken=a'], { kind: 'one', value: 'a' }],
    [['Cookie: accessToken="a"'], { kind: 'one', value: 'a' }],
    [['Cookie:  x=1 ;accessToken = a ;y=2'], { kind: 'one', value: 'a' }],
    [['Cookie: accessToken=a=b%20c'], { kind: 'one', value: 'a=b%20c' }],
    [['Cookie: x=1', 'Cookie: accessToken=a'], { kind: 'one', value: 'a' }],
    [['Cookie: accessToken=; accessToken=a'], { kind: 'one', value: 'a' }],
    [['Cookie: accessToken=a; accessToken=b'], { kind: 'many' }],
    [['Cookie: accessToken=a; accessToken=a'], { kind: 'many' }],
    [['Cookie: accessToken=a', 'Cookie: accessToken=b'], { kind: 'many' }],
    [['Cookie: accessToken=a', 'cookie: x=1; accessToken="b"'], { kind: 'many' }],
  ]
  for (const [headers, reading] of cases) {
    const answer = await ask(headers, '/cookie')
    t.strictSame(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)), reading, headers.join(' | '))
  }
})

await t.test('two access token cookies: unusable', async (t) => {
  t.strictSame(await found(['Cookie: accessToken=a; accessToken=b']), unusable)
  t.strictSame(await found(['Cookie: accessToken=a; accessToken=b', 'Authorization: Bearer c']), token('c', 'header'))
})
