import t from 'tap'
import { acceptForms } from '../../plugins/form-body.js'
import { isMediaType } from '../../plugins/request-body.js'
import { buildHttpApp, listen, RawClient, statusOf } from '../support/http.js'

const { app, logText } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off' },
  routes(app) {
    const seen = (body: unknown) => ({ absent: body === undefined, body: body ?? null })
    app.post('/echo', (request) => seen(request.body))
    app.delete('/echo', (request) => seen(request.body))
    app.post('/deaf', { config: { ignoreBody: true } }, (request) => seen(request.body))
    app.post('/late', {
      handler: (request) => seen(request.body),
      // Something before the body takes longer than the client waits.
      preParsing: async (request, _reply, payload) => {
        await new Promise((resolve) => request.raw.once('close', resolve))
        return payload
      },
    })
    app.post('/small', { bodyLimit: 10 }, (request) => seen(request.body))
    app.register((scope, _options, done) => {
      acceptForms(scope)
      scope.post('/form', (request) => seen(request.body))
      done()
    })
  },
})
const port = await listen(app)

/** Sends a request as it stands and waits for the whole answer. */
async function send(text: string): Promise<string> {
  const client = new RawClient(port)
  const heard = await client.say(text).hearsAnswer()
  client.socket.destroy()
  return heard
}
const post = (headers: string, body: string, target = '/echo') => send(`POST ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`)
const json = (body: string, target?: string) => post(`Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}`, body, target)
const bodyOf = (answer: string): unknown => JSON.parse(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').toString())

await t.test('a JSON body is read', async (t) => {
  t.strictSame(bodyOf(await json('{"a":[1]}')), { absent: false, body: { a: [1] } })
  for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/json ; profile=x']) {
    t.equal(statusOf(await post(`Content-Type: ${type}\r\nContent-Length: 2`, '{}')), 200, type)
  }
  t.equal(statusOf(await post('Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Length: 2', '{}')), 200)
  t.strictSame(bodyOf(await post('Content-Type: application/json\r\nTransfer-Encoding: chunked', '1\r\n[\r\n1\r\n]\r\n0\r\n\r\n')), { absent: false, body: [] })
})

await t.test('a zero-length body is no body, whatever it is said to be', async (t) => {
  for (const type of ['', 'Content-Type: application/json\r\n', 'Content-Type: text/plain\r\n', 'Content-Type: nonsense\r\n', 'Content-Type: application/json; charset=latin1\r\nContent-Encoding: gzip\r\n']) {
    for (const length of ['Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n']) {
      for (const method of ['POST', 'DELETE']) {
        const answer = await send(`${method} /echo HTTP/1.1\r\nHost: localhost\r\n${type}${length}\r\n${length.startsWith('T') ? '0\r\n\r\n' : ''}`)
        t.strictSame([statusOf(answer), bodyOf(answer)], [200, { absent: true, body: null }], `${method} ${type} ${length}`)
      }
    }
  }
  t.strictSame(bodyOf(await send('DELETE /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n')), { absent: true, body: null })
})

await t.test('a JSON null is a body', async (t) => {
  t.strictSame(bodyOf(await json('null')), { absent: false, body: null })
})

await t.test('another or no media type, another charset, a compressed body: 415', async (t) => {
  const others = ['', 'Content-Type: text/plain', 'Content-Type: nonsense', 'Content-Type: application/x-www-form-urlencoded', 'Content-Type: application/json; charset=latin1', 'Content-Type: application/json; charset=utf-8; charset=utf-16', 'Content-Type: application/jsonx', 'Content-Type: text/json', 'Content-Type: application/json\r\nContent-Encoding: gzip', 'Content-Type: application/json\r\nContent-Encoding: identity, gzip']
  for (const headers of others) {
    const answer = await post(`${headers}${headers === '' ? '' : '\r\n'}Content-Length: 2`, '{}')
    t.equal(statusOf(answer), 415, headers)
    t.match(answer, /application\/problem\+json/)
  }
})

await t.test('415 comes before the rest of the body', async (t) => {
  t.equal(statusOf(await post('Content-Type: text/plain\r\nContent-Length: 100', '')), 415)
  t.equal(statusOf(await post('Content-Type: text/plain\r\nTransfer-Encoding: chunked', '5\r\na')), 415)
})

