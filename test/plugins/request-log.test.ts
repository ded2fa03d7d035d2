import t from 'tap'
import { shownPath } from '../../plugins/request-path.js'
import { buildHttpApp } from '../support/http.js'

const { app, logLines } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off', LOG_LEVEL: 'info' },
  routes(app) {
    app.get('/things/:id', () => ({}))
    app.post('/things', () => ({}))
  },
})
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

await t.test('a sane X-Request-Id comes back and stands in the log; any other is replaced', async (t) => {
  for (const id of ['a', 'A-b_c.9', 'x'.repeat(128)]) {
    t.equal((await app.inject({ url: '/things/1', headers: { 'x-request-id': id } })).headers['x-request-id'], id)
    t.ok(logLines().some(({ requestId }) => requestId === id))
  }
  for (const id of ['', 'a b', 'x'.repeat(129), 'a,b', '<script>', 'é']) {
    t.match((await app.inject({ url: '/things/1', headers: { 'x-request-id': id } })).headers['x-request-id'], uuid, id)
  }
  t.match((await app.inject({ url: '/things/1', headers: { 'x-request-id': ['a', 'b'] } })).headers['x-request-id'], uuid)
})

await t.test('every answer has an id: errors, 404, 405', async (t) => {
  for (const url of ['/nope', '/things', '/%zz']) t.match((await app.inject(url)).headers['x-request-id'], uuid, url)
})

await t.test('one line an answer: method, path, route, status, time, address', async (t) => {
  await app.inject({ url: '/things/7?access_token=x', headers: { 'x-request-id': 'line', authorization: 'Bearer S3CRET', cookie: 'accessToken=S3CRET' } })
  await app.inject({ method: 'POST', url: '/things', headers: { 'x-request-id': 'refused' }, payload: 'S3CRET' })
  const lines = (id: string) => logLines().filter(({ requestId }) => requestId === id)
  t.equal(lines('line').length, 1)
  t.match(lines('line')[0], { level: 'info', method: 'GET', path: '/things/7', route: '/things/:id', status: 200, ms: Number, ip: '127.0.0.1', msg: 'answered' })
  t.match(lines('refused'), [{ status: 415, code: 'unsupported_media_type' }])
  t.notMatch(JSON.stringify(logLines()), /S3CRET|access_token/)
})

await t.test('what would steer a terminal is written out', (t) => {
  t.equal(shownPath('/a\x9b31m\x1b[0m\r\n\u2028%1b?x'), '/a\\u009b31m\\u001b[0m\\u000d\\u000a\\u2028%1b')
  t.end()
})

await t.test('a path of kilobytes is cut', async (t) => {
  await app.inject({ url: `/${'x'.repeat(5000)}`, headers: { 'x-request-id': 'long' } })
  t.ok(String(logLines().find(({ requestId }) => requestId === 'long')?.path).length < 400)
})
