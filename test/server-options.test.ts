import t from 'tap'
import { buildHttpApp, listen, RawClient, statusOf } from './support/http.js'

const { app, logText, logLines } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off' },
  routes(app) {
    app.get('/things', () => ({}))
    app.get('/things/:id', (request) => request.params)
    app.post('/echo', (request) => ({ body: request.body ?? null }))
  },
})
const port = await listen(app)

async function heardBy(text: string): Promise<string> {
  const client = new RawClient(port)
  const heard = await client.say(text).hearsAnswer()
  client.socket.destroy()
  return heard
}

await t.test('case 12: a header of 15 KB passes, one that is larger than 16 KiB is 431', async (t) => {
  const withToken = (bytes: number) => heardBy(`GET /things HTTP/1.1\r\nHost: localhost\r\nUser-Agent: some browser\r\nAccept: application/json\r\nAuthorization: Bearer ${'x'.repeat(bytes)}\r\n\r\n`)
  t.equal(statusOf(await withToken(15 * 1024)), 200)
  for (const bytes of [16 * 1024, 64 * 1024, 1024 * 1024]) {
    const answer = await withToken(bytes)
    t.equal(statusOf(answer), 431, String(bytes))
    t.match(answer, /\r\nx-request-id: /i)
    t.match(answer, /\r\nconnection: close\r\n/i)
  }
  t.notMatch(logText(), /xxxx/)
})

await t.test('what is no HTTP: 400 with an id, in our words, and nothing of it in the log', async (t) => {
  const broken = ['S3CRET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\r\nHost: localhost\r\nS3CRET\r\n\r\n', 'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nS3CRET', 'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: S3CRET\r\n\r\n', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n']
  for (const text of broken) {
    const answer = await heardBy(text)
    t.equal(statusOf(answer), 400, JSON.stringify(text))
    t.match(answer, /\r\nx-request-id: [0-9a-f-]{36}\r\n/i)
    t.match(answer, /"detail":"This is not HTTP\/1\.1 \(RFC 9112\)\."\}$/)
  }
  t.notMatch(logText(), /S3CRET/)
})

await t.test('a Host that is missing, stands twice or is no host: 400 with an id, and a line in the log', async (t) => {
  const wrong = ['', 'Host: localhost\r\nHost: localhost\r\n', 'Host: localhost\r\nhost: y\r\n', 'Host: a b\r\n', 'Host: localhost/y\r\n', 'Host: u@x\r\n', 'Host: localhost:y\r\n', 'Host: [::1\r\n']
  for (const host of wrong) {
    const answer = await heardBy(`GET /things HTTP/1.1\r\n${host}X-Request-Id: of-the-caller\r\n\r\n`)
    t.equal(statusOf(answer), 400, JSON.stringify(host))
    t.match(answer, /\r\nx-request-id: of-the-caller\r\n/)
    t.match(answer, /"detail":"Send one Host header, with the name of this server"/)
  }
  t.equal(logLines().filter(({ status, requestId }) => status === 400 && requestId === 'of-the-caller').length, wrong.length)
  for (const host of ['localhost', 'localhost:9154', '127.0.0.1', '[::1]:9154', '']) t.equal(statusOf(await heardBy(`GET /things HTTP/1.1\r\nHost: ${host}\r\n\r\n`)), 200, host)
  t.equal(statusOf(await heardBy('GET /things HTTP/1.0\r\n\r\n')), 200, 'HTTP/1.0 may do without')
})

await t.test('an expectation that nobody has heard of is passed over', async (t) => {
  const answer = await heardBy('POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: a-miracle\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
  t.equal(statusOf(answer), 200)
  t.match(answer, /\r\nx-request-id: /)
  t.match(answer, /\{"body":\{\}\}$/)
})

await t.test('a trailing slash makes no difference', async (t) => {
  t.equal((await app.inject('/things/')).statusCode, 200)
  t.equal((await app.inject('/things/7/')).statusCode, 200)
})

await t.test('a parameter may be as long as a header, and reaches its route', async (t) => {
  const id = 'x'.repeat(15_000)
  t.strictSame((await app.inject(`/things/${id}`)).json(), { id })
})

await t.test('case 60: 200 slow clients of every kind hear 408 within ten seconds, and the others are served meanwhile', { timeout: 30_000 }, async (t) => {
  const openings = [
    '',
    'GET /thi',
    'GET /things HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
    'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"pin":"',
    'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n{',
  ]
  const startedAt = Date.now()
  const clients = Array.from({ length: 200 }, (_, i) => new RawClient(port).say(openings[i % openings.length] ?? ''))
  // Some drip on, a byte now and then, as the attack does.
  const drip = setInterval(() => {
    for (const client of clients.filter((_, i) => i % openings.length >= 2 && i % 2 === 0)) if (client.socket.writable) client.say('0')
  }, 250)
  let slowestMs = 0
  const others = (async () => {
    while (clients.some((client) => !client.socket.destroyed)) {
      const askedAt = Date.now()
      t.equal((await fetch(`http://127.0.0.1:${port}/things`)).status, 200)
      slowestMs = Math.max(slowestMs, Date.now() - askedAt)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })()
  // Refused at once, it goes on sending all the same: its time is over when the others' is.
  const refused = new RawClient(port).say('POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nhello')
  t.equal(statusOf(await refused.hearsAnswer()), 415)
  const heard = await Promise.all(
    clients.map(async (client) => {
      const answer = await client.hears(/\r\n\r\n/, 15_000)
      const afterMs = Date.now() - startedAt
      await client.closed
      return { status: statusOf(answer), afterMs }
    }),
  )
  clearInterval(drip)
  await others
  await refused.closed
  t.ok(Date.now() - startedAt < 10_000, 'nobody is listened to for longer')
  t.strictSame([...new Set(heard.map(({ status }) => status))], [408])
  t.ok(Math.max(...heard.map(({ afterMs }) => afterMs)) < 10_000)
  t.ok(slowestMs < 2000, `the others waited ${slowestMs} ms at most`)
  t.notMatch(logText(), /unexpected failure/)
  t.ok(logLines().some(({ status, code }) => status === 408 && code === 'ERR_HTTP_REQUEST_TIMEOUT'))
})

await t.test('while it closes, what still arrives on an open connection is served, and then hung up', async (t) => {
  const { app } = await buildHttpApp(t, {
    environment: { RATE_LIMIT: 'off' },
    routes(app) {
      app.get('/slow', async () => {
        await released
        return { done: true }
      })
      app.get('/things', () => ({}))
    },
  })
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const client = new RawClient(await listen(app))
  client.say('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
  while ((await new Promise<number>((resolve, reject) => { app.server.getConnections((error, count) => { if (error) reject(error); else resolve(count) }) })) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 50))
  const closing = app.close()
  release()
  t.match(await client.hears(/\{"done":true\}/), /^HTTP\/1.1 200/)
  await closing
})