await t.test('more than 16 KiB: 413, before it is all there, however its length is told', async (t) => {
  const exactly = `"${'x'.repeat(16 * 1024 - 2)}"`
  t.equal(statusOf(await json(exactly)), 200)
  t.equal(statusOf(await json(`${exactly} `)), 413)
  t.equal(statusOf(await post('Content-Type: application/json\r\nContent-Length: 1000000000', '{')), 413)
  t.equal(statusOf(await post('Content-Type: application/json\r\nTransfer-Encoding: chunked', `4001\r\n${exactly} \r\n`)), 413)
  t.equal(statusOf(await json('[1,2,3,4,5,6]', '/small')), 413, 'a route may allow less')
})

await t.test('415 comes before 413', async (t) => {
  t.equal(statusOf(await post('Content-Type: text/plain\r\nContent-Length: 1000000', '{')), 415)
})

await t.test('a client that sends far too much still hears 413', async (t) => {
  for (const size of [100_000, 5_000_000]) {
    const response = await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: 'x'.repeat(size) })
    t.equal(response.status, 413)
    await response.text()
  }
})

await t.test('the connection serves on after a refused body', async () => {
  const client = new RawClient(port)
  client.say(`POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`)
  await client.hears(/415[^]*\r\n\r\n\{.*\}/)
  client.say('POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n')
  await client.hears(/"absent":true/)
  client.socket.destroy()
})

await t.test('malformed JSON: 400, without a word of it in answer or log', async (t) => {
  const answer = await json('{"pin":"S3CRET"')
  t.equal(statusOf(answer), 400)
  t.strictSame(bodyOf(answer), { type: 'about:blank', title: 'Bad Request', status: 400, detail: 'The body is not valid JSON' })
  t.notMatch(answer + logText(), /S3CRET/)
})

await t.test('invalid UTF-8: 400', async (t) => {
  t.equal(statusOf(await json('{"a":"\xff"}')), 400)
})

await t.test('a route that has no use for a body does not wait for it', async (t) => {
  t.strictSame(bodyOf(await post('Content-Type: multipart/form-data\r\nContent-Length: 1000000', '', '/deaf')), { absent: true, body: null })
})

await t.test('a client that hangs up in mid-body leaves nothing waiting', async (t) => {
  const client = new RawClient(port)
  client.say('POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: hung-up\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.socket.destroy()
  await until(() => logText().includes('"requestId":"hung-up","code":"malformed"'))
  t.equal(statusOf(await json('{}')), 200)
})

await t.test('a body that is over before anybody reads it leaves nothing waiting', async (t) => {
  const client = new RawClient(port)
  client.say('POST /late HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: late\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.socket.destroy()
  await until(() => logText().includes('"requestId":"late","code":"malformed"'))
  t.pass()
})

await t.test('a client that asks first is told to go on', async (t) => {
  const client = new RawClient(port)
  await client.say('POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n').hears(/^HTTP\/1\.1 100 /)
  t.match(await client.say('{}').hears(/"absent":false/), /HTTP\/1\.1 200/)
  client.socket.destroy()
})

await t.test('a scope that takes forms takes each parameter once', async (t) => {
  const form = (body: string) => post(`Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}`, body, '/form')
  t.strictSame(bodyOf(await form('grant_type=client_credentials&scope=a+b%2Bc&empty=&bare&&%C3%A9=1')), {
    absent: false,
    body: { grant_type: 'client_credentials', scope: 'a b+c', é: '1' },
  })
  for (const body of ['a=1&a=1', 'a=1&%61=2', 'a=%zz', 'a=%ff', 'a=\xff', 'a=%00']) t.equal(statusOf(await form(body)), 400, body)
  t.equal(statusOf(await form('')), 200)
  t.equal(statusOf(await json('{}', '/form')), 200, 'and JSON as elsewhere')
  t.equal(statusOf(await post('Content-Type: text/plain\r\nContent-Length: 2', '{}', '/form')), 415)
  t.equal(statusOf(await form('x'.repeat(16 * 1024 + 1))), 413)
})

await t.test('media types are compared as RFC 9110 has them', (t) => {
  t.ok(isMediaType('application/json', 'application/json'))
  t.ok(isMediaType(' application/JSON ; Charset = "utf-8"', 'application/json'))
  t.notOk(isMediaType('application/json, text/plain', 'application/json'))
  t.notOk(isMediaType('', 'application/json'))
  t.end()
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
