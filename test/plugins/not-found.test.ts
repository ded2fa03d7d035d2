import t from 'tap'
import { buildHttpApp, listen, RawClient, statusOf } from '../support/http.js'

const { app, logText } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off', CORS_ORIGINS: 'https://app.example' },
  routes(app) {
    app.post('/auth/login', () => ({}))
    app.get('/things', () => ({}))
    app.get('/things/:id', () => ({}))
    app.delete('/things/:id', () => ({}))
    app.get('/files/*', () => ({}))
    app.register(
      (scope, _options, done) => {
        scope.put('/inner/:id/roll', () => ({}))
        done()
      },
      { prefix: '/outer' },
    )
  },
})
const port = await listen(app)

async function ask(method: string, target: string, headers = ''): Promise<{ status: number; allow: string | undefined; text: string }> {
  const client = new RawClient(port)
  const text = await client.say(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`).hears(/\r\n\r\n/)
  client.socket.destroy()
  return { status: statusOf(text), allow: /\r\nallow: (.*)\r\n/i.exec(text)?.[1], text }
}

await t.test('case 61: a known path with another method: 405, and Allow says which it takes', async (t) => {
  const cases: [method: string, target: string, allow: string][] = [
    ['GET', '/auth/login', 'POST'],
    ['HEAD', '/auth/login', 'POST'],
    ['OPTIONS', '/auth/login', 'POST'],
    ['TRACE', '/auth/login', 'POST'],
    ['PROPFIND', '/auth/login', 'POST'],
    ['GET', '/auth/login/', 'POST'],
    ['GET', '/%61uth/login?access_token=S3CRET', 'POST'],
    ['POST', '/things', 'GET, HEAD'],
    ['PATCH', '/things/7', 'GET, HEAD, DELETE'],
    ['POST', '/things/a%2Fb/', 'GET, HEAD, DELETE'],
    ['POST', '/files/a/b', 'GET, HEAD'],
    ['GET', '/outer/inner/7/roll', 'PUT'],
    ['POST', 'http://localhost/things', 'GET, HEAD'],
  ]
  for (const [method, target, allow] of cases) {
    const answer = await ask(method, target)
    t.strictSame([answer.status, answer.allow], [405, allow], `${method} ${target}`)
  }
})

await t.test('an unknown path: 404 with any method', async (t) => {
  for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE']) {
    for (const target of ['/nope', '/things/7/nope', '/auth', '/AUTH/login', '//auth/login', '/auth/login;x', '/auth/login%3Bx', '/auth/login%3fx', '/auth/login%00']) {
      const answer = await ask(method, target)
      t.strictSame([answer.status, answer.allow], [404, undefined], `${method} ${target}`)
    }
  }
  t.equal((await ask('OPTIONS', '*')).status, 404)
})

await t.test('what is not there has no opinion on bodies', async (t) => {
  t.equal((await ask('POST', '/nope', 'Content-Type: text/plain\r\nContent-Length: 100\r\n')).status, 404)
  t.equal((await ask('PUT', '/auth/login', 'Content-Type: application/json\r\nContent-Length: 1000000\r\n')).status, 405)
})

await t.test('case 61: method override changes nothing', async (t) => {
  t.equal((await ask('GET', '/auth/login', 'X-HTTP-Method-Override: POST\r\n')).status, 405)
  t.equal((await ask('GET', '/auth/login?_method=POST')).status, 405)
})

await t.test('case 63: the query is in no answer and no log line, of whatever path', async (t) => {
  const targets = ['/nope?access_token=S3CRET', '/%zz?access_token=S3CRET', '/things?access_token=S3CRET', '/nope%3Faccess_token=S3CRET', '/nope;access_token=S3CRET', '/nope#access_token=S3CRET', 'http://x/nope?access_token=S3CRET', '/?access_token=S3CRET', '?access_token=S3CRET', '*?access_token=S3CRET']
  for (const target of targets) {
    for (const method of ['GET', 'POST', 'OPTIONS']) t.notMatch((await ask(method, target)).text, /S3CRET/, `${method} ${target}`)
  }
  t.notMatch(logText(), /S3CRET/)
})

await t.test('a URL that cannot be read: 400 with an id, no-store and one log line', async (t) => {
  const { status, text } = await ask('GET', '/%zz?x', 'X-Request-Id: unreadable\r\n')
  t.equal(status, 400)
  t.match(text, /x-request-id: unreadable/i)
  t.match(text, /cache-control: no-store/i)
  t.equal(logText().split('\n').filter((line) => line.includes('"unreadable"') && line.includes('"answered"')).length, 1)
})
